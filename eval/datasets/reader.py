"""Reads datasets of the LeRobot layout v3.0, ours and others': any frame at any time, without the ``lerobot`` package."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from eval.datasets.extra import need_pyarrow
from eval.datasets.features import Feature
from eval.datasets.images import VideoReader
from eval.datasets.parquet_files import read_parquet, read_rows
from eval.errors import UserError, did_you_mean
from eval.nouns import counted

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v3.0"
PICTURES = ("video", "image")
INFO_FILE = "meta/info.json"
MOST_NAMED = 3
"""Datasets that a message names."""


class DatasetInfo(BaseModel):
    """``meta/info.json``; what is not read here is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    codebase_version: str
    fps: int
    features: dict[str, Feature]
    total_episodes: int
    total_frames: int
    data_path: str
    video_path: str | None = None
    robot_type: str | None = None


class _Version(BaseModel):
    codebase_version: str


@dataclass(frozen=True)
class Frame:
    """One moment of an episode."""

    episode: int
    step: int
    task: str
    images: Mapping[str, NDArray[np.uint8]]
    """(H, W, 3) RGB by feature."""
    values: Mapping[str, NDArray[np.generic]]
    """(n,) by feature, in its own type."""


@dataclass(frozen=True)
class EpisodeFrames:
    """Where the frames of an episode are."""

    number: int
    begin: int
    end: int
    tasks: tuple[str, ...]
    row: Mapping[str, Any]
    """All that ``meta/episodes`` says of it, but its statistics."""

    def __len__(self) -> int:
        return self.end - self.begin


class LeRobotReader:
    """A dataset on this machine. Not for several threads at once: every process or thread opens its own.

    Args:
        root: folder of the dataset.
        decode: features whose images are decoded; None: all.

    Raises:
        UserError: it is none, of another version, or incomplete, or has no such images.
    """

    def __init__(self, root: Path, decode: Sequence[str] | None = None) -> None:
        self.root = root
        find_dataset(root)
        self.info = _info(root)
        self.cameras = tuple(name for name, feature in self.info.features.items() if feature.dtype in PICTURES)
        """Features that are images."""
        for name in decode or ():
            if name not in self.cameras:
                raise UserError(f'{root} has no camera "{name}".{did_you_mean(name, self.cameras) if self.cameras else ""}')
        need_pyarrow("Reading a LeRobot dataset")
        self._decoded = frozenset(self.cameras if decode is None else decode)
        self.episodes = tuple(self._episodes())
        self._tasks = self._task_texts()
        self._videos = VideoReader()
        self._table: tuple[str, int, pa.Table] | None = None
        if len(self) != self.info.total_frames:
            said = self.info.total_frames
            raise UserError(
                f"{root} holds {counted(len(self), 'frame')} where {INFO_FILE} says {said}; fetch or write it anew."
            )

    def __len__(self) -> int:
        return self.episodes[-1].end if self.episodes else 0

    def __getitem__(self, index: int) -> Frame:
        """A frame by its number in the dataset. Raises IndexError beyond the last one, UserError if it cannot be decoded."""
        if not -len(self) <= index < len(self):
            raise IndexError(f"frame {index} of {len(self)}")
        index %= len(self)
        ends = [episode.end for episode in self.episodes]
        return self._frame(self.episodes[int(np.searchsorted(ends, index, side="right"))], index)

    def frames(self, number: int) -> Iterator[Frame]:
        """Those of an episode, in order."""
        episode = self.episodes[number]
        return (self._frame(episode, index) for index in range(episode.begin, episode.end))

    def values(self, number: int, feature: str) -> NDArray[np.generic]:
        """(T, n) a feature of an episode that is not an image, in its own type; (T,) where it is one number.

        Raises UserError if it is not there, or of another form than ``meta/info.json`` says.
        """
        rows = self._rows(self.episodes[number])
        if feature not in rows.column_names:
            raise UserError(f"{self.root} has no {feature}, which {INFO_FILE} names; fetch or write it anew.")
        return self._array(rows[feature].to_pylist(), feature, number, len(rows))

    def _array(self, values: object, feature: str, number: int, *steps: int) -> NDArray[np.generic]:
        """Values of an episode, of so many steps each, as an array."""
        wanted = self.info.features[feature]
        try:
            array: NDArray[np.generic] = np.array(values, wanted.dtype)
        except (ValueError, TypeError) as error:
            raise self._malformed(feature, number) from error
        if array.size != math.prod((*steps, *wanted.shape)):
            raise self._malformed(feature, number)
        return array

    def _malformed(self, feature: str, number: int) -> UserError:
        shape = list(self.info.features[feature].shape)
        return UserError(
            f"{self.root}: {feature} of episode {number} is not of shape {shape} at every step, as {INFO_FILE} says; fetch or "
            "write it anew."
        )

    # ---- frames ------------------------------------------------------------------------------------------------------

    def _frame(self, episode: EpisodeFrames, index: int) -> Frame:
        rows, step = self._rows(episode), index - episode.begin
        row = rows.slice(step, 1).to_pylist()[0]
        images, values = {}, {}
        for name, feature in self.info.features.items():
            if feature.dtype in PICTURES and name not in self._decoded:
                continue
            if feature.dtype == "video":
                images[name] = self._video_frame(episode, name, float(row["timestamp"]))
            elif feature.dtype == "image":
                images[name] = _decoded(row[name], self.root, index)
            elif feature.dtype != "string" and name in row:
                values[name] = np.atleast_1d(self._array(row[name], name, episode.number))
        if (task := row.get("task_index")) not in self._tasks:
            raise UserError(f"{self.root}: episode {episode.number} is of task {task}, which meta/tasks.parquet does not name.")
        return Frame(episode.number, step, self._tasks[task], images, values)

    def _video_frame(self, episode: EpisodeFrames, name: str, timestamp: float) -> NDArray[np.uint8]:
        assert self.info.video_path is not None
        at = f"videos/{name}/"
        place = {key: episode.row[at + key] for key in ("chunk_index", "file_index")}
        path = self.root / self.info.video_path.format(video_key=name, **place)
        return self._videos.frame(str(path), round((episode.row[f"{at}from_timestamp"] + timestamp) * self.info.fps))

    def _rows(self, episode: EpisodeFrames) -> pa.Table:
        """The rows of an episode; those of the last one stay in memory."""
        place = {key: episode.row[f"data/{key}"] for key in ("chunk_index", "file_index")}
        path = str(self.root / self.info.data_path.format(**place))
        if self._table is None or self._table[:2] != (path, episode.number):
            with damage(path):
                table = read_rows(path, "episode_index", episode.number)
            if len(table) != len(episode):
                raise UserError(
                    f"{path} holds {len(table)} of the {counted(len(episode), 'frame')} of episode {episode.number}."
                )
            self._table = path, episode.number, table
        return self._table[2]

    # ---- meta --------------------------------------------------------------------------------------------------------

    def _episodes(self) -> Iterator[EpisodeFrames]:
        import pyarrow.parquet as pq

        for path in sorted((self.root / "meta/episodes").glob("*/*.parquet")):
            with damage(path):
                names = [name for name in pq.read_schema(path).names if not name.startswith("stats/")]
                rows = read_parquet(path, names).to_pylist()
            for row in rows:
                begin, end = row["dataset_from_index"], row["dataset_to_index"]
                yield EpisodeFrames(row["episode_index"], begin, end, tuple(row["tasks"]), row)

    def _task_texts(self) -> dict[int, str]:
        path = self.root / "meta/tasks.parquet"
        with damage(path):
            table = read_parquet(path).to_pandas(use_threads=False)
        texts = table.get("task", table.index)
        return {int(number): str(text) for text, number in zip(texts, table["task_index"], strict=True)}


