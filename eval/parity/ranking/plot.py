"""The plot of a comparison of policies: success in the original across, in our world up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eval.nouns import counted
from eval.parity.ranking.comparison import PolicyParity
from eval.parity.ranking.families import family_of
from eval.records.folder import disk_errors, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*", "<", ">", "h", "p", "d", "8")
"""Shapes of points: of a level in both panels."""
COLUMNS_OF_LEGEND = 5
ROOM = 0.2
"""Success below which there is no room for a name on the left of a point, and above 1 - it none on the right."""


def plot(comparison: PolicyParity, file: Path) -> None:
    """Write a PNG: a point a level and cell, coloured by family; beside it a point a level, the mean of the cells, named.

    A level has the same shape in both panels. Raises UserError if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second to import: only a plot pays
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 7.6), layout="constrained")
    FigureCanvasAgg(figure)
    cells, means = figure.subplots(1, 2)
    markers = {level: MARKERS[n % len(MARKERS)] for n, level in enumerate(comparison.levels)}
    for cell in comparison.cells:
        for level, rates in cell.levels.items():
            _point(cells, rates, markers[level], family_of(cell.name)[1], 42, 0.6)
    for label, colour in dict.fromkeys(family_of(cell.name) for cell in comparison.cells):
        cells.scatter([], [], s=42, color=colour, linewidths=0, label=label)
    _frame(cells, counted(len(comparison.cells), "cell"))
    cells.legend(frameon=False, loc="best", title="colour: family of tasks", alignment="left")
    named = [level for level in comparison.levels if level in comparison.overall.levels]
    for level in named:
        _point(means, comparison.overall.levels[level], markers[level], "black", 60, 1.0)
    _name_points(means, named, [comparison.overall.levels[level] for level in named])
    _frame(means, "mean of the cells, by level")
    for level in named:
        means.scatter([], [], s=60, marker=markers[level], color="black", linewidths=0, label=level)
    handles, labels = means.get_legend_handles_labels()
    figure.legend(handles, labels, frameon=False, loc="outside lower center", ncols=COLUMNS_OF_LEGEND)
    figure.suptitle(_title(comparison, len(named)), fontsize=11)
    with disk_errors(file.parent), replacing(file) as part:
        figure.savefig(part, dpi=110, format="png")


def _title(comparison: PolicyParity, levels: int) -> str:
    total = comparison.overall
    ranking = f"r = {total.pearson:.3f}, MMRV = {total.mmrv:.3f}\n" if total.is_ranked else ""
    marked = "\nwith STAND-INS for original asset files" if any(comparison.stand_ins.values()) else ""
    counts = (
        f"{counted(levels, 'level')}, {counted(len(comparison.cells), 'cell')}, "
        f"{counted(total.paired.n, 'episode')} in each world"
    )
    return f"{ranking}{counts}{marked}"


def _point(axes: Axes, rates: tuple[float, float], marker: str, colour: str, size: float, alpha: float) -> None:
    ours, original = rates
    axes.scatter([100 * original], [100 * ours], s=size, marker=marker, color=colour, alpha=alpha, linewidths=0)


def _name_points(axes: Axes, levels: Sequence[str], rates: Sequence[tuple[float, float]]) -> None:
    """Beside its point, alternately on the two sides of the diagonal, and apart from the one before on the same side."""
    last = {"left": 200.0, "right": 200.0}  # the edge of the name that is at the point
    for number, (level, (ours, original)) in enumerate(sorted(zip(levels, rates, strict=True), key=lambda pair: -pair[1][0])):
        side = "left" if original < ROOM or (number % 2 and original < 1 - ROOM) else "right"
        height = min(100 * ours, last[side] - 4.0)
        last[side] = height
        away = 3.5 if side == "left" else -3.5
        axes.annotate(
            level, (100 * original, 100 * ours), (100 * original + away, height), fontsize=9, va="center",
            ha=side, arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6},
        )  # fmt: skip


def _frame(axes: Axes, title: str) -> None:
    axes.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1, zorder=0)
    axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal", title=title)
    axes.set_xlabel("success in the original simulator (%)")
    axes.set_ylabel("success in our world (%)")
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
