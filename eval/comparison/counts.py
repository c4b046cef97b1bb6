"""Verdicts of the same episodes by two policies, counted: difference, interval, test, and what they could have shown."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property

from eval.comparison.pairs import Pair
from eval.records.states import state_of
from eval.records.tallies import Judge
from eval.statistics.differences import design_effect, mcnemar_exact, sign_flip_exact, tango
from eval.statistics.intervals import Interval
from eval.statistics.power import smallest_difference


@dataclass(frozen=True)
class Paired:
    """Pairs, counted. A difference is that of the other policy minus the reference: above 0 the other is better."""

    name: str
    """Of the cell; ``all``."""
    n: int
    """Episodes with a verdict in both, each repeat as one."""
    both: int
    only_reference: int
    only_other: int
    sums: tuple[int, ...]
    """Of each initial state the sum over its episodes of other minus reference."""
    sizes: tuple[int, ...]
    """Episodes of each initial state."""

    @classmethod
    def of(cls, name: str, pairs: Sequence[Pair], judge: Judge) -> Paired:
        """Count pairs by a rule of success."""
        states: dict[Hashable, list[int]] = {}
        both = only_reference = only_other = 0
        for pair in pairs:
            a, b = judge(pair.reference), judge(pair.other)
            both += a and b
            only_reference += a and not b
            only_other += b and not a
            states.setdefault(state_of(pair.spec), []).append(int(b) - int(a))
        sums, sizes = tuple(map(sum, states.values())), tuple(map(len, states.values()))
        return cls(name, len(pairs), both, only_reference, only_other, sums, sizes)

    @property
    def states(self) -> int:
        """Initial states: the units that are taken for independent."""
        return len(self.sizes)

    @property
    def reference_rate(self) -> float:
        """0..1."""
        return (self.both + self.only_reference) / self.n

    @property
    def other_rate(self) -> float:
        """0..1."""
        return (self.both + self.only_other) / self.n

    @property
    def difference(self) -> float:
        """Other minus reference, -1..1."""
        return (self.only_other - self.only_reference) / self.n

    @property
    def changed(self) -> float:
        """Share of the episodes that one alone solved."""
        return (self.only_other + self.only_reference) / self.n

    @cached_property
    def effect(self) -> float:
        """Episodes that count as one independent one (:func:`eval.statistics.differences.design_effect`)."""
        return design_effect(self.sums, self.sizes, self.only_other + self.only_reference)

    @property
    def independent(self) -> float:
        """How many independent episodes there are as much as."""
        return self.n / self.effect

    def interval(self, level: float = 0.95) -> Interval:
        """Tango's, of the difference."""
        return tango(self.only_other / self.effect, self.only_reference / self.effect, self.independent, level)

    @cached_property
    def p(self) -> float:
        """McNemar's exact test over initial states, two-sided (:func:`eval.statistics.differences.sign_flip_exact`)."""
        return sign_flip_exact(self.sums)

    @cached_property
    def p_of_episodes(self) -> float:
        """McNemar's exact test as if all episodes were independent; where each state was played once it is ``p``."""
        return mcnemar_exact(self.only_other, self.only_reference)

    def smallest(self, alpha: float = 0.05) -> float | None:
        """The difference, 0..1, that so many initial states show in 4 of 5 comparisons, with as many stray changes as here."""
        stray = 2 * min(self.only_reference, self.only_other) / self.n
        return smallest_difference(round(self.independent), stray=stray, alpha=alpha)
