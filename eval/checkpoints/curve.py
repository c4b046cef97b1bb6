"""Success against step: a row a checkpoint and task, and the mean of the tasks where there are several."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eval.checkpoints.evaluation import Evaluated
from eval.checkpoints.finding import of_one_training
from eval.records.aggregation import mean_interval
from eval.records.cell_tables import number, rows_of
from eval.records.folder import RunData
from eval.records.tables import TOTAL, title
from eval.records.tallies import JUDGES, lacks

if TYPE_CHECKING:
    import pandas as pd

MEAN = "mean of tasks"
COLUMNS = ("step", "checkpoint", "task", "setting", "n", "successes", "rate", "low", "high", "errored", "missing")


@dataclass(frozen=True)
class Curve:
    """The results of all checkpoints: of one training in the order of their steps, else as they were given."""

    points: pd.DataFrame
    """Columns as in ``COLUMNS``; rates and the ends of their 95 % intervals in 0..1: Wilson's, of the mean of tasks
    a bootstrap over initial states. ``step`` is missing where names do not tell it. A checkpoint without a run has no row."""
    names: tuple[str, ...]
    """All checkpoints that have a row."""
    title: str
    of_one_training: bool
    """Whether their steps count from the same beginning."""

    @property
    def has_steps(self) -> bool:
        """Whether steps make an axis: all of one training, and no two the same."""
        steps = self.points.groupby("checkpoint", sort=False)["step"].first()
        return bool(len(steps)) and self.of_one_training and steps.is_unique

    def table(self) -> tuple[list[str], list[list[str]]]:
        """Heads of the columns, and a row a checkpoint: percent with intervals, or what is missing."""
        curves = list(dict.fromkeys(zip(self.points["task"], self.points["setting"], strict=True)))
        several = len({setting for task, setting in curves if task != MEAN}) > 1
        heads = [f"{task}, {setting}" if several and task != MEAN else task for task, setting in curves]
        lines = []
        for name in self.names:
            rows = {(row["task"], row["setting"]): row for row in rows_of(self.points[self.points["checkpoint"] == name])}
            step = next(iter(rows.values()))["step"]
            texts = [
                number({**rows[curve], "lacks": lacks(rows[curve]["n"], rows[curve]["errored"], rows[curve]["missing"])})
                if curve in rows
                else ""
                for curve in curves
            ]
            lines.append([name, "" if step is None else str(int(step)), *texts])
        return ["checkpoint", "step", *heads], lines


def curve_of(evaluated: Sequence[Evaluated], partial: bool = False) -> Curve:
    """The curve of what was evaluated; checkpoints without a run are left out.

    Args:
        evaluated: in the order of the rows; of one training in whatever order.
        partial: give totals a rate although episodes are missing or errored.
    """
    import pandas as pd

    with_run = [(entry, entry.run) for entry in evaluated if entry.run is not None]
    of_one = of_one_training([entry.checkpoint for entry, _ in with_run])
    if of_one:
        with_run.sort(key=lambda pair: pair[0].checkpoint.step or 0)
    rows: list[dict[str, object]] = []
    for entry, run in with_run:
        rows += [{"step": entry.checkpoint.step, "checkpoint": entry.checkpoint.name, **row} for row in _rows(run, partial)]
    points = pd.DataFrame(rows, columns=list(COLUMNS))
    points["step"] = points["step"].astype("Int64")
    names = tuple(entry.checkpoint.name for entry, _ in with_run)
    return Curve(points, names, title(with_run[-1][1].header, with_run[-1][1].plan) if with_run else "", of_one)


def _rows(run: RunData, partial: bool) -> list[dict[str, object]]:
    fields = [name for name in COLUMNS if name not in ("step", "checkpoint")]
    totals = [row for row in rows_of(run.table(partial)) if row["variant"] == TOTAL]
    rows = [{name: row[name] for name in fields} for row in totals]
    if len(totals) > 1:
        rates = [row["rate"] for row in totals]
        rate = None if any(each is None for each in rates) else sum(rates) / len(rates)
        counts = {name: sum(row[name] for row in totals) for name in ("n", "successes", "errored", "missing")}
        judge = JUDGES[run.header.options.success]
        low, high = (None, None) if rate is None else mean_interval(run.plan, run.records, judge)
        rows.append({"task": MEAN, "setting": "", "rate": rate, "low": low, "high": high, **counts})
    return rows
