"""The plot of measurements: steps a second over workers and batch, and where each millisecond of a control step goes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from pydantic import ValidationError

from eval.diagnostics.bench.baseline import BaselineReport
from eval.diagnostics.bench.end2end import EndToEndReport
from eval.diagnostics.bench.policy import PolicyReport
from eval.diagnostics.bench.report import Report
from eval.diagnostics.bench.rt import RtReport
from eval.diagnostics.bench.run_names import run_names
from eval.diagnostics.bench.sim import SimReport
from eval.diagnostics.bench.tracker import TrackerReport
from eval.errors import UserError
from eval.nouns import counted
from eval.records.folder import disk_errors, replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REPORTS: Mapping[str, type[Report]] = {
    "sim": SimReport,
    "rt": RtReport,
    "policy": PolicyReport,
    "tracker": TrackerReport,
    "end2end": EndToEndReport,
    "baseline": BaselineReport,
}
COLOURS = ("#1f6fb2", "#c0392b", "#2e8b57", "#e08e0b", "#7d3c98", "#6fa8dc", "#888888", "#d98880", "#52be80", "#34495e")
QUIET = {"wait": "#dddddd", "idle": "#dddddd", "other": "#aaaaaa", "python": "#777777"}
"""Stages in which a process does nothing of its own, or nothing that has a name."""
Point = tuple[int, float, float, float]
"""Workers or batch; median, least and greatest steps a second."""


def read_report(file: Path) -> Report:
    """A report as ``--json`` printed it. Raises UserError if the file is none."""
    try:
        content = json.loads(file.read_text(), parse_constant=_no_number)
        report = REPORTS[content["bench"]].model_validate(content)
        _over_workers([report])
        _over_batch([report] if isinstance(report, EndToEndReport) else [])
        return report
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise UserError(f"{file} is no report of `simpler-eval bench ... --json`.") from error


def _no_number(text: str) -> float:
    raise ValueError(f"{text} was not measured")


def check_plot_file(file: Path) -> None:
    """Raises UserError where no PNG can be written; makes its folder."""
    if file.suffix.lower() != ".png":
        raise UserError(f"--out {file} is no PNG; give a name that ends in .png, such as {file.with_suffix('.png')}.")
    if file.is_dir():
        raise UserError(f"--out {file} is a folder; give the name of a file, such as {file / 'bench.png'}.")
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)


def plot(reports: Sequence[Report], file: Path) -> None:
    """Write a PNG with a panel for everything that the reports tell.

    Raises UserError if they tell nothing that has a plot, or the file cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # a second to import: only a plot pays
    from matplotlib.figure import Figure

    runs = [report for report in reports if isinstance(report, EndToEndReport)]
    speeds = {
        "simulator processes": _over_workers(reports),
        "largest batch, observations": _over_batch(runs),
    }
    bars = {
        "time in simulator processes, ms per control step": _per_step(runs, "simulators"),
        "time in the policy's process, ms per control step": _per_step(runs, "policy"),
    }
    names = dict.fromkeys(name for series in speeds.values() for name in series)
    colours = {name: COLOURS[number % len(COLOURS)] for number, name in enumerate(names)}
    panels = sum(map(bool, speeds.values())) + sum(map(bool, bars.values()))
    if not panels:
        raise UserError("Nothing to plot: give reports of bench sim, bench rt, bench policy or bench end2end.")
    figure = Figure(figsize=(9.0, 3.6 * panels), layout="constrained")
    FigureCanvasAgg(figure)
    every = list(figure.subplots(panels, 1, squeeze=False)[:, 0])
    for label, series in speeds.items():
        if series:
            _draw_speeds(every.pop(0), label, series, colours)
    for label, stages in bars.items():
        if stages:
            _draw_stages(every.pop(0), label, stages)
    figure.suptitle("\n".join(dict.fromkeys(report.heading for report in reports)), fontsize=9)
    with disk_errors(file.parent), replacing(file) as part:
        figure.savefig(part, dpi=120, format="png")


