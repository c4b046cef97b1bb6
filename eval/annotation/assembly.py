"""From a dataset and the traces of its episodes to a dataset that has them; the first one stays as it is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from eval.annotation.episodes import Drawings, DrawnEpisode, Subject
from eval.datasets import statistics
from eval.datasets.damage import damage
from eval.datasets.dataset_files import VIDEO_PATH, linked
from eval.datasets.features import HAS_TRACE, TRACE_SIDE, Feature, trace_key
from eval.datasets.images import video_info
from eval.datasets.origin import ORIGIN_FILE, DatasetOrigin, TraceOrigin, read_origin, write_origin
from eval.datasets.parquet_files import TableFile, read_parquet, write_parquet
from eval.datasets.reader import INFO_FILE, LeRobotReader, files_below

if TYPE_CHECKING:
    import pyarrow as pa

_OfEpisode = Mapping[str, statistics.Numbers]
"""What is known of the new features of an episode."""
STATS_FILE = "meta/stats.json"
MADE_HERE = (INFO_FILE, STATS_FILE, ORIGIN_FILE, "README.md")
"""What is not taken over from the dataset as it is, beside ``data/`` and ``meta/episodes/``."""


def assemble(subject: Subject, reader: LeRobotReader, drawings: Drawings, part: Path, origin: TraceOrigin) -> None:
    """Complete the folder ``part`` in which all episodes are drawn. May be begun again. Raises OSError."""
    key = trace_key(subject.camera)
    drawn = [drawings.read(episode.number) for episode in reader.episodes]
    numbers = [_numbers(each, key) for each in drawn]
    for path in files_below(subject.source):
        name = path.relative_to(subject.source)
        kept = str(name) not in MADE_HERE and name.parts[0] != "data" and name.parts[:2] != ("meta", "episodes")
        if kept and not any(folder.startswith(".") for folder in name.parts):
            linked(path, part / name)
    for path in files_below(subject.source / "data", ".parquet"):
        _data(path, part / path.relative_to(subject.source), drawn)
    for path in files_below(subject.source / "meta/episodes", ".parquet"):
        _episodes(path, part / path.relative_to(subject.source), reader, drawings, numbers, key)
    _statistics(subject.source, part, numbers)
    before = read_origin(subject.source) or DatasetOrigin()
    write_origin(part, before.model_copy(update={"traces": origin}))
    _card(subject.source, part, key, origin)
    _info(subject.source, part, key, reader.info.fps)


def check_source(reader: LeRobotReader) -> None:
    """What assembling would only find when all is drawn. Raises UserError."""
    source, lengths = reader.root, [len(episode) for episode in reader.episodes]
    read_origin(source)
    _known_statistics(source)
    for path in files_below(source / "data", ".parquet"):
        with damage(path):
            table = read_parquet(path, ["episode_index", "frame_index"])
            _metadata(table.schema.metadata)
            _places(table, lengths)


def _places(table: pa.Table, lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Episode and step of each row. Raises ValueError for one that there is not, KeyError if the table does not say."""
    columns = (map(int, table[name].to_pylist()) for name in ("episode_index", "frame_index"))
    places = list(zip(*columns, strict=True))
    for episode, step in places:
        if not (0 <= episode < len(lengths) and 0 <= step < lengths[episode]):
            raise ValueError(f"it holds frame {step} of episode {episode}, which there is not")
    return places


