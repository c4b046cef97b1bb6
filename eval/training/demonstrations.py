"""LeRobot datasets, ours and the public copies of Bridge and Fractal, as what a policy is trained on."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from eval.datasets.episode_index import EpisodeFrames
from eval.datasets.features import ACTION, HAS_TRACE, ROBOTS, Feature, RobotFamily, trace_key
from eval.datasets.origin import read_origin
from eval.datasets.reader import INFO_FILE, LeRobotReader, files_below, find_dataset
from eval.errors import UserError
from eval.plan.placements import FIRST_SEEDS
from policies.training import DemonstratedStep, GripperMeaning, Rotation

KEYS: Mapping[RobotFamily, str] = {"widowx": "bridge_orig", "google_robot": "fractal20220817_data"}
"""Under which the released policies look for the ranges of a robot."""
ROTATIONS: Mapping[tuple[str, ...], Rotation] = {
    ("rx", "ry", "rz"): "rotation_vector",
    ("roll", "pitch", "yaw"): "euler",
}
"""Names of numbers 3 to 5 of an action -> what they are; whoever has angles has the opening of the gripper as well."""
SEED, ID = "simpler_eval/seed", "simpler_eval/id"
"""Columns of ``meta/episodes`` in datasets of this harness."""
SHOWN = 3


@dataclass
class LeRobotDemonstrations:
    """One dataset; what :class:`policies.training.Demonstrations` asks for."""

    root: Path
    key: str
    robot: RobotFamily
    camera: str
    traces: bool
    """Whether images with traces are read."""
    rotation: Rotation
    gripper: GripperMeaning
    fingerprint: str
    episodes: str
    """Over what happens in it and how it looks: the same with and without traces."""
    lengths: Sequence[int]
    facts: Mapping[str, JsonValue]
    on_test_placements: bool
    """Whether some of it stands where the evaluation plays."""
    _reader: LeRobotReader | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """Its folder."""
        return str(self.root)

    def __getstate__(self) -> dict[str, object]:
        return {**self.__dict__, "_reader": None}  # an open reader is for one process alone

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        """Those of an episode, in order. Raises UserError for what cannot be read."""
        if self._reader is None:
            wanted = (self.camera, trace_key(self.camera)) if self.traces else (self.camera,)
            self._reader = LeRobotReader(self.root, wanted)
        for frame in self._reader.frames(episode):
            traced: NDArray[np.uint8] | None = None
            if self.traces and bool(frame.values[HAS_TRACE][0]):
                traced = frame.images[trace_key(self.camera)]
            action = np.asarray(frame.values[ACTION], np.float64)
            yield DemonstratedStep(frame.images[self.camera], traced, frame.task, action)


def named_dataset(text: str) -> tuple[str, Path]:
    """Key, "" if none is given, and folder of what ``--dataset`` names. Raises UserError if there is no dataset."""
    key, equals, folder = text.partition("=")
    if not equals or Path(text).is_dir():
        key, folder = "", text
    if not folder or (equals and not key and not Path(text).is_dir()):
        raise UserError(f'--dataset "{text}" must be a folder, or KEY=FOLDER such as bridge_orig=data/widowx.')
    root = Path(folder).expanduser().absolute()
    find_dataset(root)
    return key, root


def open_demonstrations(text: str, traces: bool, allow_test_placements: bool) -> LeRobotDemonstrations:
    """A dataset as ``--dataset`` names it.

    Args:
        text: ``FOLDER``, or ``KEY=FOLDER`` to give its ranges another key than its robot's usual one.
        traces: whether its images with traces are wanted.
        allow_test_placements: whether it may hold episodes that stand where the evaluation plays.

    Raises:
        UserError: it is no dataset that can be trained on, or holds such episodes.
    """
    key, root = named_dataset(text)
    reader = LeRobotReader(root)
    robot = _robot(reader)
    camera = _camera(reader, robot)
    if traces and (trace_key(camera) not in reader.info.features or HAS_TRACE not in reader.info.features):
        raise UserError(f"{root} has no traces, which --tracevla needs; add them: simpler-eval annotate-traces {root}")
    if not len(reader):
        raise UserError(f"{root} holds no frames; record some, or fetch it anew.")
    rotation = _rotation(root, reader.info.features.get(ACTION))
    reader.values(0, ACTION)  # what is wrong with all of them is said before anything is prepared
    if not len(reader):
        raise UserError(f"{root} holds no frames.")
    origin = read_origin(root)
    on_test = _on_test_placements(reader.episodes)
    if not on_test and origin is not None and origin.test_placements:
        on_test = ["by their distance from them"]
    if on_test and not allow_test_placements:
        raise UserError(
            f"{root} holds episodes that stand where the evaluation plays ({on_test[0]}); record with "
            "--placements train, or say --allow-test-placements, which every title will repeat."
        )
    return LeRobotDemonstrations(
        root, key or KEYS[robot], robot, camera, traces, rotation, "command" if rotation == "rotation_vector" else "opening",
        _fingerprint(reader, camera, traces), _episodes(reader, camera), [len(episode) for episode in reader.episodes],
        _facts(reader, len(on_test)), bool(on_test),
    )  # fmt: skip


def _robot(reader: LeRobotReader) -> RobotFamily:
    """As the dataset names it, or as the key of its image does."""
    named = str(reader.info.robot_type)
    for robot, features in ROBOTS.items():
        if named == robot or (named not in ROBOTS and features.image in reader.cameras):
            return robot
    cameras = ", ".join(reader.cameras) or "none"
    raise UserError(
        f'{reader.root} is of another robot: robot_type "{named}", images {cameras}; known are {" and ".join(ROBOTS)}.'
    )


def _camera(reader: LeRobotReader, robot: RobotFamily) -> str:
    """Key of the image that a policy sees."""
    if ROBOTS[robot].image in reader.cameras:
        return ROBOTS[robot].image
    plain = [name for name in reader.cameras if not any(name == trace_key(other) for other in reader.cameras)]
    if len(plain) != 1:
        raise UserError(f"{reader.root} has no {ROBOTS[robot].image}; its images: {', '.join(plain) or 'none'}.")
    return plain[0]


def _rotation(root: Path, action: Feature | None) -> Rotation:
    """What the actions of a dataset mean, by the names of their components."""
    if action is None or action.shape != (7,):
        shape = "none" if action is None else f"of shape {list(action.shape)}"
        raise UserError(f"{root} has no actions of 7 numbers ({ACTION} is {shape}).")
    rotation = ROTATIONS.get(action.components[3:6])
    if rotation is None:
        known = " or ".join(", ".join(part) for part in ROTATIONS)
        raise UserError(f"{root}: what the actions mean is not known; {INFO_FILE} must name their numbers 3 to 5 {known}.")
    return rotation


def _on_test_placements(episodes: Sequence[EpisodeFrames]) -> list[str]:
    """Ids of the episodes of this harness whose initial states are not those kept for training."""
    ours = [episode.row for episode in episodes if episode.row.get(ID) is not None]
    return [str(row[ID]) for row in ours if int(row.get(SEED) or 0) < FIRST_SEEDS["train"]]  # nor if it does not say


def _facts(reader: LeRobotReader, on_test: int) -> dict[str, JsonValue]:
    rows = [episode.row for episode in reader.episodes]
    policies = Counter(str(row.get("simpler_eval/policy")) for row in rows if row.get("simpler_eval/policy"))
    tasks = Counter(task for episode in reader.episodes for task in episode.tasks)
    return {
        "dataset": reader.root.name,
        "robot": str(reader.info.robot_type),
        "episodes": len(rows),
        "frames": len(reader),
        "episodes_on_test_placements": on_test,
        "played_by": dict(policies),
        "instructions": [task for task, _ in tasks.most_common(SHOWN)],
    }


def _fingerprint(reader: LeRobotReader, camera: str, traces: bool) -> str:
    """Over the numbers of a dataset, and over names and sizes of its videos."""
    whole = hashlib.blake2b(f"{camera} {traces}".encode(), digest_size=12)
    for path in files_below(reader.root):
        name = path.relative_to(reader.root)
        if name.parts[0] in ("meta", "data") and path.suffix in (".json", ".parquet"):
            whole.update(f"{name}\n".encode())
            with path.open("rb") as file:
                whole.update(hashlib.file_digest(file, "blake2b").digest())
        elif name.parts[0] == "videos" and path.suffix == ".mp4":
            whole.update(f"{name} {path.stat().st_size}\n".encode())
    return whole.hexdigest()


def _episodes(reader: LeRobotReader, camera: str) -> str:
    """Over how long the episodes are, and actions and images of some of them, of videos their names and sizes.

    The same actions before another scene are other demonstrations.
    """
    lengths = [len(episode) for episode in reader.episodes]
    whole = hashlib.blake2b(repr(lengths).encode(), digest_size=12)
    for number in sorted({0, len(lengths) // 2, len(lengths) - 1}):
        whole.update(np.asarray(reader.values(number, ACTION), np.float64).tobytes())
        whole.update(reader.stored_image(number, camera) or b"")
    for path in files_below(reader.root / "videos", ".mp4"):
        if camera in path.parts:
            whole.update(f"{path.relative_to(reader.root)} {path.stat().st_size}\n".encode())
    return whole.hexdigest()
