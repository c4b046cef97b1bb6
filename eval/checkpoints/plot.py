"""The plot of a training: success against step, with 95 % intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from eval.checkpoints.curve import MEAN, Curve
from eval.records.folder import disk_errors, replacing

COLOURS = ("#1f6fb2", "#c0392b", "#2e8b57", "#e08e0b", "#7d3c98", "#6fa8dc", "#8c564b", "#b5b35c")
APART = 0.009
"""Between the points of two tasks at one step, as a share of all steps."""
MANY = 4
"""Curves beside the mean above which only the mean has bars."""


def plot(curve: Curve, file: Path) -> None:
    """Write a PNG: a line a task, and a thick black one for their mean.

    Raises UserError if the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second to import: only a plot pays
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    points = curve.points[curve.points["rate"].notna()]
    places = {name: float(place) for place, name in enumerate(curve.names)}
    curves = list(points.groupby(["task", "setting"], sort=False))
    settings = {setting for (task, setting), _ in curves if task != MEAN}
    for number, ((task, setting), rows) in enumerate(curves):
        x = rows["step"].to_numpy(float) if curve.has_steps else np.array([places[name] for name in rows["checkpoint"]])
        y, low, high = (100 * rows[name].to_numpy(float) for name in ("rate", "low", "high"))
        is_mean = task == MEAN
        label = f"{task}, {setting}" if len(settings) > 1 and not is_mean else str(task)
        label += f" (n = {_range(rows['n'].tolist())})"
        bars = np.maximum(0, [y - low, high - y]) if is_mean or len(curves) <= MANY + 1 else None
        apart = bars is not None and not is_mean and len(curves) > 1  # to both sides of the mean: bars do not hide each other
        place = (number // 2 + 1) * (1 if number % 2 else -1) if apart else 0
        axes.errorbar(
            x + APART * place * np.ptp(x), y, yerr=bars, label=label, marker="o", capsize=3,
            color="black" if is_mean else COLOURS[number % len(COLOURS)],
            linewidth=2.2 if is_mean else 1.2, markersize=6 if is_mean else 4, zorder=3 if is_mean else 2,
            alpha=1.0 if is_mean or len(curves) == 1 else 0.75,
        )  # fmt: skip
    if not curve.has_steps:
        axes.set_xticks(list(places.values()), list(places), rotation=30, ha="right")
    axes.set(ylim=(-3, 103), xlabel="training step" if curve.has_steps else "checkpoint", ylabel="success (%), 95 % interval")
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    if curves:
        axes.legend(frameon=False, loc="best")
    figure.suptitle(curve.title, fontsize=9, wrap=True)
    with disk_errors(file.parent), replacing(file) as part:
        figure.savefig(part, dpi=120, format="png")


def _range(counts: Sequence[int]) -> str:
    """Episodes of each point of a line."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
