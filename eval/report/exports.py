"""The results of runs as files that other programs read: CSV, Markdown, LaTeX, Parquet and LeRobot datasets."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Literal, get_args

from eval.datasets.extra import need_pyarrow
from eval.datasets.writer import write_datasets
from eval.errors import UserError, did_you_mean
from eval.records.episodes_table import FILE, SCHEMA_FILE, episodes_table, write_parquet
from eval.records.escaping import csv_of
from eval.records.folder import RunData
from eval.records.merging import merge_groups
from eval.records.side_by_side import side_by_side
from eval.records.tables import tables_of, write_files

Format = Literal["csv", "md", "latex", "parquet", "lerobot"]
FORMATS: tuple[Format, ...] = get_args(Format)
SUFFIXES: dict[str, str] = {"csv": ".csv", "md": ".md", "latex": ".tex"}
"""Of the files that are tables of results."""


def formats_of(words: Collection[str]) -> list[Format]:
    """``["csv,md", "latex"]`` -> the formats, each once. Raises UserError for a word that is none."""
    given = [word.strip() for text in words for word in text.split(",")]
    for word in given:
        if word not in FORMATS:
            near = did_you_mean(word, FORMATS).removesuffix(f" Known: {', '.join(sorted(FORMATS))}.")
            raise UserError(f'--to "{word}" is not known; use {", ".join(FORMATS)}.{near}')
    return [name for name in FORMATS if name in given]


def export(
    runs: Sequence[RunData], formats: Collection[Format], out: Path, partial: bool = False, only_successes: bool = False
) -> list[Path]:
    """Write what runs found.

    Args:
        runs: as :func:`eval.records.merging.read_runs` gives them. Those that belong together are counted as one.
        formats: ``csv``: ``summary.csv``, ``cells.csv`` and ``episodes.csv``; ``md``: ``summary.md``, ``cells.md``; ``latex``:
            ``summary.tex``, ``cells.tex`` (booktabs); ``parquet``: ``episodes.parquet`` and its schema; ``lerobot``: a dataset
            a robot, of one run that was played with ``--record``. ``cells`` are written where the runs have published cells.
        out: folder; made if there is none.
        partial: give totals a rate although episodes are missing or errored.
        only_successes: of the datasets: leave out episodes that failed.

    Returns:
        What was written.

    Raises:
        UserError: runs that do not belong together, a package that is missing, nothing recorded, a disk that refuses.
    """
    if partial and not {*SUFFIXES} & {*formats}:
        raise UserError("--partial has no effect without --to csv, md or latex: only their tables have totals; leave it out.")
    if "lerobot" in formats and len(runs) > 1:
        raise UserError(
            "--to lerobot makes the datasets of one run; name one run, and merge datasets with lerobot's own tools."
        )
    merged = [row.data for _, row in merge_groups(runs, partial)]
    if "parquet" in formats:
        need_pyarrow("episodes.parquet")
    written: list[Path] = []
    if "lerobot" in formats:  # first: it is what may be impossible
        written += [dataset.path for dataset in write_datasets(runs[0], out, only_successes)]
    files = tables_of(merged[0], partial).files() if len(merged) == 1 else side_by_side(merged, partial).files()
    suffixes = {SUFFIXES[name] for name in formats if name in SUFFIXES}
    files = {name: text for name, text in files.items() if Path(name).suffix in suffixes}
    table = episodes_table(merged) if {"csv", "parquet"} & set(formats) else None
    if table is not None and "csv" in formats:
        files["episodes.csv"] = csv_of(table)
    write_files(out, files)
    written += [out / name for name in files]
    if table is not None and "parquet" in formats:
        write_parquet(table, out)
        written += [out / FILE, out / SCHEMA_FILE]
    return written
