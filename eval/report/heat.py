"""Success by variant, as tables whose cells are coloured and hold their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eval.records.aggregation import counts
from eval.report.entries import Entry, Played

WHOLE = "success"
"""Head of the only column of a task whose variants have no such axis."""


@dataclass(frozen=True)
class Square:
    """A variant."""

    variant: str
    successes: int
    n: int
    errored: int
    missing: int
    counted: bool
    """Whether it enters the published average."""

    @property
    def rate(self) -> float | None:
        """0..1; None without a verdict."""
        return self.successes / self.n if self.n else None


@dataclass(frozen=True)
class HeatMap:
    """The variants of a task in a setting, by the first part of their names and by the rest."""

    task: str
    setting: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Square | None, ...]], ...]

    @property
    def uncounted(self) -> bool:
        """Whether it has variants that the published average leaves out."""
        return any(square is not None and not square.counted for _, squares in self.rows for square in squares)


def kind_and_rest(variant: str) -> tuple[str, str]:
    """What is to be done (an orientation, a drawer), and what the world looks like; ``horizontal/urdf=none``."""
    kind, slash, rest = variant.partition("/")
    return (kind, rest) if slash else (WHOLE, variant)


def heat_maps(entry: Entry) -> list[HeatMap]:
    """One for every task and setting."""
    maps = []
    for (task, setting), episodes in entry.by_place():
        variants: dict[str, list[Played]] = {}
        for episode in episodes:
            variants.setdefault(episode.spec.variant, []).append(episode)
        squares = {kind_and_rest(name): _square(task, setting, name, some) for name, some in variants.items()}
        kinds = list(dict.fromkeys(kind for kind, _ in squares))
        rests = list(dict.fromkeys(rest for _, rest in squares))
        rows = tuple((rest, tuple(squares.get((kind, rest)) for kind in kinds)) for rest in rests)
        maps.append(HeatMap(task, setting, tuple(kinds), rows))
    return maps


def _square(task: str, setting: str, variant: str, episodes: Sequence[Played]) -> Square:
    outcomes = [episode.outcome for episode in episodes]
    solved = outcomes.count("success")
    return Square(
        variant, solved, solved + outcomes.count("failure"), outcomes.count("errored"), outcomes.count("missing"),
        counts((task, setting, variant)),
    )  # fmt: skip
