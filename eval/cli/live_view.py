"""The part of a terminal that changes while a run goes on: a line for each task, the bar, the state, and where the page is."""

from __future__ import annotations

import math
from collections.abc import Iterable

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Column, Table
from rich.text import Text

from eval.cli.task_tallies import TaskTallies

REFRESHES = 4
"""A second."""
RESERVED = 4
"""Rows of a terminal that tasks leave free, beside those of the page's path: bar, state, cursor, and what was said before."""
BAR_WIDTH = 40
BESIDE_THE_BAR = 40
"""Columns that the numbers beside the bar take."""
NARROW = 60
"""Columns below which rates and what is less needed are left out."""

PAGE = "page: "


class LiveView(Progress):
    """What is shown.

    Args:
        console: of the terminal.
        total: episodes of the run.
        tasks: how far each task is; read at every refresh.
    """

    def __init__(self, console: Console, total: int, tasks: TaskTallies) -> None:
        self.page: str | None = None
        """Path of the page about the run, once there is one."""
        self._tallies, self._screen = tasks, console
        elapsed = [TimeElapsedColumn()] if console.width >= NARROW else []
        columns = (
            BarColumn(max(8, min(BAR_WIDTH, console.width - BESIDE_THE_BAR))), MofNCompleteColumn(), *elapsed,
            TextColumn("ETA"), TimeRemainingColumn(elapsed_when_finished=False),
        )  # fmt: skip
        super().__init__(*columns, console=console, speed_estimate_period=600, refresh_per_second=REFRESHES)
        self._whole = self.add_task("", total=total, state="starting", visible=False)

    def show(self, done: int, state: str) -> None:
        """Bring it up to date, and begin to show it."""
        self.update(self._whole, completed=done, state=state, visible=True)
        self.start()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Tasks, where there are several, then the bar; a line is cut rather than wrapped, but for the path."""
        if len(self._tallies) > 1:
            yield from self._task_lines()
        yield self.make_tasks_table(self.tasks)
        state = next((task.fields["state"] for task in self.tasks), "")
        yield Text(state, no_wrap=True, overflow="ellipsis")
        if self.page is not None:
            yield Text(PAGE + self.page, overflow="fold")

    def _page_rows(self) -> int:
        if self.page is None:
            return 0
        width = self._screen.width
        return 1 if len(PAGE + self.page) <= width else 1 + math.ceil(len(self.page) / width)  # it begins a line of its own

    def _task_lines(self) -> Iterable[RenderableType]:
        room = max(0, self._screen.height - RESERVED - self._page_rows())
        shown = self._tallies.shown(room if len(self._tallies) <= room else room - 1)
        wide = self._screen.width >= NARROW
        rows = [
            (tally.name, f"{tally.done}/{tally.total}", tally.success if wide else tally.success.partition(" (")[0])
            for tally in shown
        ]
        counts, successes = (max((len(row[column]) for row in rows), default=0) for column in (1, 2))
        names = max(4, self._screen.width - counts - successes - 5)
        table = Table.grid(
            Column(no_wrap=True, overflow="ellipsis", max_width=names),
            Column(no_wrap=True, justify="right", min_width=counts),
            Column(no_wrap=True, overflow="ellipsis", min_width=min(successes, self._screen.width - counts - 9)),
            padding=(0, 2, 0, 0),
        )
        for row in rows:
            table.add_row(*map(Text, row))
        yield table
        if others := self._tallies.others(shown):
            yield Text(others, no_wrap=True, overflow="ellipsis")
