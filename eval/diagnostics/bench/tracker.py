"""``bench tracker``: milliseconds of a call of the point tracker, alone. What it does is measured by the tracker's package."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import entry_points

from eval.diagnostics.bench.report import Rate, Report, Row, measured_here
from eval.errors import UserError, needs_extra

GROUP = "simpler_eval.bench"
Measure = Callable[[str, str | None, str, int, int], tuple[str, str, Mapping[str, Sequence[float]]]]
"""Tracker, its checkpoint, device, episodes a call, repeats -> the tracker and the device that were chosen; name of a call ->
milliseconds, one number a repeat."""


class TrackerSpeed(Row):
    """One kind of call."""

    call: str
    episodes: int
    """In one call."""
    ms: float
    """Of the call; median."""
    repeats: tuple[float, ...]

    def cells(self) -> dict[str, str]:
        """For a table."""
        return {
            "call": self.call,
            "episodes": str(self.episodes),
            "ms": Rate(median=self.ms, repeats=self.repeats).shown(2),
            "ms an episode": f"{self.ms / self.episodes:.2f}",
        }


class TrackerReport(Report):
    """What ``bench tracker`` measured."""

    tracker: str
    rows: tuple[TrackerSpeed, ...]

    @property
    def table(self) -> Sequence[Row]:
        """One row a kind of call."""
        return self.rows


def measure_trackers(
    tracker: str = "auto", checkpoint: str | None = None, device: str = "auto", episodes: int = 16, repeats: int = 5
) -> TrackerReport:
    """Call a tracker again and again.

    Args:
        tracker: as of ``--tracker``.
        checkpoint: as of ``--tracker-checkpoint``.
        device: as of ``--device``.
        episodes: of which images are tracked in one call.
        repeats: calls of each kind, after one in which libraries warm up.

    Raises:
        UserError: there is no such tracker, or its packages are not installed.
    """
    points = list(entry_points(group=GROUP, name="tracker"))
    if not points:
        raise UserError("this installation knows no tracker to measure. Install simpler-eval again (make setup).")
    try:
        measure: Measure = points[0].load()
        chosen, used, seen = measure(tracker, checkpoint, device, episodes, repeats)
    except ModuleNotFoundError as error:
        raise needs_extra("bench tracker", error.name, "vla") from error
    rows = [
        TrackerSpeed(call=call, episodes=episodes, ms=Rate.of(values).median, repeats=tuple(values))
        for call, values in seen.items()
    ]
    measured, drivers = measured_here()
    return TrackerReport(
        bench="tracker",
        device=f"{chosen} on {used}",
        drivers=drivers,
        measured=measured,
        tracker=chosen,
        rows=tuple(rows),
    )
