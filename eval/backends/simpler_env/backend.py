"""The original simulator as a backend: a worker in its interpreter, and what a run says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, cached_property

from pydantic import JsonValue

from eval.backends.base import Backend, ForeignWorker
from eval.backends.simpler_env.files import files_record
from eval.backends.simpler_env.interpreter import WORKER, Original, find_original
from eval.backends.simpler_env.payload import episode_payload
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.code import code_hash
from eval.records.header import AssetsRecord, RenderingRecord, WorldIdentity, WorldRecord
from eval.sim import ray_tracing


@cache
def worker_code() -> str:
    """Hash over what of ours decides how the original plays an episode that is given by its reset."""
    return code_hash((WORKER, WORKER.with_name("payload.py")))


class OriginalBackend(Backend):
    """Plays a plan in the original; the payloads of all its episodes are made before the first begins."""

    def __init__(
        self,
        identity: WorldIdentity,
        original: Original,
        payloads: Mapping[str, str],
        plan: Sequence[EpisodeSpec],
        render_device: str | None = None,
    ) -> None:
        """payloads: what a ``Begin`` carries, by episode id; plan: says which files are needed."""
        super().__init__(identity, ForeignWorker(original.python, WORKER), render_device)
        self._original, self._payloads, self._plan = original, payloads, plan

    def payload(self, spec: EpisodeSpec) -> str:
        """How the original builds and resets its environment, as JSON text."""
        return self._payloads[spec.id]

    def completed(self, record: WorldRecord) -> WorldRecord:
        """With name, versions, and the files that are not the original ones."""
        versions: dict[str, JsonValue] = dict(self._original.versions)
        known = {"name": self._original.name, "versions": versions, "assets": self._files, "render_device": self.render_device}
        return record.model_copy(update=known)

    @cached_property
    def _files(self) -> AssetsRecord:
        return files_record(self._original, self._plan)


def open_original(
    name: str,
    python: str | None,
    assets: str | None,
    rendering: ray_tracing.Choice | None,
    plan: Sequence[EpisodeSpec],
    render_device: str | None = None,
) -> OriginalBackend:
    """The original, ready to play ``plan``.

    Args:
        name: of the world, for its identity.
        python: its interpreter; None: of SIMPLER_ENV_PYTHON, else our own.
        assets: must be None; the original has a folder of its own.
        rendering: how ray-traced episodes are rendered; None if the plan has none.
        plan: the episodes.
        render_device: what renders: ``cuda``, ``cuda:N`` or ``pci:...``, as its SAPIEN counts; None: the first.

    Returns:
        The backend.

    Raises:
        UserError: the interpreter cannot run the original, it lacks an episode of the plan, or cannot render there.
    """
    if assets is not None:
        raise UserError(
            "--assets (or SIMPLER_EVAL_ASSETS) names packs of our own world; the original reads the folder that its "
            "MS2_REAL2SIM_ASSET_DIR names, else its own data folder."
        )
    original = find_original(python, render_device)
    # Before anything is played: a task that the original lacks is no fault of an episode.
    payloads = {spec.id: episode_payload(spec, rendering, render_device) for spec in plan}
    record = None if rendering is None else RenderingRecord.model_validate(ray_tracing.record(rendering))
    identity = WorldIdentity(name=name, versions=original.commits, rendering=record)
    return OriginalBackend(identity, original, payloads, plan, render_device)
