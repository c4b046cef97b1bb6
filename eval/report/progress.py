"""How success comes about: when the flag first comes up, what of the task was done, and how the failures end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles

from eval.episode import DRAWERS
from eval.records.aggregation import counts
from eval.records.results import EpisodeRecord
from eval.report.entries import Entry, Played
from eval.tasks.cabinet import OPEN

BARELY = 0.01
"""m: a drawer that moved less did not move."""


@dataclass(frozen=True)
class Curve:
    """Share of the judged episodes whose flag had been up by each control step."""

    task: str
    setting: str
    steps: int
    """Step limit."""
    points: tuple[tuple[int, float], ...]
    """(step, share 0..1) wherever it rises; begins with (0, 0)."""
    last: float
    """Share whose flag was up at the last step: the protocol's success."""
    n: int


@dataclass(frozen=True)
class Score:
    """A statistic of a task over the judged episodes."""

    title: str
    about: str
    count: int
    """Episodes in which it holds."""
    n: int
    quartiles: tuple[float, float, float] | None = None
    """Of a quantity that is more than yes or no."""
    unit: str = ""
    """Of the quartiles; empty where nobody said."""


@dataclass(frozen=True)
class Scores:
    """What of a task was done, and how its failures end."""

    task: str
    setting: str
    scores: tuple[Score, ...]
    failures: tuple[tuple[str, int], ...]
    """Kind and how often, the most frequent first."""


TITLES: Mapping[str, tuple[str, str]] = {
    "grasped": ("grasped", "the object was between the fingers at some step"),
    "consec_grasp": ("held", "the grasp lasted for five steps"),
    "n_lift_significant": ("lifted high", "the object was held clearly above where it lay at some step"),
    "all_obj_keep_height": ("nothing fell", "all objects are at their height at the end"),
    "moved_correct_obj": ("moved the right object", "it moved the farthest of all, at the end"),
    "moved_wrong_obj": ("moved a wrong object", "another one moved farther, at the end"),
    "near_tgt_obj": ("near the goal", "at the end"),
    "is_closest_to_tgt": ("closest to the goal", "no other object is closer to it, at the end"),
    "is_src_obj_grasped": ("grasped", "the object was between the fingers at some step"),
    "consecutive_grasp": ("held", "the grasp lasted for five steps"),
    "src_on_target": ("on the goal", "at the end"),
    "is_drawer_open": ("drawer opened", f"by {OPEN:g} m or more at some step"),
    "has_contact": ("lay in the drawer", "the object pressed on the drawer's floor at some step"),
    "qpos": ("opening of the drawer", "at the end"),
}
"""Statistic of the original -> what it is called, and what it means."""
UNITS: Mapping[str, str] = {"qpos": "m"}


def judged(episodes: Sequence[Played]) -> list[tuple[Played, EpisodeRecord]]:
    """Those with a verdict, of the variants that count in the published average, as in the tables; of all if none does."""
    some = [(e, e.record) for e in episodes if e.record is not None and e.outcome in ("success", "failure")]
    return [pair for pair in some if counts((*pair[0].place, pair[0].spec.variant))] or some


def curves(entry: Entry) -> list[Curve]:
    """One for every task and setting with a verdict."""
    found = []
    for (task, setting), episodes in entry.by_place():
        some = judged(episodes)
        if not some:
            continue
        rises = Counter(record.first_success_step for _, record in some if record.first_success_step is not None)
        points, up = [(0, 0.0)], 0
        for step in sorted(rises):
            up += rises[step]
            points.append((step, up / len(some)))
        last = sum(record.status == "success" for _, record in some) / len(some)
        limit = max([episode.spec.max_steps for episode, _ in some] + [step for step, _ in points])
        found.append(Curve(task, setting, limit, tuple(points), last, len(some)))
    return found


def scores(entry: Entry) -> list[Scores]:
    """One for every task and setting with a verdict."""
    found = []
    for (task, setting), episodes in entry.by_place():
        some = judged(episodes)
        if not some:
            continue
        names = dict.fromkeys(name for _, record in some for name in record.episode_stats)
        shown = tuple(score for name in names if (score := _score(name, [record for _, record in some])))
        kinds = Counter(kind_of_failure(e, r) for e, r in some if e.outcome == "failure")
        found.append(Scores(task, setting, shown, tuple(kinds.most_common())))
    return found


def _score(name: str, records: Sequence[EpisodeRecord]) -> Score | None:
    """None for what is no number: a text of a user's world."""
    title, about = TITLES.get(name, (name.replace("_", " "), ""))
    values = [value for record in records if (value := number_of(record.episode_stats.get(name))) is not None]
    if not values:
        return None
    if name not in UNITS and all(float(value).is_integer() for value in values):
        return Score(title, about, sum(value > 0 for value in values), len(values))
    low, middle, high = quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return Score(title, about, sum(value > 0 for value in values), len(values), (low, middle, high), UNITS.get(name, ""))


def number_of(value: object) -> float | None:
    """A statistic as a number; drawers give theirs as texts."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            return None
    return float(value) if isinstance(value, bool | int | float) and abs(value) < float("inf") else None


def kind_of_failure(episode: Played, record: EpisodeRecord) -> str:
    """How far an episode came that failed, in words: the first stage of its task that it did not reach."""
    if record.success_any:
        return "succeeded, then lost it"
    stats = {name: number_of(value) or 0.0 for name, value in record.episode_stats.items()}
    if not stats:
        return "no statistics were recorded"
    return STAGES[episode.spec.rule.family](episode, stats)


def _grasp(episode: Played, stats: Mapping[str, float]) -> str:
    if not stats.get("grasped"):
        return "never grasped"
    return "held, not lifted enough" if stats.get("consec_grasp") else "grasped, but lost at once"


def _move_near(episode: Played, stats: Mapping[str, float]) -> str:
    if stats.get("moved_wrong_obj"):
        return "moved a wrong object"
    if not stats.get("moved_correct_obj"):
        return "did not move the object"
    if not stats.get("all_obj_keep_height"):
        return "something fell"
    if not stats.get("near_tgt_obj"):
        return "moved it, but not near the goal"
    return "near the goal, but nearer to another object"


def _put_on(episode: Played, stats: Mapping[str, float]) -> str:
    if not stats.get("is_src_obj_grasped"):
        return "moved a wrong object" if stats.get("moved_wrong_obj") else "never grasped"
    return "grasped and moved, not on the goal" if stats.get("moved_correct_obj") else "grasped, not moved away"


def _drawer(episode: Played, stats: Mapping[str, float]) -> str:
    cabinet = episode.spec.cabinet
    start = dict(zip(DRAWERS, cabinet.qpos, strict=False)).get(cabinet.drawer, 0.0) if cabinet else 0.0
    return (
        "moved the drawer, but not far enough" if abs(stats.get("qpos", start) - start) >= BARELY else "did not move the drawer"
    )


def _place(episode: Played, stats: Mapping[str, float]) -> str:
    if stats.get("is_drawer_open"):
        return "opened the drawer, but the object did not get in"
    return "opened the drawer a little" if stats.get("qpos", 0.0) >= BARELY else "did not open the drawer"


STAGES: Mapping[str, Callable[[Played, Mapping[str, float]], str]] = {
    "grasp": _grasp, "move_near": _move_near, "put_on": _put_on, "drawer": _drawer, "place": _place,
}  # fmt: skip
"""Family -> which stage a failure did not reach."""
