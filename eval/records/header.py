"""``run.json`` as a model: what a run is, and what decides whether two runs may be pooled, continued or compared."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from eval.assets.record import AssetsRecord as AssetsRecord
from eval.episode import PlacementSet
from eval.records.options import RunOptions
from policies.base import PolicyDescription, PolicyIdentity

SCHEMA_VERSION: Final = 2
OBSERVATION_CHANGE: Final = "observation_change"
"""Setting in the identity of a policy that was shown changed observations (:mod:`eval.audit`): what was changed."""


class RecordModel(BaseModel):
    """Frozen; a key that is not known is an error, so that nothing recorded is silently lost."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RenderingRecord(RecordModel):
    """How those images were rendered for which the original traces rays."""

    rt: Literal["raster", "trace", "fast"]
    samples: int | None = None
    """Rays a pixel."""
    path_depth: int | None = None
    denoiser: str | None = None
    light: Literal["sapien-2.2.2", "installed"] | None = None
    """Whose shaders compute the light: the original's simulator's, or the installed one's. None: not recorded."""
    early_end: bool = False
    """Whether dim paths ended early, without bias."""


class WorldIdentity(RecordModel):
    """What of a world decides its numbers."""

    name: str
    """``simpler-eval``, ``simpler-env`` or a user's module."""
    versions: dict[str, str] = {}
    """Of packages that are not ours: the simulator's version, the original's commits."""
    code: str | None = None
    """Hash of a user's module."""
    rendering: RenderingRecord | None = None
    """None where no episode asks for ray tracing."""


class WorldRecord(RecordModel):
    """What the workers reported about the world they played in."""

    name: str
    """For titles, e.g. ``simpler-eval's world on SAPIEN 3``."""
    assets: AssetsRecord | None = None
    device: str | None = None
    """What renders, in the simulator's words."""
    render_device: str | None = None
    """As it was chosen, such as ``cuda:1``; None: the first."""
    rendering: RenderingRecord | None = None
    drivers: tuple[JsonValue, ...] = ()
    versions: dict[str, JsonValue] = {}


class RunIdentity(RecordModel):
    """What decides the numbers of a run, and nothing else: no path, machine, card, worker, batch or video."""

    world: WorldIdentity
    assets: str | None = None
    """Digest over the files that the run's episodes load: original, stand-in, or their other content. None: not known, for
    worlds that are not ours."""
    tasks: dict[str, str] = {}
    """User task files: name -> digest."""
    placements: PlacementSet = "published"
    """Which initial states (:mod:`eval.plan.placements`); what was measured on others is no published number."""
    policy: PolicyIdentity

    @property
    def observation_change(self) -> str | None:
        """What was changed of the policy's observations, such as ``blank_picture``; None: nothing."""
        value = self.policy.settings.get(OBSERVATION_CHANGE)
        return None if value is None else str(value)

    @property
    def benchmark(self) -> bool:
        """Whether published numbers may stand beside those of the run: published initial states, observations as they are.

        What else a run departs in (stand-ins, a share of the episodes) is said in its title.
        """
        return self.placements == "published" and self.observation_change is None


class GitRecord(RecordModel):
    """The checkout that the code ran from."""

    commit: str
    dirty: bool
    """Whether tracked files were changed."""


class MachineRecord(RecordModel):
    """Where a session ran."""

    system: str
    cpu: str
    cores: int
    """That the process could use."""


class Provenance(RecordModel):
    """What made a file: command, commit, versions, machine."""

    command: str
    started: str
    """UTC, ISO 8601."""
    git: GitRecord | None = None
    python: str
    packages: dict[str, str]
    """Name -> version."""
    machine: MachineRecord


class PolicyChange(RecordModel):
    """From where on a run went on with another version of the policy's own code."""

    after: int
    """Episodes that had a verdict then, of the earlier versions."""
    of: int
    """Episodes of the run, repeats included."""


