"""The files of one LeRobot dataset, layout v3.0.

The layout: ``meta/info.json``, ``meta/stats.json``, ``meta/tasks.parquet``, ``meta/episodes/chunk-000/file-000.parquet``,
``data/chunk-000/file-000.parquet`` (many episodes a file, a row group each) and ``videos/<key>/chunk-000/file-000.mp4``, one
file an episode, which is the staged one itself (a hard link). ``simulator/frames.parquet`` is not of the layout: what no robot
feels.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from eval.datasets import statistics
from eval.datasets.features import ACTION, EXECUTED, ROBOTS, STATE, features_of
from eval.datasets.images import video_info
from eval.datasets.origin import DatasetOrigin, write_origin
from eval.datasets.parquet_files import TableFile, write_parquet
from eval.datasets.reader import INFO_FILE, VERSION
from eval.datasets.staging import SIMULATOR_COLUMNS, StagedEpisode, Staging
from eval.nouns import counted
from eval.plan.leakage import leakage_of
from eval.records.escaping import plain_markdown
from eval.records.folder import RunData
from eval.records.options import Keep
from eval.records.titles import title

if TYPE_CHECKING:
    import pyarrow as pa

CHUNK = 1000
"""Files of a folder."""
DATA_BYTES, VIDEO_MB = 100 * 2**20, 200
DATA_PATH = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO_PATH = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES_PATH = "meta/episodes/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
SIMULATOR_FILE = "simulator/frames.parquet"


@dataclass
class _Files:
    """Counts the files of a kind: ``chunk-000/file-000`` and so on."""

    number: int = 0
    full: int = 0
    """Bytes in the present one."""

    @property
    def place(self) -> dict[str, int]:
        return {"chunk_index": self.number // CHUNK, "file_index": self.number % CHUNK}


@dataclass
class _Row:
    """What ``meta/episodes`` says of an episode."""

    values: dict[str, object]
    numbers: dict[str, statistics.Numbers] = field(default_factory=dict)


class DatasetFiles:
    """Writes recorded episodes of a run, of which each has the same columns."""

    def __init__(self, run: RunData, staging: Staging, keep: Keep) -> None:
        self._run, self._staging, self._kept = run, staging, keep

    def write(self, root: Path, episodes: Sequence[StagedEpisode]) -> int:
        """All files of one dataset; returns the number of its frames."""
        first = episodes[0]
        self._image = ROBOTS[first.robot].image
        self._tasks: dict[str, int] = {}
        rows = list(self._data(root, episodes))
        self._videos(root, episodes, rows)
        self._episodes(root, rows)
        frames = sum(episode.steps for episode in episodes)
        info = {
            "codebase_version": VERSION,
            "robot_type": first.robot,
            "total_episodes": len(episodes),
            "total_frames": frames,
            "total_tasks": len(self._tasks),
            "chunks_size": CHUNK,
            "data_files_size_in_mb": DATA_BYTES // 2**20,
            "video_files_size_in_mb": VIDEO_MB,
            "fps": first.fps,
            "splits": {"train": f"0:{len(episodes)}"},
            "data_path": DATA_PATH,
            "video_path": VIDEO_PATH,
            "features": {
                name: feature.model_dump(mode="json")
                for name, feature in features_of(
                    first.robot, first.height, first.width,
                    video_info(first.codec, first.height, first.width, first.fps), first.executed,
                ).items()
            },
        }  # fmt: skip
        (root / INFO_FILE).write_text(json.dumps(info, indent=4))
        names = dict.fromkeys(name for row in rows for name in row.numbers)
        whole = {name: statistics.plain(statistics.pooled([row.numbers[name] for row in rows])) for name in names}
        (root / "meta/stats.json").write_text(json.dumps(whole, indent=4))
        self._write_tasks(root / "meta/tasks.parquet")
        origin = self._origin(episodes)
        write_origin(root, origin)
        (root / "README.md").write_text(_card(self._run, episodes, frames, origin))
        return frames

    def _origin(self, episodes: Sequence[StagedEpisode]) -> DatasetOrigin:
        held = {episode.id for episode in episodes}
        specs = [spec for spec in self._run.plan if spec.id in held]
        leakage = leakage_of(specs)
        return DatasetOrigin(
            title=title(self._run.header, self._run.plan),
            policy=self._run.header.identity.policy.model_dump(mode="json"),
            placements=tuple(dict.fromkeys(spec.placements for spec in specs)),
            nearest_published=leakage.nearest if math.isfinite(leakage.nearest) else None,
            test_placements=leakage.any,
            keep=self._kept,
        )

    # ---- frames ------------------------------------------------------------------------------------------------------

    def _data(self, root: Path, episodes: Sequence[StagedEpisode]) -> Iterator[_Row]:
        files, begin = _Files(), 0
        writer: TableFile | None = None
        with contextlib.ExitStack() as open_files:
            simulator: TableFile | None = None
            for number, episode in enumerate(episodes):
                staged = self._staging.table(episode.key)
                tasks = staged["task"].to_pylist()
                table = self._indexed(staged, episode, number, begin)
                if writer is not None and files.full >= DATA_BYTES:
                    writer.close()
                    writer, files.number, files.full = None, files.number + 1, 0
                writer = writer or open_files.enter_context(TableFile(root / DATA_PATH.format(**files.place), table.schema))
                writer.write(table)
                aside = staged.select(list(SIMULATOR_COLUMNS))
                for name in ("index", "frame_index", "episode_index"):
                    aside = aside.add_column(0, name, table[name])
                simulator = simulator or open_files.enter_context(TableFile(root / SIMULATOR_FILE, aside.schema))
                simulator.write(aside)
                files.full += table.nbytes
                yield _Row(self._row(episode, number, begin, tasks, files), self._numbers(table, episode))
                begin += episode.steps

    def _indexed(self, staged: pa.Table, episode: StagedEpisode, number: int, begin: int) -> pa.Table:
        """The columns of ``data/``: features but the images."""
        import pyarrow as pa

        steps = np.arange(episode.steps)
        tasks = [self._tasks.setdefault(task, len(self._tasks)) for task in staged["task"].to_pylist()]
        table = staged.drop_columns(["task", *SIMULATOR_COLUMNS]).replace_schema_metadata(None)
        columns: dict[str, pa.Array] = {
            "timestamp": pa.array((steps / episode.fps).astype(np.float32)),
            "frame_index": pa.array(steps, pa.int64()),
            "episode_index": pa.array(np.full(len(steps), number), pa.int64()),
            "index": pa.array(begin + steps, pa.int64()),
            "task_index": pa.array(tasks, pa.int64()),
        }
        for name, values in columns.items():
            table = table.append_column(name, values)
        return table

    def _numbers(self, table: pa.Table, episode: StagedEpisode) -> dict[str, statistics.Numbers]:
        numbers = {name: statistics.of_values(_values(table, name)) for name in table.column_names}
        images = {name: np.array(value, np.float64) for name, value in episode.image_statistics.items()}
        return {self._image: images, **numbers}

    def _row(self, episode: StagedEpisode, number: int, begin: int, tasks: Sequence[str], files: _Files) -> dict[str, object]:
        record, header = self._run.records[episode.key], self._run.header
        return {
            "episode_index": number,
            "tasks": list(dict.fromkeys(tasks)),
            "length": episode.steps,
            **{f"data/{name}": value for name, value in files.place.items()},
            "dataset_from_index": begin,
            "dataset_to_index": begin + episode.steps,
            **{f"meta/episodes/{name}": 0 for name in files.place},
            "success": episode.success,
            "simpler_eval/id": episode.id,
            "simpler_eval/repeat": episode.repeat,
            "simpler_eval/task": record.task,
            "simpler_eval/setting": record.setting,
            "simpler_eval/variant": record.variant,
            "simpler_eval/seed": episode.seed,
            "simpler_eval/policy": header.identity.policy.name,
            "simpler_eval/weights": header.identity.policy.weights,
            "simpler_eval/world": header.identity.world.name,
        }

    def _videos(self, root: Path, episodes: Sequence[StagedEpisode], rows: Sequence[_Row]) -> None:
        files = _Files()
        for episode, row in zip(episodes, rows, strict=True):
            path = root / VIDEO_PATH.format(video_key=self._image, **files.place)
            linked(self._staging.video(episode.key), path)
            times = {"from_timestamp": 0.0, "to_timestamp": episode.steps / episode.fps}
            row.values |= {f"videos/{self._image}/{name}": value for name, value in {**files.place, **times}.items()}
            files.number += 1

    # ---- meta --------------------------------------------------------------------------------------------------------

    def _episodes(self, root: Path, rows: Sequence[_Row]) -> None:
        import pyarrow as pa

        flat = [
            row.values
            | {
                f"stats/{name}/{kind}": value
                for name, numbers in row.numbers.items()
                for kind, value in statistics.plain(numbers).items()
            }
            for row in rows
        ]
        table = pa.Table.from_pylist(flat)
        for name in ("simpler_eval/weights",):  # a column of nothing has no type of its own
            table = table.set_column(table.column_names.index(name), name, table[name].cast(pa.string()))
        write_parquet(root / EPISODES_PATH.format(chunk_index=0, file_index=0), table)

    def _write_tasks(self, path: Path) -> None:
        import pandas as pd

        index = pd.Index(list(self._tasks), name="task")
        content = pd.DataFrame({"task_index": list(self._tasks.values())}, index=index)
        path.write_bytes(content.to_parquet(None))


def _values(table: pa.Table, name: str) -> NDArray[np.generic]:
    """(T, n) or (T,)."""
    column = table[name].combine_chunks()
    if name in (STATE, ACTION, EXECUTED):
        flat: NDArray[np.generic] = column.flatten().to_numpy()
        return flat.reshape(len(column), -1)
    plain: NDArray[np.generic] = column.to_numpy(zero_copy_only=False)
    return plain


def linked(source: Path, target: Path) -> None:
    """Put a file, which is changed by nobody, into a dataset, too; one that is there is replaced."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk
        shutil.copyfile(source, target)


