"""When a run ends before its plan does: the policy fails again and again in the same way, or does not answer any more, or
the disk takes no more."""

from __future__ import annotations

from eval.records.refusals import remedy
from eval.records.results import EpisodeRecord
from eval.rollout.faults import Fault

SILENT = 3
"""Calls in a row from which the policy did not come back, after which it is given up: each of them costs minutes."""


class StopRule:
    """Looks at every episode that ends.

    Args:
        stop_after: stop after so many episodes in a row were lost to the same fault of the policy; 0: never.
        fail_on_error: stop at the first episode without a verdict.
    """

    def __init__(self, stop_after: int = 0, fail_on_error: bool = False) -> None:
        self._stop_after, self._fail_on_error = stop_after, fail_on_error
        self._place, self._in_a_row, self._silences = "", 0, 0
        self.reason: str | None = None
        """Why the run shall stop, as one line."""

    def ended(self, record: EpisodeRecord, fault: Fault | None) -> None:
        """One more episode is over; ``fault`` took its verdict."""
        if fault is None or not fault.of_policy:
            self._place, self._in_a_row, self._silences = "", 0, 0
        else:
            self._in_a_row = self._in_a_row + 1 if fault.place == self._place else 1
            self._place = fault.place
            self.noticed(fault)
        if record.status == "errored" and self._fail_on_error:
            self.reason = "stopped at the first episode without a verdict (--fail-on-error)"
        elif self._stop_after and self._in_a_row >= self._stop_after:
            count = "an episode was" if self._in_a_row == 1 else f"{self._in_a_row} episodes in a row were"
            self.reason = f"stopped, as {count} lost to the same fault of the policy (--stop-after {self._stop_after})"

    def refused(self, refusal: str) -> None:
        """The disk takes no more of what was asked for; whatever is played now would lack it, too."""
        self.reason = f"stopped, as the disk refuses what was asked for ({refusal}): {remedy(refusal)}"

    def noticed(self, fault: Fault) -> None:
        """A call failed, whether or not it took a verdict."""
        self._silences += fault.silent
        if self._stop_after and self._silences >= min(self._stop_after, SILENT):
            self.reason = f"stopped, as the policy did not come back from {self._silences} calls in a row"
