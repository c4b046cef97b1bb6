"""Episodes that wait to become a dataset: two files each, written as the episode ends.

``<name>.mp4`` holds the images, ``<name>.parquet`` all else; the latter is written last and appears only when it is whole, so a
run that is killed leaves whole episodes, and one that is played again takes the place of its earlier try.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from eval.backends.protocol import PrivilegedState
from eval.datasets import statistics
from eval.datasets.features import ACTION, DONE, EXECUTED, STATE, SUCCESS, RobotFamily, states
from eval.datasets.images import Codec, encode
from eval.datasets.parquet_files import read_parquet, write_parquet
from eval.episode import EpisodeSpec
from eval.records.results import EpisodeRecord, RecordKey

if TYPE_CHECKING:
    import pyarrow as pa

STAGING = ".episodes"
"""Folder of a run's dataset in which its episodes wait."""
METADATA = b"simpler_eval"
SIMULATOR_COLUMNS = ("tcp_pose", "gripper_opening", "qpos", "privileged")
"""What is kept apart from the features: the robot as the simulator has it, and what only the simulator knows."""


@dataclass(frozen=True)
class Recording:
    """An episode as it was played: T steps, each with what was seen before it and what was commanded."""

    spec: EpisodeSpec
    record: EpisodeRecord
    images: NDArray[np.uint8]
    """(T, H, W, 3) before each step."""
    instructions: Sequence[str]
    """Before each step."""
    tcp_poses: NDArray[np.float64]
    """(T, 7) x y z [m], w x y z in the frame of the robot's base, before each step."""
    openings: NDArray[np.float64]
    """(T,) of the gripper, 0 closed .. 1 open, before each step."""
    qpos: NDArray[np.float64]
    """(T, n) joint positions before each step."""
    actions: NDArray[np.float64]
    """(T, 7) what a policy that learns from this shall do."""
    successes: NDArray[np.bool_]
    """(T,) success flag after each step."""
    privileged: Sequence[PrivilegedState | None]
    """State of the simulator before each step, where the policy was shown it."""
    executed: NDArray[np.float64] | None = None
    """(T, 7) what was played, where it is another thing than ``actions``."""


@dataclass(frozen=True)
class StagedFiles:
    """An episode that waits, on its way to another folder."""

    video: bytes
    frames: bytes


class StagedEpisode(BaseModel):
    """What is known of an episode that waits, beside its frames."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    repeat: int
    robot: RobotFamily
    fps: int
    height: int
    width: int
    codec: Codec
    steps: int
    success: bool
    """The verdict: the flag of the last step."""
    seed: int
    executed: bool = False
    """Whether the actions played differ from those to be learned."""
    image_statistics: dict[str, list[Any]]

    @property
    def key(self) -> RecordKey:
        """Of the record in the run."""
        return RecordKey(self.id, self.repeat)


class Staging:
    """The episodes that wait in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def video(self, key: RecordKey) -> Path:
        """The images of an episode."""
        return self.folder / f"{key.name}.mp4"

    def frames(self, key: RecordKey) -> Path:
        """All else of an episode."""
        return self.folder / f"{key.name}.parquet"

    def forget(self, key: RecordKey) -> None:
        """Remove what an earlier try left."""
        for path in (self.frames(key), self.video(key)):
            path.unlink(missing_ok=True)

    def keep(self, recording: Recording, codec: Codec) -> None:
        """Write an episode. Raises OSError if the disk refuses."""
        key, spec = recording.record.key, recording.spec
        self.folder.mkdir(parents=True, exist_ok=True)
        self.forget(key)
        encode(self.video(key), recording.images, spec.control_freq, codec)
        _, height, width, _ = recording.images.shape
        episode = StagedEpisode(
            id=spec.id,
            repeat=recording.record.repeat,
            robot="google_robot" if spec.robot_family == "google_robot" else "widowx",
            fps=spec.control_freq,
            height=height,
            width=width,
            codec=codec,
            steps=len(recording.actions),
            success=recording.record.success_last,
            seed=spec.seed,
            executed=recording.executed is not None,
            image_statistics=statistics.plain(statistics.of_images(recording.images)),
        )
        _write(self.frames(key), _table(recording, episode))

    def files(self, key: RecordKey) -> StagedFiles:
        """An episode, to be put elsewhere. Raises OSError if it does not wait here."""
        return StagedFiles(self.video(key).read_bytes(), self.frames(key).read_bytes())

    def put(self, key: RecordKey, files: StagedFiles) -> None:
        """Take over an episode from elsewhere. Raises OSError if the disk refuses."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.forget(key)
        for path, content in ((self.video(key), files.video), (self.frames(key), files.frames)):
            part = path.with_name(f".{path.name}.part")
            try:
                part.write_bytes(content)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)

    def episode(self, key: RecordKey) -> StagedEpisode | None:
        """What is known of an episode; None if it does not wait here, or not whole."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            metadata = pq.read_schema(self.frames(key)).metadata
        except (OSError, pa.ArrowException):
            return None
        if not self.video(key).is_file() or METADATA not in (metadata or {}):
            return None
        return StagedEpisode.model_validate_json(metadata[METADATA])

    def codec(self) -> Codec | None:
        """How the images of what waits here are kept; None: nothing does."""
        keys = (_key_of(file.stem) for file in self.folder.glob("*.parquet"))
        return next((episode.codec for key in keys if (episode := self.episode(key)) is not None), None)

    def table(self, key: RecordKey) -> pa.Table:
        """The frames of an episode; columns as of :func:`_table`."""
        return read_parquet(self.frames(key))


def _key_of(name: str) -> RecordKey:
    """The inverse of ``RecordKey.name``."""
    episode, _, repeat = name.rpartition("-r")
    return RecordKey(episode, int(repeat)) if episode and repeat.isdigit() else RecordKey(name)


def _table(recording: Recording, episode: StagedEpisode) -> pa.Table:
    import pyarrow as pa

    steps = episode.steps
    columns = {
        STATE: _vectors(states(episode.robot, recording.tcp_poses, recording.openings), pa.float32()),
        ACTION: _vectors(recording.actions, pa.float64()),
        **({} if recording.executed is None else {EXECUTED: _vectors(recording.executed, pa.float64())}),
        SUCCESS: pa.array(recording.successes.tolist(), pa.bool_()),
        DONE: pa.array([step == steps - 1 for step in range(steps)], pa.bool_()),
        "task": pa.array(list(recording.instructions), pa.string()),
        "tcp_pose": _vectors(recording.tcp_poses, pa.float64()),
        "gripper_opening": pa.array(recording.openings, pa.float64()),
        "qpos": _vectors(recording.qpos, pa.float64()),
        "privileged": pa.array([_json(state) for state in recording.privileged], pa.string()),
    }
    return pa.table(columns).replace_schema_metadata({METADATA: episode.model_dump_json().encode()})


def _vectors(rows: NDArray[np.floating[Any]], kind: pa.DataType) -> pa.Array:
    import pyarrow as pa

    count = rows.shape[1]
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(rows).reshape(-1), kind), count)


def _json(state: PrivilegedState | None) -> str | None:
    """Poses x y z qw qx qy qz in the world frame, by object; boxes by object; roles; the drawer."""
    if state is None:
        return None
    drawer = None if state.drawer is None else state.drawer._asdict()
    return json.dumps({**state._asdict(), "drawer": drawer}, allow_nan=True)


def _write(path: Path, table: pa.Table) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        write_parquet(part, table)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