def _over_workers(reports: Sequence[Report]) -> dict[str, list[Point]]:
    series: dict[str, list[Point]] = {}
    runs = [report for report in reports if isinstance(report, EndToEndReport)]
    for name, run in zip(run_names(runs), (report.speed for report in runs), strict=True):
        _add(series, f"{name}, end to end", run.workers, run.steady_steps_per_second, run.repeats)
    for report in reports:
        if isinstance(report, SimReport):
            for row in report.rows:
                _add(series, f"{row.task}, no policy", row.workers, row.steps_per_second, row.repeats)
        elif isinstance(report, RtReport):
            for traced in report.rows:
                _add(series, f"{traced.scene}, {traced.rt}", traced.workers, traced.steps_per_second, traced.repeats)
        elif isinstance(report, PolicyReport) and report.speed.workers:
            speed = report.speed
            _add(series, f"{speed.policy} (bench policy)", speed.workers, speed.steps_per_second, speed.repeats)
    return series


def _over_batch(runs: Sequence[EndToEndReport]) -> dict[str, list[Point]]:
    series: dict[str, list[Point]] = {}
    for name, run in zip(run_names(runs), (report.speed for report in runs), strict=True):
        if run.batch is not None:
            _add(series, f"{name}, end to end", run.batch, run.steady_steps_per_second, run.repeats)
    return series


def _add(series: dict[str, list[Point]], name: str, at: int, median: float, repeats: Sequence[float]) -> None:
    if at < 1 or not repeats:
        raise ValueError(f"{name} was not measured")
    series.setdefault(name, []).append((at, median, min(repeats), max(repeats)))


def _draw_speeds(axes: Axes, label: str, series: Mapping[str, list[Point]], colours: Mapping[str, str]) -> None:
    for name, points in series.items():
        at, median, low, high = zip(*sorted(points), strict=True)
        below, above = ([abs(one - m) for one, m in zip(side, median, strict=True)] for side in (low, high))
        axes.errorbar(at, median, yerr=[below, above], fmt="o-", color=colours[name], capsize=3, markersize=4, label=name)
    axes.set_xscale("log", base=2)
    ticks = sorted({point[0] for points in series.values() for point in points})
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(bottom=0)
    axes.set_xlabel(label)
    axes.set_ylabel("control steps per second")
    axes.grid(color="#eeeeee")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8)


def _per_step(runs: Sequence[EndToEndReport], process: str) -> dict[str, dict[str, float]]:
    """Run -> stage -> ms a control step; calls that went on with a run (same command, workers and batch) are added up."""
    seconds: dict[str, dict[str, float]] = {}
    steps: dict[str, int] = {}
    named = zip(run_names(runs), (report.speed for report in runs), strict=True)
    for called, run in sorted(named, key=lambda pair: (pair[1].policy, pair[0], pair[1].workers, pair[1].batch or 0)):
        stages = run.stages.simulators if process == "simulators" else run.stages.policy
        count = run.stages.steps if process == "simulators" else run.steps
        if not count or not stages:
            continue
        batch = "" if run.batch is None else f",\nbatch {run.batch}"
        name = f"{fill(called, 26, break_on_hyphens=False)},\n{counted(run.workers, 'worker')}{batch}"
        steps[name] = steps.get(name, 0) + count
        whole = seconds.setdefault(name, {})
        for stage, value in stages.items():
            whole[stage] = whole.get(stage, 0.0) + value
    return {name: {stage: 1e3 * value / steps[name] for stage, value in whole.items()} for name, whole in seconds.items()}


def _draw_stages(axes: Axes, label: str, runs: Mapping[str, Mapping[str, float]]) -> None:
    stages = list(dict.fromkeys(stage for run in runs.values() for stage in run))
    stages.sort(key=lambda stage: stage in QUIET)
    left = [0.0] * len(runs)
    named = iter(COLOURS)
    for stage in stages:
        widths = [run.get(stage, 0.0) for run in runs.values()]
        colour = QUIET.get(stage) or next(named, "#000000")
        bars = axes.barh(range(len(runs)), widths, left=left, height=0.6, color=colour, label=stage)
        longest = max(sum(run.values()) for run in runs.values())
        texts = [f"{w:.3g}" if w > 0.04 * longest else "" for w in widths]
        axes.bar_label(bars, texts, label_type="center", fontsize=8, color=_readable_on(colour))
        left = [before + width for before, width in zip(left, widths, strict=True)]
    axes.set_yticks(range(len(runs)), list(runs), fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.grid(axis="x", color="#eeeeee")
    axes.set_axisbelow(True)
    axes.legend(frameon=False, fontsize=8, ncols=min(len(stages), 8), loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _readable_on(colour: str) -> str:
    """Black or white, whichever stands out more from a colour."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return "black" if 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2 > 0.18 else "white"
