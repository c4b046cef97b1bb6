"""``simpler_eval.report``: run folders in, their tables and their page out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from eval.comparison.real_robot import RealRobot, rank
from eval.errors import UserError, did_you_mean
from eval.given import Text, Texts, absolute, text_of, texts_of
from eval.records.folder import RunData, know_tasks, refuse_folder_of_run
from eval.records.merging import judged, read_runs
from eval.records.side_by_side import SideBySide
from eval.report import FILE, FOLDER
from eval.report.answer import answer
from eval.report.entries import Entry, entries_of
from eval.report.layouts import LayoutName
from eval.report.page import write_page_of


@dataclass(frozen=True)
class Reported:
    """What a report is about, and where it lies."""

    entries: tuple[Entry, ...]
    """A row of the table each: runs that belong together are one."""
    partial: bool
    ranking: RealRobot | None
    """Several policies beside the real-robot table; None: it has none of them, or there is one policy alone."""
    tables: Path | None
    """Folder of the tables; None: several runs without ``out``, or the disk refused."""
    page: Path | None
    """None: no one folder is theirs, or the disk refused."""
    kept: bool = True
    """Whether the disk took what it was to hold of them."""

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer, a sentence an entry."""
        return tuple(answer(self.entries, running=False))

    @property
    def side_by_side(self) -> SideBySide:
        """Several entries as one table, of the numbers that the page has."""
        return _side_by_side(self.entries)


def report(
    *runs: Texts,
    out: Text | None = None,
    layout: LayoutName = "simpler",
    partial: bool = False,
    success: str | None = None,
    real: Texts | None = None,
) -> Reported:
    """Make the tables and the page of runs anew; works while they are running.

    Args:
        runs: folders of runs, or folders that hold some. Those that belong together (shards of a plan, different tasks of one
            policy) are counted as one.
        out: folder for the tables, and for a page with videos of its own in ``report/``; None: of one run its ``tables/`` and
            ``report/``, of several ``report/`` beside them if they lie in one folder.
        layout: whose columns the page has.
        partial: give totals a rate although episodes are missing or errored.
        success: ``last`` or ``any`` step counts; None: as the runs were counted.
        real: ``NAME=ROW`` of the real-robot table, or several (:func:`eval.comparison.real_robot.rank`).

    Returns:
        The entries with their tables (``entries[0].tables.summary`` is a DataFrame), and where the page lies.

    Warns:
        UserWarning: of episodes that several folders hold, which are counted once, and of what a disk that nobody named
            refuses.

    Raises:
        UserError: runs that cannot be read or contradict each other, an option that has no effect, or ``out`` refuses.
    """
    known = get_args(LayoutName)
    if layout not in known:
        raise UserError(f'There is no layout "{layout}"; use {" or ".join(known)}.{did_you_mean(layout, known)}')
    folder = None if out is None else Path(absolute(text_of(out, "out")))
    given = [judged(run, success) for run in read_runs([name for one in runs for name in texts_of(one, "the folder of a run")])]
    if not given:
        raise UserError("There is no run to report; name the folder of one.")
    if folder is not None:
        refuse_folder_of_run(folder, given[0].path if len(given) == 1 else None)
    for run in given:
        know_tasks(run.path)
    entries = entries_of(given, partial)
    for note in (note for entry in entries for note in entry.notes):
        warnings.warn(note, stacklevel=2)
    named = texts_of(real, "real")
    if named and len(entries) < 2:
        raise UserError("--real has no effect: a ranking needs runs of several policies; leave it out.")
    home = page_folder(given, folder)
    page = tables = None
    kept = True
    if home is not None:
        own = folder is not None and home == folder / FOLDER
        if _kept(lambda: write_page_of(entries, home, layout, own), "the page", folder):
            page = home.absolute() / FILE
        kept = page is not None
    ranking = rank([entry.run for entry in entries], named) if len(entries) > 1 else None
    place = _tables_folder(given, folder)
    if place is not None:
        write = entries[0].tables.write if len(entries) == 1 else _side_by_side(entries).write
        tables = place if _kept(lambda: write(place), "the tables", folder) else None
        kept = kept and tables is not None
    return Reported(entries, partial, ranking, tables, page, kept)


def _side_by_side(entries: Sequence[Entry]) -> SideBySide:
    return SideBySide(tuple(entry.label for entry in entries), tuple(entry.tables for entry in entries))


def _kept(write: Callable[[], object], what: str, asked: Path | None) -> bool:
    """Whether it was written; where the disk refuses what nobody asked for, a warning says so."""
    try:
        write()
    except UserError as error:
        if asked is not None:
            raise
        warnings.warn(f"{what} {'is' if what == 'the page' else 'are'} not kept: {error}", stacklevel=3)
        return False
    return True


def _tables_folder(runs: Sequence[RunData], out: Path | None) -> Path | None:
    """Where tables are written; those of several runs only where they are asked for."""
    return out if len(runs) > 1 or out is not None else runs[0].path / "tables"


def page_folder(runs: Sequence[RunData], out: Path | None) -> Path | None:
    """Where the page of some runs is written: None if there is no such place, since they lie in different folders."""
    if len(runs) == 1 and (out is None or out.resolve() == runs[0].path.resolve() / "tables"):
        return runs[0].path / FOLDER
    if out is not None:
        return out / FOLDER
    parents = {run.path.resolve().parent for run in runs}
    return runs[0].path.parent / FOLDER if len(parents) == 1 else None
