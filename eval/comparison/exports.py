"""A comparison as JSON, Markdown and LaTeX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eval.comparison.comparison import ALPHA, Against, Change, Comparison, Played, Side
from eval.comparison.counts import Paired
from eval.comparison.real_robot import RealRobot
from eval.comparison.wording import (
    COLUMNS,
    MEANING_COLUMNS,
    meaning_rows,
    method,
    rows,
    verdict,
    warnings_of,
)
from eval.records.escaping import plain_markdown
from eval.records.latex import escaped
from eval.records.numerals import points


def to_json(comparison: Comparison, real: RealRobot | None = None) -> dict[str, Any]:
    """JSON values; rates in 0..1, differences in -1..1."""
    return {
        "reference": _side(comparison.reference),
        "success": comparison.success,
        "alpha": ALPHA,
        "test": "exact McNemar over initial states",
        "comparisons": [_against(comparison, against) for against in comparison.others],
        "real_robot": None if real is None else real.to_json(),
    }


def _side(side: Side) -> dict[str, Any]:
    return {"label": side.label, "title": side.title, "run": str(side.path), "parts": [str(part) for part in side.parts]}


def _against(comparison: Comparison, against: Against) -> dict[str, Any]:
    cells = [{**_paired(cell), "p_holm": p} for cell, p in zip(against.cells, against.cell_ps, strict=True)]
    first, second = against.first_steps
    return {
        **_side(against.side),
        "sentence": verdict(comparison, against),
        "rejected": against.rejected,
        "all": {**_paired(against.whole), "p_holm": against.p},
        "cells": cells,
        "meanings": [{"success": rule, **_paired(paired)} for rule, paired in against.meanings],
        "median_first_success_step": {"reference": first, "other": second},
        "left_out": {
            "errored": against.left_out.errored, "missing": against.left_out.missing, "foreign": against.left_out.foreign,
        },
        "changed": [_change(change) for change in against.changes],
    }  # fmt: skip


def _paired(paired: Paired) -> dict[str, Any]:
    low, high = paired.interval()
    return {
        "name": paired.name, "episodes": paired.n, "initial_states": paired.states, "independent": paired.independent,
        "both": paired.both, "only_reference": paired.only_reference, "only_other": paired.only_other,
        "reference_rate": paired.reference_rate, "other_rate": paired.other_rate, "difference": paired.difference,
        "low": low, "high": high, "p": paired.p, "p_of_episodes": paired.p_of_episodes, "detectable": paired.smallest(),
    }  # fmt: skip


def _change(change: Change) -> dict[str, Any]:
    return {
        "id": change.id, "repeat": change.repeat, "cell": change.cell, "task": change.task, "setting": change.setting,
        "variant": change.variant, "index": change.index, "instruction": change.instruction,
        "reference": _played(change.reference), "other": _played(change.other),
    }  # fmt: skip


def _played(played: Played) -> dict[str, Any]:
    video = None if played.video is None else str(played.video)
    return {
        "success": played.success, "steps": played.steps, "first_success_step": played.first_success_step, "video": video,
    }  # fmt: skip


def markdown(comparison: Comparison, real: RealRobot | None = None) -> str:
    """A page of GitHub Markdown."""
    text = plain_markdown
    lines = ["# Comparison", ""]
    lines += [f"**{text(verdict(comparison, against))}**\n" for against in comparison.others]
    lines += [f"- {text(side.label)}: {text(side.title)}" for side in (comparison.reference, *_sides(comparison))]
    lines += [f"- {text(line)}" for line in warnings_of(comparison)]
    for against in comparison.others:
        names = _heads(COLUMNS, comparison, against)
        lines += ["", f"## {text(against.side.label)} against {text(comparison.reference.label)}", ""]
        lines += [*_table(names, rows(against)), "", "By each meaning of success, same rollouts:", ""]
        lines += _table(_heads(MEANING_COLUMNS, comparison, against), meaning_rows(against))
        lines += ["", f"Episodes that changed: {len(against.changes)}", ""]
        if against.changes:
            head = ("cell", "variant", "number", "instruction", "solved by", "episode")
            lines += _table(head, [_changed_row(comparison, against, change) for change in against.changes])
    if real is not None:
        lines += ["", "## Against real robots", "", *_table(real.columns, real.rows()), "", *map(text, real.notes)]
    return "\n".join([*lines, "", "## How it was counted", "", *(f"- {text(line)}" for line in method(comparison))]) + "\n"


def _sides(comparison: Comparison) -> list[Any]:
    return [against.side for against in comparison.others]


def _changed_row(comparison: Comparison, against: Against, change: Change) -> list[str]:
    winner = against.side.label if change.other.success else comparison.reference.label
    name = change.id + (f", repeat {change.repeat}" if change.repeat else "")
    return [change.cell, change.variant, str(change.index), change.instruction, winner, name]


def _heads(columns: Sequence[str], comparison: Comparison, against: Against) -> list[str]:
    """The columns with the policies' names in them."""
    names = {"reference %": f"{comparison.reference.label} %", "other %": f"{against.side.label} %"}
    return [names.get(column, column) for column in columns]


def _table(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> list[str]:
    shown = [[plain_markdown(cell) for cell in line] for line in (columns, *lines)]
    shown.insert(1, ["---"] * len(columns))
    return ["| " + " | ".join(line) + " |" for line in shown]


def latex(comparison: Comparison) -> str:
    """A ``booktabs`` table: a row a cell and policy; what must be said of the numbers is a comment."""
    remarks = [*(verdict(comparison, a) for a in comparison.others), comparison.reference.title,
               *(side.title for side in _sides(comparison)), *warnings_of(comparison), *method(comparison)]  # fmt: skip
    lines = [
        *(f"% {line}" for line in remarks),
        r"\begin{tabular}{llrccrrc}",
        r"\toprule",
        r"Policy & Cell & $n$ & Reference & Policy & \multicolumn{2}{c}{Difference [95\,\%]} & $p$ \\",
        r"\midrule",
    ]
    for against in comparison.others:
        entries = rows(against)
        for number, row in enumerate(entries):
            if number and number == len(entries) - 1:
                lines.append(r"\cmidrule{2-8}")
            name = escaped(against.side.label) if number == 0 else ""
            cell, n, ours, theirs, difference, interval, _, _, _, p, _ = row
            low, _, high = interval.partition(" to ")
            numbers = [name, escaped(cell), n, ours, theirs, f"${difference}$", f"$[{low}, {high}]$", _p(p)]
            lines.append(" & ".join(numbers) + r" \\")
        if against is not comparison.others[-1]:
            lines.append(r"\midrule")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _p(p: str) -> str:
    return f"${p}$" if p.startswith("<") else p


def summary_line(against: Against) -> str:
    """For a list: ``+2.3 points, 12 won, 7 lost``."""
    whole = against.whole
    return f"{points(whole.difference)} points, {whole.only_other} won, {whole.only_reference} lost"
