"""The plot of a comparison of policies: success in the original across, in our world up."""

from __future__ import annotations

from pathlib import Path

from eval.parity.ranking.comparison import PolicyParity
from eval.records.folder import disk_errors

FAMILIES = {
    "pick_": ("pick coke can", "#c0392b"),
    "move_near": ("move near", "#e08e0b"),
    "open_": ("open drawer", "#1f6fb2"),
    "close_": ("close drawer", "#6fa8dc"),
    "place_": ("place in drawer", "#7d3c98"),
    "widowx_": ("WidowX", "#2e8b57"),
}
"""Label and colour by what stands in a cell's name, the first that fits."""
OTHER = ("other tasks", "#666666")
MEAN = ("mean of the cells", "black")


def family_of(cell: str) -> tuple[str, str]:
    """Label and colour of a cell's points."""
    if cell.startswith("widowx_"):
        return FAMILIES["widowx_"]
    return next((look for part, look in FAMILIES.items() if part in cell), OTHER)


def plot(comparison: PolicyParity, file: Path) -> None:
    """Write a PNG: one point a level and cell, one a level for the mean of the cells, and the diagonal.

    Raises UserError if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second to import: only a plot pays
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.plot([0, 100], [0, 100], color="#bbbbbb", linewidth=1, zorder=0)
    points: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for cell in comparison.cells:
        points.setdefault(family_of(cell.name), []).extend(cell.levels.values())
    for (label, colour), rates in points.items():
        ours, original = ([100 * pair[side] for pair in rates] for side in (0, 1))
        axes.scatter(original, ours, s=40, color=colour, alpha=0.6, linewidths=0, label=label)
    means = [comparison.overall.levels[level] for level in comparison.levels if level in comparison.overall.levels]
    axes.plot([100 * o for _, o in means], [100 * w for w, _ in means], "D-", color=MEAN[1], markersize=6, label=MEAN[0],
              linewidth=1, zorder=3)  # fmt: skip
    axes.set(xlim=(-3, 103), ylim=(-3, 103), aspect="equal")
    axes.set_xlabel("success in the original simulator (%)")
    axes.set_ylabel("success in our world (%)")
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, loc="upper left")
    marked = "\nwith STAND-INS for original asset files" if any(comparison.stand_ins.values()) else ""
    total = comparison.overall
    counts = f"{len(means)} levels, {len(comparison.cells)} cells, {total.paired.n} episodes in each world"
    axes.set_title(f"r = {total.pearson:.3f}, MMRV = {total.mmrv:.3f}\n{counts}{marked}", fontsize=11)
    with disk_errors(file.parent):
        figure.savefig(file, dpi=120)
