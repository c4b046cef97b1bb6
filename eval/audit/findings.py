"""What the conditions say about a policy, in words that claim no more than was shown."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Literal

import numpy as np

from eval.audit.conditions import CONDITIONS, Condition, ConditionName
from eval.audit.playing import Played
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.records.folder import RunData
from eval.records.independence import independent
from eval.records.moments import read_array
from eval.records.numerals import p_equals, span
from eval.records.results import EpisodeRecord, RecordKey, by_episode
from eval.records.states import state_of
from eval.records.tallies import JUDGES
from eval.rollout.kept_actions import FOLDER as ACTIONS
from eval.statistics.differences import design_effect, holm, newcombe, sign_flip_exact, tango
from eval.statistics.intervals import Interval
from eval.statistics.power import episodes_needed

ALPHA = 0.05
PAIRED: tuple[ConditionName, ...] = ("blank_picture", "other_picture", "other_instruction")
"""Conditions that are played on the same episodes."""
SAME = 1e-4
"""Largest difference of two commands that count as the same: below, a GPU's rounding may make it."""
Z_TWO_SIDED, Z_POWER = 1.959964, 0.841621
Verdict = Literal["passed", "failed", "unsure", "not applicable"]

NOT: Mapping[ConditionName, tuple[str, str, str]] = {
    "blank_picture": ("It uses the image", "It does not use the image", "with a grey image"),
    "other_picture": (
        "It acts on what the image shows",
        "It does not act on what the image shows",
        "with the image of another episode",
    ),
    "other_instruction": ("It uses the instruction", "It does not use the instruction", "with the instruction of another task"),
    "heldout": ("It has not memorised the grid", "It has memorised the grid", "on held-out placements"),
}
"""What is said where a condition is passed, where it is not, and what was changed."""


@dataclass(frozen=True)
class Reaction:
    """What the policy did otherwise."""

    n: int
    """Episodes that were played both ways and whose actions are kept."""
    first: int
    """Of them, those whose first action differs."""
    any: int
    """Of them, those in which any action differs."""


@dataclass(frozen=True)
class Finding:
    """One row of an audit."""

    condition: Condition
    verdict: Verdict
    sentence: str
    n: int = 0
    """Episodes of the unmodified policy."""
    successes: int = 0
    """Successes among them."""
    changed_n: int = 0
    changed: int = 0
    """Episodes, and successes, under the condition; of the same episodes but for held-out placements."""
    interval: Interval | None = None
    """95 %, of the fall of the success rate, 0..1."""
    p: float | None = None
    """McNemar's exact test, with Holm's correction over the conditions; None for held-out placements."""
    reaction: Reaction | None = None

    @property
    def fall(self) -> float | None:
        """Of the success rate, 0..1."""
        return self.successes / self.n - self.changed / self.changed_n if self.n and self.changed_n else None


@dataclass(frozen=True)
class Audit:
    """All that an audit found."""

    played: Played
    margin: float
    """Fall of the success rate, 0..1, below which a condition is said to make no difference."""
    repeats_itself: bool | None
    """Whether the first action of an episode is the same when it is asked again; None: not known."""
    findings: tuple[Finding, ...]


def find(played: Played, margin: float) -> Audit:
    """Judge what was played; ``margin`` as of :class:`Audit`."""
    base = played.runs["published"]
    same = repeats_itself(base, played.runs.get("again"))
    paired = [name for name in PAIRED if name in played.runs]
    tables = {name: _paired(base, played.runs[name]) for name in paired}
    tests = dict(zip(tables, holm([sign_flip_exact(table.sums) for table in tables.values()]), strict=True))
    findings = []
    for name, condition in CONDITIONS.items():
        if name in ("published", "again"):
            continue
        if name in played.not_applicable:
            findings.append(Finding(condition, "not applicable", f"Not applicable: {played.not_applicable[name]}."))
        elif name == "heldout":
            findings.append(_heldout(condition, base, played.runs[name], margin))
        else:
            reaction = _reaction(base, played.runs[name])
            findings.append(_judged(condition, tables[name], tests[name], reaction, margin, same))
    return Audit(played, margin, same, tuple(findings))


def repeats_itself(base: RunData, again: RunData | None) -> bool | None:
    """Whether the first steps that were played once more have the same actions."""
    if again is None:
        return None
    pairs = [(_actions(base, spec.id), _actions(again, spec.id)) for spec in again.plan]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    return all(np.abs(a[0] - b[0]).max() <= SAME for a, b in known) if known else None


def _judged(condition: Condition, table: _Paired, p: float, reaction: Reaction, margin: float, same: bool | None) -> Finding:
    """A condition that was played on the same episodes."""
    passed, failed, when = NOT[condition.name]
    n, successes, lost, won = table.n, table.successes, table.lost, table.won
    interval = tango(lost / table.effect, won / table.effect, n / table.effect)
    changed = successes - lost + won
    told = _told(successes, n, changed, n, interval)
    untouched = reaction.n > 0 and reaction.any == 0
    verdict: Verdict
    if not n:
        verdict, text = "unsure", "Cannot tell: no episode has a verdict both ways"
    elif untouched and reaction.n == n:
        verdict, text = (
            "failed",
            f"{failed}: {when} its actions are the same to the last one in "
            f"{'the one episode' if n == 1 else f'all {n} episodes'}",
        )
    elif not successes:
        verdict, text = (
            "unsure",
            f"Cannot tell by success: it solves none of the {counted(n, 'episode')} as {noun(n, 'it is', 'they are')}",
        )
    elif p < ALPHA and lost > won:
        verdict, text = "passed", f"{passed}: {when} it solves fewer ({told}; {p_equals(p)})"
    elif interval.high < margin:
        verdict, text = "failed", f"{failed}: {when} success falls by less than the margin of {_points(margin)} ({told})"
    else:
        needed = episodes_needed(margin, min(0.95, max(0.05, successes / n)), stray=(lost + won) / n if lost + won else None)
        verdict, text = "unsure", f"Cannot tell at {counted(n, 'episode')} ({told}); {_needs(needed, margin)}"
    if verdict == "unsure" and reaction.n and not untouched and same:
        text += f". It does react: {when} the first action differs in {reaction.first} of {counted(reaction.n, 'episode')}"
    return Finding(condition, verdict, f"{text}.", n, successes, n, changed, interval, p, reaction)


