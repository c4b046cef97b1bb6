"""Reads datasets of the LeRobot layout v3.0, ours and others': any frame at any time, without the ``lerobot`` package."""

from __future__ import annotations

import bisect
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator, model_validator

from eval.datasets.damage import damage, damaged
from eval.datasets.episode_index import FOLDER as EPISODES
from eval.datasets.episode_index import EpisodeFrames, file_of, read_episodes
from eval.datasets.extra import need_pyarrow
from eval.datasets.features import Feature
from eval.datasets.images import VideoReader
from eval.datasets.parquet_files import RowsFile, read_parquet
from eval.errors import UserError, did_you_mean
from eval.nouns import counted

if TYPE_CHECKING:
    import pyarrow as pa

VERSION = "v3.0"
PICTURES = ("video", "image")
INFO_FILE = "meta/info.json"
FIRST: Mapping[str, Any] = {"video_key": "a", "chunk_index": 0, "file_index": 0}
SECOND: Mapping[str, Any] = {"video_key": "b", "chunk_index": 1, "file_index": 1}
"""Places of two files, which may not be the same one."""
MOST_NAMED = 3
"""Datasets that a message names."""


class DatasetInfo(BaseModel):
    """``meta/info.json``; what is not read here is kept as it is."""

    model_config = ConfigDict(frozen=True, extra="allow")

    codebase_version: str
    fps: int | Annotated[float, Field(allow_inf_nan=False)] = Field(gt=0)
    features: dict[str, Feature]
    total_episodes: int
    total_frames: int
    data_path: str
    video_path: str | None = None
    robot_type: str | None = None

    @field_validator("data_path", "video_path")
    @classmethod
    def _within(cls, template: str | None, field: ValidationInfo) -> str | None:
        """A path below the dataset, another one for each file."""
        places = ("chunk_index", "file_index", *(("video_key",) if field.field_name == "video_path" else ()))
        if template is not None:
            try:
                path = template.format(**FIRST)
                others = {template.format(**{**FIRST, name: SECOND[name]}) for name in places}
            except (LookupError, ValueError, AttributeError) as error:
                raise ValueError(f"{template!r} is no path with places for {', '.join(places)}") from error
            if len(others - {path}) < len(places):
                raise ValueError(f"{template!r} is no path with places for {', '.join(places)}")
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError(f"{template!r} leads out of the dataset")
        return template

    @model_validator(mode="after")
    def _has_its_images(self) -> DatasetInfo:
        videos = [name for name, feature in self.features.items() if feature.dtype == "video"]
        if videos and self.video_path is None:
            raise ValueError(f"it names no video_path, where the images {videos[0]} are")
        if away := [name for name in self.features if name.startswith("/") or ".." in name.split("/")]:
            raise ValueError(f"the feature {away[0]!r} leads out of the dataset")
        return self


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
        self.episodes = read_episodes(root)
        self._tasks = self._task_texts()
        self._videos = {camera: VideoReader() for camera in self.cameras}  # one for all would open files anew at every step
        self._data: tuple[str, RowsFile] | None = None
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
        return self._frame(self.episodes[bisect.bisect_right(self.episodes, index, key=lambda episode: episode.end)], index)

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

    def stored_image(self, number: int, camera: str) -> bytes | None:
        """The first image of an episode as the data files hold it, encoded; None: it is in a video, or there is none."""
        rows = self._rows(self.episodes[number])
        first = rows[camera][0].as_py() if camera in rows.column_names and len(rows) else None
        content = first.get("bytes") if isinstance(first, dict) else None
        return content if isinstance(content, bytes) else None

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
                images[name] = self._video_frame(episode, name, row.get("timestamp"))
            elif feature.dtype == "image":
                images[name] = _decoded(row.get(name), self.root, index)
            elif feature.dtype != "string" and name in row:
                values[name] = np.atleast_1d(self._array(row[name], name, episode.number))
        if (task := row.get("task_index")) not in self._tasks:
            raise UserError(f"{self.root}: episode {episode.number} is of task {task}, which meta/tasks.parquet does not name.")
        return Frame(episode.number, step, self._tasks[task], images, values)

    def _video_frame(self, episode: EpisodeFrames, name: str, timestamp: object) -> NDArray[np.uint8]:
        assert self.info.video_path is not None
        step = timestamp * self.info.fps if isinstance(timestamp, int | float) else math.nan
        if not -0.5 <= step < len(episode) - 0.5:  # its image would be another one's
            raise UserError(
                f"{self.root}: episode {episode.number} has {counted(len(episode), 'frame')}, {self.info.fps} a second, and "
                f"one of them at {timestamp} s; fetch or write it anew."
            )
        kind = f"videos/{name}"
        path = file_of(self.info.video_path, self.root, episode, kind, name)
        with damage(self.root / EPISODES):
            begin = float(episode.row[f"{kind}/from_timestamp"])
            number = round(begin * self.info.fps + step)
        return self._videos[name].frame(str(path), number)

    def _rows(self, episode: EpisodeFrames) -> pa.Table:
        """The rows of an episode; those of the last one stay in memory, and its file open."""
        path = str(file_of(self.info.data_path, self.root, episode, "data"))
        if self._table is None or self._table[:2] != (path, episode.number):
            with damage(path):
                if self._data is None or self._data[0] != path:
                    self._data = None  # what it holds in memory goes before the next one comes
                    self._data = path, RowsFile(path, "episode_index")
                table = self._data[1].rows(episode.number)
            if len(table) != len(episode):
                raise UserError(
                    f"{path} holds {len(table)} of the {counted(len(episode), 'frame')} of episode {episode.number}."
                )
            self._table = path, episode.number, table
        return self._table[2]

    def _task_texts(self) -> dict[int, str]:
        path = self.root / "meta/tasks.parquet"
        with damage(path):
            table = read_parquet(path).to_pandas(use_threads=False)
            texts = table.get("task", table.index)
            return {int(number): str(text) for text, number in zip(texts, table["task_index"], strict=True)}


def find_dataset(root: Path) -> None:
    """Raises UserError if a folder holds no dataset, and says where one lies below it."""
    if not (root / INFO_FILE).is_file():
        raise UserError(f"{root} is no LeRobot dataset: it holds no {INFO_FILE}.{_below(root)}")


def files_below(folder: Path, suffix: str = "") -> list[Path]:
    """All files below a folder of a dataset whose names end so, in order; whoever keeps videos on another disk has a link there
    in a folder's place, and it counts as the folder.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        real = Path(place).resolve()
        above = {real, *real.parents}
        folders[:] = [
            name for name in folders if Path(place, name).resolve() not in above
        ]  # a link to where it lies in has no end
        found += [Path(place, name) for name in names if name.endswith(suffix)]
    return sorted(path for path in found if path.is_file())


def _info(root: Path) -> DatasetInfo:
    path = root / INFO_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise damaged(path, error) from error
    try:
        version = _Version.model_validate_json(content).codebase_version
        if version == VERSION:
            return DatasetInfo.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "the whole file"
        raise UserError(f"{path} is damaged, {where}: {first['msg'].removeprefix('Value error, ')}.") from error
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


def _decoded(content: object, root: Path, index: int) -> NDArray[np.uint8]:
    """An image that is stored by itself, as PNG or JPEG."""
    import cv2

    data = content.get("bytes") if isinstance(content, Mapping) else None
    image = None if not data else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise UserError(f"{root}: the image of frame {index} cannot be decoded.")
    rgb: NDArray[np.uint8] = np.ascontiguousarray(image[..., ::-1])
    return rgb
