"""How much some episodes tell: as many independent ones as their initial states' likeness to themselves allows."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from eval.episode import EpisodeSpec
from eval.records.results import EpisodeRecord
from eval.records.states import state_of
from eval.records.tallies import Judge
from eval.statistics.differences import design_effect


def independent(
    specs: Iterable[EpisodeSpec], played: Mapping[str, Sequence[EpisodeRecord]], judge: Judge, repeats: int = 1
) -> float:
    """Episodes with a verdict, counted such that Wilson's interval of so many speaks about other initial states.

    Repeats of an episode count once. Variants that show an initial state again count as one where all of them end alike, each
    for itself where they have nothing to do with each other, and in between by the design effect: the variance between
    states as a multiple of what independent episodes would have (Rao and Scott, Biometrics 48, 1992).

    Args:
        specs: the episodes.
        played: their results by id.
        judge: what a success is.
        repeats: how often each was played.
    """
    states: dict[Hashable, list[float]] = {}
    verdicts = 0
    for spec in specs:
        ends = [judge(record) for record in played.get(spec.id, ()) if record.status != "errored"]
        if ends:
            verdicts += len(ends)
            states.setdefault(state_of(spec), []).append(sum(ends) / len(ends))
    sums, sizes = [sum(of) for of in states.values()], [len(of) for of in states.values()]
    return verdicts / repeats / design_effect(sums, sizes, sum(sums)) if verdicts else 0.0
