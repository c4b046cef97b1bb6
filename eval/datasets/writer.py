"""Puts the episodes of a run together as LeRobot datasets, one for each robot (:mod:`eval.datasets.dataset_files`)."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.datasets.dataset_files import DatasetFiles
from eval.datasets.extra import need_pyarrow
from eval.datasets.reader import INFO_FILE, LeRobotReader
from eval.datasets.staging import STAGING, StagedEpisode, Staging
from eval.errors import UserError
from eval.records.folder import RunData, disk_errors
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import turns_of

NAMED = re.compile(r"(google_robot|widowx)(-\d+fps-\d+x\d+-(lossy|lossless)(-relabelled)?)?")
"""What datasets of a run are called."""
FOLDER = "dataset"
"""Of a run, for its datasets and what waits to be one."""


@dataclass(frozen=True)
class Dataset:
    """A dataset that was written."""

    path: Path
    episodes: int
    frames: int


def write_datasets(run: RunData, folder: Path | None = None, only_successes: bool = False) -> list[Dataset]:
    """Write the recorded episodes of a run, in the order of its plan, whichever ended first.

    Args:
        run: that was played with ``--record``.
        folder: where the datasets are put, a subfolder a robot; None: ``dataset/`` of the run. One that is there is replaced.
        only_successes: leave out episodes that failed.

    Raises:
        UserError: nothing is recorded, ``pyarrow`` is missing, or the disk refuses.
    """
    staging = Staging(run.path / FOLDER / STAGING)
    if not any(staging.folder.glob("*.parquet")):
        raise UserError(f"{run.path} holds no recorded episode{_why_none(run, staging, only_successes)}.")
    need_pyarrow("A LeRobot dataset")
    groups = _groups(run, staging, only_successes)
    if not groups:
        raise UserError(f"{run.path} holds no recorded episode{_why_none(run, staging, only_successes)}.")
    out = folder or run.path / FOLDER
    with disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        writer = DatasetFiles(run, staging, "successes" if only_successes else "all")
        datasets = [_replace(out / name, writer, episodes) for name, episodes in groups.items()]
        if folder is None:
            _remove_former(out, groups.keys())
        return datasets


def _remove_former(folder: Path, names: Collection[str]) -> None:
    """Datasets of a run that now stand there under other names, as a second kind of episodes came to the first."""
    for root in folder.iterdir():
        if NAMED.fullmatch(root.name) and root.name not in names and (root / INFO_FILE).is_file():
            shutil.rmtree(root, ignore_errors=True)


def datasets_of(run: Path) -> list[Dataset]:
    """Those that the folder of a run holds. Raises UserError if one cannot be read."""
    roots = sorted(path.parent.parent for path in (run / FOLDER).glob(f"*/{INFO_FILE}"))
    readers = [LeRobotReader(root) for root in roots if not root.name.startswith(".")]
    return [Dataset(reader.root, len(reader.episodes), len(reader)) for reader in readers]


def recorded(run: RunData) -> set[RecordKey]:
    """The results of a run of which frames are kept."""
    staging = Staging(run.path / FOLDER / STAGING)
    return {key for key, record in run.records.items() if _matches(staging.episode(key), record)}


def _matches(episode: StagedEpisode | None, record: EpisodeRecord) -> bool:
    """Whether what waits is the try that the run counts."""
    return (
        episode is not None
        and record.status != "errored"
        and (episode.steps, episode.success) == (record.steps, record.success_last)
    )


def _why_none(run: RunData, staging: Staging, only_successes: bool) -> str:
    if only_successes and _groups(run, staging, only_successes=False):
        return " that succeeded"
    if not any(staging.folder.glob("*.parquet")):
        return "; a dataset is made of a run that was played with --record lerobot"
    if not run.records:
        return f" with a result yet, only frames in {staging.folder}; simpler-eval run --resume {run.path} goes on"
    return f": what lies in {staging.folder} is damaged, or of episodes that were played again without --record"


def _groups(run: RunData, staging: Staging, only_successes: bool) -> dict[str, list[StagedEpisode]]:
    """Name of a dataset -> its episodes: those of a dataset have the same robot, rate, image size and columns."""
    found: dict[tuple[Any, ...], list[StagedEpisode]] = {}
    for turn in turns_of(run.plan, run.header.repeats):
        record = run.records.get(turn.key)
        episode = None if record is None else staging.episode(turn.key)
        if record is None or episode is None or not _matches(episode, record) or (only_successes and not episode.success):
            continue
        kind = (episode.robot, episode.fps, episode.height, episode.width, episode.codec, episode.executed)
        found.setdefault(kind, []).append(episode)
    names: dict[str, list[StagedEpisode]] = {}
    for kind, episodes in found.items():
        robot, fps, height, width, codec, executed = kind
        alone = sum(other[0] == robot for other in found) == 1
        name = robot if alone else f"{robot}-{fps}fps-{width}x{height}-{codec}{'-relabelled' if executed else ''}"
        names[name] = episodes
    return names


def _replace(path: Path, writer: DatasetFiles, episodes: Sequence[StagedEpisode]) -> Dataset:
    """Write a dataset beside its place, then put it there."""
    if path.exists() and not (path / INFO_FILE).is_file():
        raise UserError(f"{path} exists and is no dataset; choose another --out.")
    part = path.with_name(f".{path.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        frames = writer.write(part, episodes)
        if path.exists():
            old = path.with_name(f".{path.name}.old")
            shutil.rmtree(old, ignore_errors=True)
            path.rename(old)
            part.rename(path)
            shutil.rmtree(old, ignore_errors=True)
        else:
            part.rename(path)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Dataset(path, len(episodes), frames)
