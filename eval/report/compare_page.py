"""The page of a comparison: the sentence, the table, and both videos of every episode that changed, side by side in step."""

from __future__ import annotations

import json
import os
import shutil
from math import ceil
from pathlib import Path
from typing import Any

from eval.comparison.comparison import Against, Change, Comparison, Played
from eval.comparison.exports import latex, markdown, to_json
from eval.comparison.real_robot import RealRobot
from eval.comparison.wording import meaning_rows, method, rows, verdict, warnings_of
from eval.nouns import counted
from eval.records.folder import disk_errors
from eval.records.tables import write_files
from eval.report.html import write_page

PAGE = "index.html"
VIDEOS = "videos"


def write_comparison(folder: Path, comparison: Comparison, real: RealRobot | None = None) -> Path:
    """Write the page with the videos that it shows, and the comparison as Markdown, LaTeX and JSON.

    The folder needs nothing outside it. Videos are linked where the disk can, else copied.

    Returns:
        The page.

    Raises:
        UserError: the disk refuses.
    """
    parts = []
    for number, against in enumerate(comparison.others, 1):
        with disk_errors(folder):
            changes = [_change(folder, f"{number}", change) for change in against.changes]
        parts.append(_part(comparison, against, number, changes))
    texts = {
        "compare.md": markdown(comparison, real),
        "compare.tex": latex(comparison),
        "compare.json": json.dumps(to_json(comparison, real), indent=2) + "\n",
    }
    write_files(folder, texts)
    write_page(
        folder / PAGE,
        "compare.html",
        title=f"{' and '.join(part['label'] for part in parts)} against {comparison.reference.label}",
        reference=comparison.reference,
        parts=parts,
        warnings=warnings_of(comparison),
        method=method(comparison),
        real=real,
    )
    return folder / PAGE


def _part(comparison: Comparison, against: Against, number: int, changes: list[dict[str, Any]]) -> dict[str, Any]:
    whole = against.whole
    entries = rows(against)
    paired = [*against.cells, whole] if len(against.cells) > 1 else [whole]
    ends = [end for cell in paired for end in cell.interval()]
    reach = min(1.0, max(0.1, ceil(10 * max(map(abs, ends))) / 10))
    drawn = [_drawn(reach, cell.difference, *cell.interval()) for cell in paired]
    return {
        "number": number,
        "label": against.side.label,
        "title": against.side.title,
        "sentence": verdict(comparison, against),
        "tone": "unsure" if not against.rejected else "good" if whole.difference > 0 else "bad",
        "reach": round(100 * reach),
        "rows": list(zip(entries, drawn, strict=True)),
        "meanings": meaning_rows(against),
        "changes": changes,
        "won": sum(change["won"] for change in changes),
        "filmed": sum(change["filmed"] for change in changes),
        "cells": list(dict.fromkeys(change["cell"] for change in changes)),
        "both": whole.both,
        "neither": whole.n - whole.both - whole.only_reference - whole.only_other,
        "only_reference": whole.only_reference,
        "only_other": whole.only_other,
    }


def _drawn(reach: float, difference: float, low: float, high: float) -> dict[str, float]:
    """Places of an interval on a line from ``-reach`` to ``reach``, in percent of its length."""
    places = {"low": low, "high": high, "middle": difference}
    return {name: round(50 + 50 * value / reach, 2) for name, value in places.items()}


def _change(folder: Path, part: str, change: Change) -> dict[str, Any]:
    name = f"{change.id}-r{change.repeat}" if change.repeat else change.id
    return {
        "name": name,
        "cell": change.cell,
        "place": f"{change.variant} #{change.index}" + (f", repeat {change.repeat + 1}" if change.repeat else ""),
        "instruction": change.instruction,
        "won": change.other.success,
        "reference": _played(folder, f"{VIDEOS}/{part}/{name}-reference", change.reference),
        "other": _played(folder, f"{VIDEOS}/{part}/{name}-other", change.other),
        "filmed": change.reference.video is not None and change.other.video is not None,
    }


def _played(folder: Path, stem: str, played: Played) -> dict[str, Any]:
    return {
        "success": played.success,
        "video": _beside(folder, stem, played.video),
        "poster": _beside(folder, stem, played.poster),
        "end": _end(played),
    }


def _end(played: Played) -> str:
    first = played.first_success_step
    if played.success:
        return f"success, first at step {first} of {played.steps}" if first else "success"
    return (
        f"success at step {first}, lost by the last of {played.steps}"
        if first
        else f"no success in {counted(played.steps, 'step')}"
    )


def _beside(folder: Path, stem: str, file: Path | None) -> str | None:
    """A file put into the folder, under a name of ours; what it is called there."""
    if file is None:
        return None
    name = f"{stem}{file.suffix}"
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(file, target)
    except OSError:  # another disk, or one without links
        shutil.copyfile(file, target)
    return name
