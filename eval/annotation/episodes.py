"""The traces of a dataset's episodes: each a video and a few numbers, written as soon as it is drawn."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from eval.annotation.drawing import Annotator, Image
from eval.datasets import statistics
from eval.datasets.dataset_files import CHUNK, VIDEO_PATH
from eval.datasets.episode_index import EpisodeFrames
from eval.datasets.features import ROBOTS, RobotFamily, trace_key
from eval.datasets.images import encode, is_whole
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError, did_you_mean
from eval.records.results import RecordKey
from eval.records.turns import seed_of

DRAWN = ".traces"
"""Folder of a dataset under way: a file an episode that is drawn."""


class DrawnEpisode(BaseModel):
    """What is known of the traces of an episode."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    has_trace: tuple[bool, ...]
    """A step."""
    image_statistics: dict[str, list[Any]]


@dataclass(frozen=True)
class Subject:
    """The images of a dataset that traces are drawn on."""

    source: Path
    camera: str
    robot: RobotFamily

    def reader(self) -> LeRobotReader:
        """The dataset, of which only these images are decoded."""
        return LeRobotReader(self.source, (self.camera,))


def subject_of(source: Path, camera: str | None = None, robot: str | None = None) -> Subject:
    """Which images of a dataset, and whose.

    Args:
        source: folder of the dataset.
        camera: feature; None: its only one, or the one that the public copies of Bridge and Fractal have.
        robot: ``google_robot`` or ``widowx``; None: as the dataset or the name of its camera says.

    Raises:
        UserError: it is no dataset, has no such camera or already traces, or leaves open which.
    """
    if robot is not None and robot not in ROBOTS:
        raise UserError(f'--robot "{robot}" is unknown.{did_you_mean(robot, ROBOTS)}')
    reader = LeRobotReader(source, None if camera is None else (camera,))
    by_camera = {features.image: name for name, features in ROBOTS.items()}
    if camera is None:
        usual = [name for name in reader.cameras if name in by_camera] or list(reader.cameras)
        if len(usual) != 1:
            which = f"one of {', '.join(usual)}" if usual else "a dataset that has images"
            raise UserError(f"{source} leaves open which images get traces; give --camera, {which}.")
        camera = usual[0]
    if trace_key(camera) in reader.info.features:
        raise UserError(f"{source} has traces already ({trace_key(camera)}); annotate the dataset that it was made of.")
    said = robot or (reader.info.robot_type if reader.info.robot_type in ROBOTS else by_camera.get(camera))
    for name in ROBOTS:
        if said == name:
            return Subject(source, camera, name)
    raise UserError(f"{source} does not say which robot it is of; give --robot google_robot or --robot widowx.")


class Drawings:
    """The episodes that are drawn, in the folder of the dataset that is under way."""

    def __init__(self, root: Path, camera: str, video_path: str | None = None) -> None:
        """video_path: as of ``meta/info.json``; None: the dataset has no videos yet."""
        self._root, self._key, self._video_path = root, trace_key(camera), video_path or VIDEO_PATH

    def place(self, number: int) -> dict[str, int]:
        """Which video file is whose."""
        return {"chunk_index": number // CHUNK, "file_index": number % CHUNK}

    def video(self, number: int) -> Path:
        """The images of an episode."""
        return self._root / self._video_path.format(video_key=self._key, **self.place(number))

    def file(self, number: int) -> Path:
        """What else is known of it; written last."""
        return self._root / DRAWN / f"{number}.json"

    def missing(self, episodes: int) -> list[int]:
        """Numbers of those that are not drawn, or not whole."""
        return [number for number in range(episodes) if not self._whole(number)]

    def _whole(self, number: int) -> bool:
        try:
            self.read(number)
            return is_whole(self.video(number))
        except (OSError, ValidationError):
            return False

    def read(self, number: int) -> DrawnEpisode:
        """One that is drawn. Raises OSError, or pydantic's ValidationError if it is damaged."""
        return DrawnEpisode.model_validate_json(self.file(number).read_bytes())

    def keep(self, number: int, images: NDArray[np.uint8], has_trace: Sequence[bool], fps: float) -> None:
        """Write one: (T, 256, 256, 3) images, to the bit. Raises OSError if the disk refuses."""
        path = self.video(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        encode(path, images, fps, "lossless")
        numbers = statistics.plain(statistics.of_images(images))
        drawn = DrawnEpisode(has_trace=tuple(has_trace), image_statistics=numbers)
        self.file(number).parent.mkdir(exist_ok=True)
        part = self.file(number).with_suffix(".part")
        part.write_text(json.dumps(drawn.model_dump(mode="json")))
        part.replace(self.file(number))


def draw(subject: Subject, reader: LeRobotReader, annotator: Annotator, drawings: Drawings, numbers: Sequence[int]) -> None:
    """Draw and write episodes together.

    Raises:
        UserError: an image cannot be decoded.
        OSError: the disk refuses.
    """
    shown = {number: list(_images(subject, reader, annotator, number)) for number in numbers}
    drawn: dict[int, list[Image]] = {number: [] for number in numbers}
    traced: dict[int, list[bool]] = {number: [] for number in numbers}
    names = {number: name_of(reader.episodes[number]) for number in numbers}
    for number in numbers:
        annotator.begin(names[number], seed_of_episode(reader.episodes[number]), subject.robot)
    for step in range(max(map(len, shown.values()))):
        now = {names[number]: images[step] for number, images in shown.items() if step < len(images)}
        for number, images in shown.items():
            if 0 < step < len(images) and images[step][1] != images[step - 1][1]:
                annotator.changed(names[number])
        results = annotator.step({name: image for name, (image, _) in now.items()})
        for number in numbers:
            if names[number] in results:
                drawn[number].append(results[names[number]].image)
                traced[number].append(bool(results[names[number]].has_trace))
    for number in numbers:
        annotator.end(names[number])
        drawings.keep(number, np.stack(drawn[number]), traced[number], reader.info.fps)


def _images(subject: Subject, reader: LeRobotReader, annotator: Annotator, number: int) -> Iterator[tuple[Image, str]]:
    """Small images of an episode with the instructions that were given then."""
    return ((annotator.small(frame.images[subject.camera]), frame.task) for frame in reader.frames(number))


def name_of(episode: EpisodeFrames) -> str:
    """What a policy called the episode while it played it; in a dataset of somebody else, its number."""
    identity = episode.row.get("simpler_eval/id")
    return (
        str(episode.number) if identity is None else RecordKey(identity, int(episode.row.get("simpler_eval/repeat") or 0)).name
    )


def seed_of_episode(episode: EpisodeFrames) -> int:
    """The seed that a policy was given with it; in a dataset of somebody else, 0."""
    return seed_of(int(episode.row.get("simpler_eval/seed") or 0), int(episode.row.get("simpler_eval/repeat") or 0))
