"""The worlds that episodes can be played in: ours, the original simulator, or a module of the user's."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

from eval.assets.resolver import Assets
from eval.backends.simpler_env.files import files_record
from eval.backends.simpler_env.interpreter import WORKER, find_original
from eval.backends.simpler_env.payload import episode_payload
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.rollout.processes import Process, start_foreign, start_own
from eval.sim import ray_tracing

OWN, ORIGINAL = "simpler-eval", "simpler-env"
SAPIEN_WORLD = "eval.backends.sapien3"
"""Module of our own world."""


@dataclass(frozen=True)
class World:
    """How workers of a world are started and spoken to, and what a run says of it."""

    start: Callable[[int], tuple[Process, Connection]]
    """A process that draws with so many threads, and the pipe to it."""
    payload: Callable[[EpisodeSpec], str] = EpisodeSpec.model_dump_json
    """The text that an ``episode`` message carries (:mod:`eval.rollout.worker`)."""
    identity: Mapping[str, Any] = field(default_factory=dict)
    """What a run is not continued without."""
    complete: Callable[[dict[str, Any]], dict[str, Any]] = lambda record: record
    """A worker's record of its world, with what only the parent knows."""


def find_world(name: str, python: str | None, assets: str | None, rt: str, plan: Sequence[EpisodeSpec]) -> World:
    """The world called ``name``, ready to play ``plan``.

    Args:
        name: ``simpler-eval`` (ours), ``simpler-env`` (the original), or a module as in :mod:`eval.rollout.worker`.
        python: interpreter of the original; None: of SIMPLER_ENV_PYTHON, else our own.
        assets: packs of our world, as ``--assets``.
        rt: how ray-traced episodes are drawn, as ``--rt``.

    Raises UserError if the world is not known, cannot run here, or cannot play an episode of the plan.
    """
    traced = any(spec.shader == "rt" for spec in plan)
    if name == ORIGINAL:
        return _original(python, assets, ray_tracing.choose(rt) if traced else None, plan)
    if python is not None:
        raise UserError(f"An interpreter of its own has only --world {ORIGINAL}; leave --world-python out or add that.")
    if name == OWN:
        if assets is not None:
            Assets.from_option(assets)  # a wrong folder is reported before anything starts
        drawing = ray_tracing.choose(rt) if traced else ray_tracing.RASTER
        return World(functools.partial(start_own, SAPIEN_WORLD, assets, drawing))
    if not _is_module(name):
        raise UserError(f'There is no world "{name}".{did_you_mean(name, (OWN, ORIGINAL))}')
    start = functools.partial(start_own, name, assets, ray_tracing.RASTER)
    return World(start, identity={"world": {"name": name}})


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False


def _original(python: str | None, assets: str | None, drawing: ray_tracing.Choice | None, plan: Sequence[EpisodeSpec]) -> World:
    if assets is not None:
        raise UserError(
            "--assets (or SIMPLER_EVAL_ASSETS) names packs of our own world; the original reads the folder that its "
            "MS2_REAL2SIM_ASSET_DIR names, else its own data folder."
        )
    found = find_original(python)
    # Before anything is played: a task that the original lacks is no fault of an episode.
    payloads = {spec.id: episode_payload(spec, drawing) for spec in plan}
    packages = {key: found.found[key] for key in ("simpler_env", "mani_skill2_real2sim")}
    versions = {"python": found.found["python"], "numpy": found.found["numpy"], "sapien": found.found["sapien"], **packages}

    @functools.cache
    def files() -> dict[str, Any] | None:
        return files_record(found, plan)

    def complete(record: dict[str, Any]) -> dict[str, Any]:
        return {"name": found.name, "versions": versions, **record, "assets": files()}

    commits = {key: value.get("commit") or value.get("version", "") for key, value in packages.items()}
    return World(
        functools.partial(start_foreign, found.python, WORKER),
        lambda spec: payloads[spec.id],
        {"world": {"name": ORIGINAL, "sapien": versions["sapien"], **commits}},
        complete,
    )
