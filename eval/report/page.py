"""The page of a run, or of several: what came of it, where it fails, and whether that can be believed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.records.folder import RunData
from eval.records.provenance import now
from eval.report import FILE
from eval.report.answer import answer
from eval.report.curve_shapes import drawn
from eval.report.entries import Entry, entries_of
from eval.report.episodes import EpisodeList, embedded, newest
from eval.report.failure_map import STEP, FailureMap, Panel, failure_maps
from eval.report.headline import headline
from eval.report.heat import heat_maps
from eval.report.html import write_page
from eval.report.layouts import LayoutName
from eval.report.media import Media
from eval.report.origin import PAPER, citations, origin
from eval.report.progress import curves, scores

NEWEST = 4
"""Videos at the head of the page while a run goes on."""
RELOAD = 30
"""Seconds after which a page of a running run looks for a newer one."""


@dataclass(frozen=True)
class Running:
    """What the page of a run that goes on says of it."""

    state: tuple[tuple[str, str], ...] = ()
    """What and how much: rates, time left, workers."""


@dataclass(frozen=True)
class _Shown:
    """An entry with the panels of its map and where their pictures lie."""

    entry: Entry
    maps: tuple[tuple[FailureMap, tuple[tuple[Panel, str | None], ...]], ...]


def write_report(
    runs: Sequence[RunData],
    folder: Path,
    *,
    layout: LayoutName = "simpler",
    partial: bool = False,
    success: str | None = None,
    own_media: bool = False,
    running: Running | None = None,
) -> Path:
    """Write ``index.html`` of some runs into a folder.

    Args:
        runs: those that belong together become one row, as :func:`eval.records.merging.group_runs` says.
        folder: of the page; made if it is not there.
        layout: whose columns the tables have.
        partial: give totals a rate although episodes are missing or errored.
        success: another rule of success; None leaves each run its own.
        own_media: give the page files of its own for videos and posters (hard links where the disk allows), so that its
            folder can be moved alone; else it links to those of the runs.
        running: the run goes on: rates are those so far, and the page looks for a newer one.

    Returns:
        Its path. Raises UserError if runs contradict each other or the disk refuses.
    """
    entries = entries_of(runs, partial or running is not None, success)
    return write_page_of(entries, folder, layout, own_media, running)


def write_page_of(
    entries: Sequence[Entry], folder: Path, layout: LayoutName, own_media: bool = False, running: Running | None = None
) -> Path:
    """:func:`write_report` of what it made of the runs."""
    folder = folder.absolute()
    media = Media(folder, list({id(part): part for entry in entries for part in entry.parts}.values()), own_media)
    listed = EpisodeList()
    shown, marks = [], 0
    for entry in entries:
        maps = failure_maps(entry, marks)
        marks += len(set(maps.places.values()))
        listed.add(entry, maps.places, media)
        shown.append(_Shown(entry, tuple(_with_pictures(entry, found, media) for found in maps.maps)))
    labels = [entry.label for entry in entries]
    heats = [heat_maps(entry) for entry in entries]
    write_page(
        folder / FILE,
        "report.html",
        title=labels[0] if len(labels) == 1 else f"{len(labels)} runs",
        several=len(labels) > 1,
        answers=answer(entries, running is not None),
        headline=headline(entries, layout),
        shown=shown,
        heat=heats,
        uncounted=any(map.uncounted for maps in heats for map in maps),
        curves=[[(curve, drawn(curve)) for curve in curves(entry)] for entry in entries],
        scores=[scores(entry) for entry in entries],
        origins=[origin(entry) for entry in entries],
        citations=citations(entries),
        paper=PAPER,
        episodes=sum(len(entry.episodes) for entry in entries),
        data=embedded(listed.as_data()),
        newest=newest(entries, media, NEWEST) if running is not None else [],
        running=running,
        reload=RELOAD,
        written=now(),
        arc=arc,
        ways=any(mark.way for item in shown for found, _ in item.maps for panel in found.panels for mark in panel.marks),
        step=STEP,
    )
    return folder / FILE


def _with_pictures(entry: Entry, found: FailureMap, media: Media) -> tuple[FailureMap, tuple[tuple[Panel, str | None], ...]]:
    pictures = []
    for panel in found.panels:
        link = None
        if panel.picture is not None:
            key, name = panel.picture
            link = media.link(entry.run.home_of(entry.run.records[key]), name)
        pictures.append((panel, link))
    return found, tuple(pictures)


def arc(share: float, radius: float) -> str:
    """The path of a slice of a circle around (0, 0), clockwise from the top: what share of it is filled."""
    share = min(max(share, 0.0), 0.9999)
    angle = 2 * math.pi * share
    x, y = radius * math.sin(angle), -radius * math.cos(angle)
    return f"M0,0 L0,{-radius:g} A{radius:g},{radius:g} 0 {int(share > 0.5)} 1 {x:.2f},{y:.2f} Z"