@contextlib.contextmanager
def damage(path: Path | str) -> Iterator[None]:
    """Turns what is wrong with a file of a dataset into one line."""
    import pyarrow as pa

    try:
        yield
    except (OSError, pa.ArrowException, KeyError, json.JSONDecodeError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path | str, error: Exception) -> UserError:
    text = " ".join(str(error).split())[:200]
    return UserError(f"{path} of the dataset cannot be read ({type(error).__name__}: {text}).")


def find_dataset(root: Path) -> None:
    """Raises UserError if a folder holds no dataset, and says where one lies below it."""
    if not (root / INFO_FILE).is_file():
        raise UserError(f"{root} is no LeRobot dataset: it holds no {INFO_FILE}.{_below(root)}")


def _info(root: Path) -> DatasetInfo:
    path = root / INFO_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _damaged(path, error) from error
    try:
        version = _Version.model_validate_json(content).codebase_version
        if version == VERSION:
            return DatasetInfo.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise UserError(f"{path} is damaged, {where}: {first['msg']}.") from error
    raise UserError(
        f"{root} is a dataset of layout {version}, and {VERSION} is read; lerobot's own converter brings older ones up to it."
    )


def _below(root: Path) -> str:
    """Which datasets were meant by who gives the folder of a run, or the one in which its datasets lie."""
    found = sorted(
        path.parent.parent for pattern in (f"*/{INFO_FILE}", f"dataset/*/{INFO_FILE}") for path in root.glob(pattern)
    )
    meant = [str(path) for path in found if not path.name.startswith(".")]
    return f" Below it lies: {', '.join(meant[:MOST_NAMED])}" if meant else ""


def _decoded(content: Mapping[str, Any], root: Path, index: int) -> NDArray[np.uint8]:
    """An image that is stored by itself, as PNG or JPEG."""
    import cv2

    data = content.get("bytes")
    image = None if not data else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{root}: the image of frame {index} cannot be decoded.")
    rgb: NDArray[np.uint8] = np.ascontiguousarray(image[..., ::-1])
    return rgb
