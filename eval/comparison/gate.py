"""May a change of a policy pass? Shown not worse than a margin, shown worse, or not to be told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from math import ceil
from statistics import NormalDist

from eval.comparison.comparison import Comparison
from eval.comparison.counts import Paired
from eval.comparison.wording import places
from eval.errors import UserError
from eval.records.numerals import points, span
from eval.statistics.intervals import Interval

LEVEL = 0.9
"""Of the two-sided interval: each of its ends is beyond the truth in 5 of 100 gates at most."""
POWER = 0.8
"""How often the number of initial states that is named would tell."""


class Outcome(Enum):
    """What was shown; the value is the exit code."""

    NOT_WORSE = 0
    """The lower end of the interval is above minus the margin."""
    WORSE = 1
    """The upper end is below 0, and the lower one not above minus the margin."""
    UNTOLD = 3


@dataclass(frozen=True)
class Gate:
    """A run against its baseline."""

    comparison: Comparison
    margin: float
    """Largest loss of success rate that is accepted, 0..1."""
    outcome: Outcome

    @property
    def paired(self) -> Paired:
        """The counts that it rests on."""
        return self.comparison.others[0].whole

    @property
    def interval(self) -> Interval:
        """Two-sided 90 %: 95 % each way."""
        return self.paired.interval(LEVEL)

    @property
    def open(self) -> int:
        """Planned episodes without a verdict in one of the runs. While there are any nothing passes, and nothing is worse: it
        may be the failures that errored."""
        left_out = self.comparison.others[0].left_out
        return left_out.errored + left_out.missing

    @property
    def more_states(self) -> int | None:
        """Further initial states with which 4 of 5 gates would tell, if the rates stay as they are.

        None where the gate has told, or where no number would: the difference is 0 and so is the margin, or episodes that were
        planned lack verdicts.
        """
        if self.outcome is not Outcome.UNTOLD or self.open:
            return None
        paired, normal = self.paired, NormalDist()
        z = normal.inv_cdf((1 + LEVEL) / 2)
        distance = max(self.margin + paired.difference, -paired.difference)
        if distance <= 0:
            return None
        changed = max(paired.changed, 1 / paired.n) - paired.difference**2  # none of few does not mean none of all
        needed = max((z + normal.inv_cdf(POWER)) ** 2 * changed / distance**2, z**2 * (1 - distance) / distance)
        states = needed * paired.effect * paired.states / paired.n  # of so many independent episodes
        return max(1, ceil(states) - paired.states)

    @property
    def line(self) -> str:
        """The outcome in one line."""
        b, a = self.comparison.others[0].side.label, self.comparison.reference.label
        margin = f"{100 * self.margin:g} points"
        interval = f"{100 * LEVEL:g} % interval {span(self.interval)}"
        numbers = f"{points(self.paired.difference)} points ({interval}) on {places(self.paired)}"
        left_out = self.comparison.others[0].left_out.text
        tail = f"; left out: {left_out}" if left_out else ""
        if self.outcome is Outcome.NOT_WORSE:
            return f"PASS: {b} is shown not worse than {a} by {margin}: {numbers}{tail}"
        if self.outcome is Outcome.WORSE:
            return f"WORSE: {b} is shown worse than {a}, and not shown to be within {margin}: {numbers}{tail}"
        more = self.more_states
        if self.open:
            need = "play what is left out first (simpler-eval run --resume RUN --retry-errored)"
        elif more is None:
            need = "no number of initial states tells a difference of 0 from a margin of 0"
        else:
            need = f"about {more} more initial states would tell with 80 % power, if the rates stay as they are"
        return f"CANNOT TELL whether {b} is worse than {a} by {margin}: {numbers}; {need}{tail}"

    def to_json(self) -> dict[str, object]:
        """JSON values; rates and differences in 0..1 and -1..1."""
        return {
            "outcome": self.outcome.name.lower().replace("_", " "),
            "exit_code": self.outcome.value,
            "line": self.line,
            "margin": self.margin,
            "difference": self.paired.difference,
            "interval": list(self.interval),
            "level": LEVEL,
            "episodes": self.paired.n,
            "initial_states": self.paired.states,
            "lost": self.paired.only_reference,
            "won": self.paired.only_other,
            "more_initial_states": self.more_states,
            "left_out": self.comparison.others[0].left_out.text,
        }


def gate_of(comparison: Comparison, margin: float) -> Gate:
    """Judge the one policy of a comparison by a margin in percentage points.

    Raises:
        UserError: the margin is not in 0..100, or it is 100, which everything passes.
    """
    if not 0 <= margin < 100:
        raise UserError(
            f"--margin {margin:g} is not a number of points that may be lost; give 0 or more and less than 100, such as 3."
        )
    share = margin / 100
    low, high = comparison.others[0].whole.interval(LEVEL)
    outcome = Outcome.NOT_WORSE if low > -share else Outcome.WORSE if high < 0 else Outcome.UNTOLD
    told = Gate(comparison, share, outcome)
    return replace(told, outcome=Outcome.UNTOLD) if told.open else told