def _data(source: Path, target: Path, drawn: Sequence[DrawnEpisode]) -> None:
    """The same rows with the column ``has_trace``."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    target.parent.mkdir(parents=True, exist_ok=True)
    lengths = [len(episode.has_trace) for episode in drawn]
    with damage(source):
        file = pq.ParquetFile(source, pre_buffer=False)
        schema = file.schema_arrow.append(pa.field(HAS_TRACE, pa.bool_()))
        schema = schema.with_metadata(_metadata(file.schema_arrow.metadata))
    with TableFile(target, schema) as writer:
        for group in range(file.num_row_groups):
            with damage(source):
                table = file.read_row_group(group, use_threads=False)
                values = [drawn[episode].has_trace[step] for episode, step in _places(table, lengths)]
                table = table.append_column(HAS_TRACE, pa.array(values, pa.bool_())).cast(schema)
            writer.write(table)


def _metadata(metadata: Mapping[bytes, bytes] | None) -> dict[bytes, bytes]:
    """What the ``datasets`` library wrote of the columns knows of the new one, too."""
    known = dict(metadata or {})
    if b"huggingface" in known:
        said = json.loads(known[b"huggingface"])
        said.get("info", {}).get("features", {})[HAS_TRACE] = {"dtype": "bool", "_type": "Value"}
        known[b"huggingface"] = json.dumps(said).encode()
    return known


def _episodes(
    source: Path, target: Path, reader: LeRobotReader, drawings: Drawings, numbers: Sequence[_OfEpisode], key: str
) -> None:
    import pyarrow as pa

    with damage(source):
        table: pa.Table = read_parquet(source)
    added = []
    for number in table["episode_index"].to_pylist():
        row: dict[str, object] = {
            **{f"videos/{key}/{name}": value for name, value in drawings.place(number).items()},
            f"videos/{key}/from_timestamp": 0.0,
            f"videos/{key}/to_timestamp": len(reader.episodes[number]) / reader.info.fps,
        }
        for name, kinds in numbers[number].items():
            row |= {f"stats/{name}/{kind}": value for kind, value in statistics.plain(kinds).items()}
        added.append(row)
    columns = pa.Table.from_pylist(added)
    for name in columns.column_names:
        table = table.append_column(name, columns[name])
    target.parent.mkdir(parents=True, exist_ok=True)
    write_parquet(target, table.replace_schema_metadata(None))


def _numbers(drawn: DrawnEpisode, key: str) -> _OfEpisode:
    images = {name: np.array(value, np.float64) for name, value in drawn.image_statistics.items()}
    return {key: images, HAS_TRACE: statistics.of_values(np.array(drawn.has_trace))}


def _known_statistics(source: Path) -> dict[str, object]:
    path = source / STATS_FILE
    with damage(path):
        known = json.loads(path.read_text()) if path.is_file() else {}
        if not isinstance(known, dict):
            raise TypeError("it holds no JSON object")
    return known


def _statistics(source: Path, part: Path, numbers: Sequence[_OfEpisode]) -> None:
    known = _known_statistics(source)
    known |= {name: statistics.plain(statistics.pooled([each[name] for each in numbers])) for name in numbers[0]}
    (part / STATS_FILE).write_text(json.dumps(known, indent=4))


def _info(source: Path, part: Path, key: str, fps: float) -> None:
    info = json.loads((source / INFO_FILE).read_text())
    info["video_path"] = info.get("video_path") or VIDEO_PATH
    image = {
        "dtype": "video",
        "shape": (TRACE_SIDE, TRACE_SIDE, 3),
        "names": ["height", "width", "channels"],
        "info": video_info("lossless", TRACE_SIDE, TRACE_SIDE, fps),
    }
    for name, feature in ((key, Feature.model_validate(image)), (HAS_TRACE, Feature(dtype="bool", shape=(1,)))):
        info["features"][name] = feature.model_dump(mode="json")
    (part / INFO_FILE).write_text(json.dumps(info, indent=4))


def _card(source: Path, part: Path, key: str, origin: TraceOrigin) -> None:
    path = source / "README.md"
    text = path.read_bytes() if path.is_file() else b""
    by = "CoTracker" if origin.tracker == "cotracker" else f"{origin.tracker} (optical flow, not CoTracker)"
    added = (
        f"\n`{key}` holds the same images at {TRACE_SIDE} x {TRACE_SIDE} with visual traces, where `{HAS_TRACE}`; they were\n"
        f"drawn on the images of this dataset by {by}, preset {origin.preset}.\n"
    )
    (part / "README.md").write_bytes(text + added.encode())