def _card(run: RunData, episodes: Iterable[StagedEpisode], frames: int, origin: DatasetOrigin) -> str:
    """``README.md`` of a dataset, with the words that every table of the run has to say."""
    listed = list(episodes)
    good = sum(episode.success for episode in listed)
    head: Mapping[str, object] = {
        "task_categories": ["robotics"],
        "tags": ["LeRobot", "SIMPLER", "simulation"],
        "configs": [{"config_name": "default", "data_files": "data/*/*.parquet"}],
    }
    lines = [
        "---",
        *(f"{name}: {json.dumps(value)}" for name, value in head.items()),
        "---",
        "",
        f"# Rollouts of {plain_markdown(title(run.header, run.plan))}",
        "",
        f"{counted(len(listed), 'episode')} ({counted(good, 'success', 'successes')}), "
        f"{counted(frames, 'frame')} of {listed[0].robot} in simulation.",
        f"`action` is what {'the expert would do' if listed[0].executed else 'was commanded'}: translation [m] and rotation",
        "vector [rad] in the frame of the robot's base, and the gripper (WidowX: +1 open, -1 closed; Google",
        "Robot: +1 closes, -1 opens). `simulator/` holds what no robot feels.",
    ]
    if listed[0].executed:
        lines += ["`executed_action` is what was commanded instead."]
    if origin.test_placements:
        lines += ["", "TEST PLACEMENTS: policies are tested on initial states of these episodes; train on none of them."]
    return "\n".join(lines) + "\n"