def _heldout(condition: Condition, base: RunData, other: RunData, margin: float) -> Finding:
    """Other initial states, so not paired."""
    passed, failed, when = NOT[condition.name]
    (n, k), (m, j) = _tally(base), _tally(other)
    ours, theirs = (_independent(run) for run in (base, other))
    interval = newcombe(k / n * ours if n else 0, ours, j / m * theirs if m else 0, theirs)
    told = _told(k, n, j, m, interval)
    verdict: Verdict
    if not n or not m:
        verdict, text = "unsure", "Cannot tell: no episode has a verdict"
    elif not k:
        verdict, text = "unsure", f"Cannot tell: it solves none of the {counted(n, 'published episode')}"
    elif interval.low > 0:
        verdict, text = "failed", f"{failed}, at least in part: {when} it solves fewer ({told})"
    elif interval.high < margin:
        verdict, text = "passed", f"{passed}: {when} success falls by less than the margin of {_points(margin)} ({told})"
    else:
        rate = min(0.95, max(0.05, (k + j) / (n + m)))
        needed = ceil(2 * rate * (1 - rate) * ((Z_TWO_SIDED + Z_POWER) / margin) ** 2)
        verdict, text = "unsure", f"Cannot tell at {n} and {counted(m, 'episode')} ({told}); {_needs(needed, margin)}"
    return Finding(condition, verdict, f"{text}.", n, k, m, j, interval)


def _told(k: int, n: int, j: int, m: int, interval: Interval) -> str:
    if not n or not m:
        return ""
    fall = f"a fall of {_points(k / n - j / m)}, 95 % interval {span(interval)}"
    return f"{k} of {n} solved unmodified, {j} of {m} under the condition: {fall}"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points".replace(".0 ", " ")


def _needs(needed: int | None, margin: float) -> str:
    fall = f"a fall of {_points(margin)}"
    if needed is None:
        return f"{fall} cannot be shown"
    return f"about {counted(needed, 'episode')} would detect {fall} with 80 % power"


# ---- counting ----------------------------------------------------------------------------------------------------------


def _verdicts(run: RunData) -> dict[RecordKey, bool]:
    judge = JUDGES[run.header.options.success]
    return {key: bool(judge(record)) for key, record in run.records.items() if _known(record)}


def _known(record: EpisodeRecord) -> bool:
    return record.status != "errored"


def _tally(run: RunData) -> tuple[int, int]:
    verdicts = _verdicts(run)
    return len(verdicts), sum(verdicts.values())


@dataclass(frozen=True)
class _Paired:
    """Episodes that have a verdict both ways, counted."""

    n: int
    successes: int
    """As it is."""
    lost: int
    """Solved unmodified alone."""
    won: int
    """Solved under the condition alone."""
    sums: tuple[int, ...]
    """Of each initial state, won minus lost: variants that show a state again are one unit."""
    effect: float
    """Episodes that count as an independent one."""


def _paired(base: RunData, other: RunData) -> _Paired:
    ours, theirs = _verdicts(base), _verdicts(other)
    both = [key for key in ours if key in theirs]
    lost = sum(ours[key] and not theirs[key] for key in both)
    won = sum(theirs[key] and not ours[key] for key in both)
    state = {spec.id: state_of(spec) for spec in base.plan}
    groups: dict[Hashable, list[int]] = {}
    for key in both:
        groups.setdefault(state[key.episode], []).append(int(theirs[key]) - int(ours[key]))
    sums, sizes = tuple(map(sum, groups.values())), tuple(map(len, groups.values()))
    effect = design_effect(sums, sizes, lost + won)
    return _Paired(len(both), sum(ours[key] for key in both), lost, won, sums, effect)


def _independent(run: RunData) -> float:
    judge = JUDGES[run.header.options.success]
    return independent(run.plan, by_episode(run.records), judge, run.header.repeats)


def _reaction(base: RunData, other: RunData) -> Reaction:
    keys: Sequence[str] = sorted(key.episode for key in _verdicts(base).keys() & _verdicts(other).keys())
    pairs = [(_actions(base, key), _actions(other, key)) for key in keys]
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    first = sum(bool(np.abs(a[0] - b[0]).max() > SAME) for a, b in known)
    differs = sum(len(a) != len(b) or bool(np.abs(a - b).max() > SAME) for a, b in known)
    return Reaction(len(known), first, differs)


def _actions(run: RunData, episode: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]] | None:
    """(T, 7), or None where none are kept."""
    file = run.path / ACTIONS / f"{episode}.npy"
    if not file.exists():
        return None
    actions = read_array(file, "the actions", "remove the file to judge without that episode")
    if actions.ndim != 2 or actions.shape[1] != 7 or actions.dtype.kind != "f":
        raise UserError(f"{file} holds {actions.dtype} {actions.shape}, not the actions of an episode; remove it.")
    return actions if len(actions) else None
