"""What became of the episodes of a plan, counted: by variant, by another rule of success, by repeat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from eval.episode import EpisodeSpec
from eval.records.results import EpisodeRecord, RecordKey, Records, by_episode
from eval.statistics.intervals import wilson

Key = tuple[str, str, str]
"""Task, setting, variant."""
Judge = Callable[[EpisodeRecord], bool]
SuccessRule = Literal["last", "any"]
"""Which flag counts: that of the last step, as the protocol has it, or that of any step."""


@dataclass(frozen=True)
class Tally:
    """What became of some episodes of a plan."""

    planned: int
    n: int
    """With a verdict."""
    successes: int
    errored: int

    @property
    def missing(self) -> int:
        """Not played (yet)."""
        return self.planned - self.n - self.errored

    @property
    def complete(self) -> bool:
        """Whether every planned episode has a verdict."""
        return 0 < self.planned == self.n

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.planned + other.planned, self.n + other.n, self.successes + other.successes, self.errored + other.errored
        )


NOTHING = Tally(0, 0, 0, 0)


def rate_interval(rate: float | None, independent: float) -> tuple[float, float] | None:
    """95 % Wilson interval around a rate, each end in 0..1; None without a rate.

    ``independent`` is as of :func:`eval.records.independence.independent`: repeats of a scene and looks of an initial state
    resemble each other, and a hundred of them tell little about other states. How much repeats differ is said by their spread.
    """
    return None if rate is None else wilson(rate * independent, independent)


def lacks(n: int, errored: int, missing: int, absent: Sequence[str] = ()) -> str:
    """What keeps a row from having a rate, in words: parts that were not planned, errored and missing episodes."""
    texts = [f"{', '.join(absent)} not planned"] if absent else []
    if errored:
        texts.append(f"{errored} errored")
    if missing:
        texts.append(f"{missing} not played" if n or errored else "not played")
    return "; ".join(texts)


def succeeded(record: EpisodeRecord) -> bool:
    """The protocol's success: the flag of the last step."""
    return record.status == "success"


def succeeded_once(record: EpisodeRecord) -> bool:
    """Whether the flag was up at any step, whatever came of it."""
    return record.status != "errored" and record.success_any


JUDGES: Mapping[SuccessRule, Judge] = {"last": succeeded, "any": succeeded_once}


def grasped(record: EpisodeRecord) -> bool:
    """Partial success of the WidowX tasks: the source is in the gripper at the end."""
    return bool(record.episode_stats.get("is_src_obj_grasped", False))


def tally_variants(
    plan: Iterable[EpisodeSpec], records: Records, judge: Judge = succeeded, repeats: int = 1
) -> dict[Key, Tally]:
    """Counts of every variant, in the order of the plan; every repeat of an episode counts as one."""
    tallies: dict[Key, Tally] = {}
    played = by_episode(records)
    for spec in plan:
        key = (spec.task, spec.setting, spec.variant)
        results = played.get(spec.id, ())
        judged = [record for record in results if record.status != "errored"]
        tally = Tally(max(repeats, len(results)), len(judged), sum(map(judge, judged)), len(results) - len(judged))
        tallies[key] = tallies.get(key, NOTHING) + tally
    return tallies


def by_repeat(records: Records, repeats: int) -> Sequence[Records]:
    """The records of each repeat."""
    parts: list[dict[RecordKey, EpisodeRecord]] = [{} for _ in range(repeats)]
    for key, record in records.items():
        if key.repeat < repeats:
            parts[key.repeat][key] = record
    return parts


def spread(rates: Iterable[float | None]) -> float | None:
    """Standard deviation (of a sample) of the rates that there are; None if they are fewer than two."""
    known = [rate for rate in rates if rate is not None]
    return float(np.std(known, ddof=1)) if len(known) > 1 else None


def macro_mean(tallies: Iterable[Tally], partial: bool = False) -> float | None:
    """Mean of the rates, each with the same weight. None if one is incomplete; ``partial`` uses what there is."""
    rates = []
    for tally in tallies:
        if tally.complete or (partial and tally.n):
            rates.append(tally.successes / tally.n)
        elif not partial:
            return None
    return float(np.mean(rates)) if rates else None
