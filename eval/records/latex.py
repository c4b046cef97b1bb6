"""Tables of cells in LaTeX, for a paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eval.records.cell_tables import percent, rows_of
from eval.records.cells import cells
from eval.records.escaping import one_line

if TYPE_CHECKING:
    import pandas as pd

SETTING_TITLES = {
    "visual_matching": "Visual Matching",
    "variant_aggregation": "Variant Aggregation",
    "alt_urdf": "Variant Aggregation, recoloured arm",
}
ESCAPES = str.maketrans({
    "_": r"\_", "%": r"\%", "&": r"\&", "#": r"\#", "$": r"\$", "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}", "\\": r"\textbackslash{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
})  # fmt: skip


def cells_latex(table: pd.DataFrame, heading: str, policy: str = "") -> str:
    """A ``booktabs`` table for each robot: a row a policy and setting, a column a cell.

    Rates have their 95 % intervals as indices, or their spread over repeats behind a plus-minus sign.

    Args:
        table: as of :func:`eval.records.cell_tables.cell_table`; of several runs, with a column ``run`` that names them.
        heading: what must be said of the numbers; a comment.
        policy: who played, where the table does not say.
    """
    rows = [{"run": policy, **row} for row in rows_of(table)]
    parts = [
        *(f"% {one_line(line)}" for line in heading.splitlines()),
        *(_tabular(rows, prefix) for prefix in ("google_robot", "widowx") if any(_of(row, prefix) for row in rows)),
    ]
    return "\n".join(parts) + "\n"


def summary_latex(table: pd.DataFrame, heading: str, policy: str = "") -> str:
    """A ``booktabs`` table with a row a task and setting: the totals of the variants.

    Args:
        table: as of :func:`eval.records.tables.summary`; of several runs, with a column ``run`` that names them.
        heading: what must be said of the numbers; a comment.
        policy: who played, where the table does not say.
    """
    rows = [{"run": policy, **row} for row in rows_of(table) if row["variant"] == "all"]
    lines = [
        *(f"% {one_line(line)}" for line in heading.splitlines()),
        r"\begin{tabular}{lllcr}",
        r"\toprule",
        " & ".join(["Policy", "Task", "Setting", _measure(rows), "Episodes"]) + r" \\",
        r"\midrule",
    ]
    for row in rows:
        setting = SETTING_TITLES.get(row["setting"], row["setting"])
        lines.append(" & ".join([*map(escaped, (row["run"], row["task"], setting)), _rate(row), str(row["n"])]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    return one_line(text).translate(ESCAPES)


def _of(row: Mapping[str, Any], robot: str) -> bool:
    return bool(row["kind"] == "cell" and row["name"].startswith(robot))


def _tabular(rows: Sequence[Mapping[str, Any]], robot: str) -> str:
    names = list(dict.fromkeys(row["name"] for row in rows if _of(row, robot)))
    averages = dict.fromkeys(
        row["name"] for row in rows if row["kind"] == "average" and row["name"].split("_")[0] == robot.split("_")[0]
    )
    averages = dict.fromkeys(name for name in averages if not cells().averages[name].over_settings)
    heads = [cells().title_of(name) for name in names] + [cells().averages[name].title for name in averages]
    lines = [
        r"\begin{tabular}{ll" + "c" * len(heads) + "}",
        r"\toprule",
        " & ".join(["Policy", _measure(rows), *map(escaped, heads)]) + r" \\",
        r"\midrule",
    ]
    by_place = {(row["run"], row["name"], row["setting"]): row for row in rows}
    for run, setting in dict.fromkeys((row["run"], row["setting"]) for row in rows if _of(row, robot)):
        here = [by_place.get((run, name, setting)) for name in (*names, *averages)]
        lines.append(" & ".join([escaped(run), SETTING_TITLES[setting], *map(_rate, here)]) + r" \\")
        sizes = ["--" if row is None else str(row["n"]) for row in here]
        lines.append(" & ".join(["", r"\quad episodes", *sizes]) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}"])


def _measure(rows: Sequence[Mapping[str, Any]]) -> str:
    """What the numbers are."""
    return "Success at any step (\\%)" if {row["success"] for row in rows} == {"any"} else "Success (\\%)"


def _rate(row: Mapping[str, Any] | None) -> str:
    if row is None or row["rate"] is None:
        return "--"
    if row["spread"] is not None:
        return rf"${percent(row['rate'])} \pm {percent(row['spread'])}$"
    if row["low"] is None:
        return percent(row["rate"])
    return f"${percent(row['rate'])}_{{{percent(row['low'])}}}^{{{percent(row['high'])}}}$"