class CodeRecord(RecordModel):
    """Hashes over code of ours that decides the numbers of a run in the original simulator (:mod:`eval.records.code`).

    What else of ours decides them, episodes and resets, stands in the plan.
    """

    policy: str | None = None
    """Of a policy that is shipped with us; None: of somebody else, or not to be read."""
    worker: str | None = None
    """What plays in the original's process; None: another world."""


class Course(RecordModel):
    """How a session plays; decides how fast it is and no number."""

    workers: int
    """Simulator processes."""
    per_worker: int = 1
    """Episodes that each of them holds at once."""
    tracing: int | None = None
    """Workers that play the ray-traced episodes; None: whichever is free."""
    batch: int | None = None
    """Observations of a full batch; None: the policy was asked about whatever was ready."""


class ReplicaRecord(RecordModel):
    """A copy of the policy with simulator workers of its own, of several in one session."""

    name: str
    """Where it was, such as ``replica 2 (cuda:1)``."""
    course: Course | None = None
    """How it plays; None: it never did."""
    episodes: int = 0
    """That ended in it."""
    losses: int = 0
    """How often it was lost; where another one takes its place, it plays on."""
    lost: str | None = None
    """Why it was lost for good."""


class SessionRecord(Provenance):
    """One call of the command; a run that was continued has several."""

    options: RunOptions
    folder: str | None = None
    """Working folder: what relative paths in ``options`` (the policy's file, its arguments) are relative to."""
    policy_code: str | None = None
    """Hash of the policy's own code that was played; see ``PolicyIdentity.code``."""
    code: CodeRecord | None = None
    """None: not recorded."""
    policy_change: PolicyChange | None = None
    """None: that code is the one of the session before, or this is the first."""
    course: Course | None = None
    """None: not recorded, or there was nothing to play."""
    outcome: Literal["finished", "interrupted", "stopped"] | None = None
    """``stopped``: by faults. None: it is still running, or was killed."""
    ended: str | None = None
    """UTC, ISO 8601."""
    wall_seconds: float | None = None
    episodes: int | None = None
    """Records written."""
    replicas: tuple[ReplicaRecord, ...] = ()
    """Empty where the one policy was in the run's own process."""


class ShardRecord(RecordModel):
    """Which part of which plan a run is, so that shards recognise each other."""

    shard: str
    """Such as ``2/8``."""
    episodes: int
    """Of the whole plan."""
    plan_hash: str
    """Of the whole plan."""
    assets: str | None = None
    """As in :class:`RunIdentity`, over the whole plan."""


Rendered = Literal["nothing", "filmed episodes", "all episodes"]
"""Of which episodes images were rendered: a policy that needs none is played without, except for videos."""


class RunHeader(RecordModel):
    """``run.json``. A field that is added later gets a default; one that changes its meaning gets a new schema version."""

    schema_version: Literal[1, 2] = SCHEMA_VERSION
    """1: read from a folder of version 0.1 (:mod:`eval.records.older`), never written."""
    identity: RunIdentity
    policy: PolicyDescription
    """As the policy described itself last, with counters."""
    options: RunOptions
    """Of the newest session."""
    sessions: tuple[SessionRecord, ...] = ()
    world: WorldRecord | None = None
    """None until a worker has reported."""
    rendered: Rendered | None = None
    """None: not recorded."""
    shard: ShardRecord | None = None
    plan_hash: str
    """Over the ids of the plan's episodes in order."""
    episodes: int
    """Of the plan."""
    repeats: int = 1
    """How often each episode is played."""
    seeds: tuple[int, ...] = ()
    """Of the episodes, each once."""
    merged: tuple[str, ...] = ()
    """Of a union of runs: what its title must say."""

    @property
    def player(self) -> str:
        """Who played, for titles and tables: as it was asked for, but a policy server by its name, not by where it was."""
        return self.policy.name if "://" in self.options.policy else self.options.policy
