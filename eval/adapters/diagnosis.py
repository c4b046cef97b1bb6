"""Which known errors make two sides agree that do not.

A side's observations may be changed by one error of what is shown, and every component of its actions by one of what is said;
and one side may be ahead by a step. What makes everything agree is the diagnosis, the fewest errors first. Where nothing does,
an error that explains most of the difference is named as likely, and else none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from eval.adapters.asking import AskedPolicy, Floats, Trace
from eval.adapters.observations import ObservedEpisode
from eval.adapters.said import COLUMNS, SAID, SHIFTS, Component, SaidError
from eval.adapters.seen import SEEN, SeenError, resizings
from policies.base import RobotName

Side = Literal["POLICY", "REFERENCE"]
SIDES: tuple[Side, Side] = ("POLICY", "REFERENCE")
Verdict = Literal["agree", "explained", "likely", "unexplained"]
LIKELY = 0.2
"""Share of a difference that may be left where an error is named as likely."""
SHIFTED = 0.45
"""Share of the steps that must agree for a shift: of chunks of two, every other one."""
SCREEN_STEPS = 3
"""Steps of each episode by which ways to resize are told apart, before one is tried on all."""
MORE, CLEARLY_MORE = 0.05, 0.3
"""Share of the steps by which an error must help; and where one side is ahead of the other."""
RELATIVE = 1e-5
"""Of a number, beside the absolute tolerance: what is sent as float32 has seven digits."""


@dataclass(frozen=True)
class Finding:
    """One error, and whose it would be."""

    error: str
    side: Side
    text: str


@dataclass(frozen=True)
class Diagnosis:
    """Of one robot."""

    verdict: Verdict
    findings: tuple[Finding, ...] = ()
    agreeing: float = 1.0
    """Share of the steps that agree once the findings are taken into account."""
    left: float = 0.0
    """Share of the difference that is left then."""


@dataclass(frozen=True)
class _Try:
    """A change of what is shown, or none, with what both sides answer then."""

    policy: Trace
    reference: Trace
    seen: Finding | None = None


@dataclass(frozen=True)
class _Explained:
    """How well one try does, with the best error of every component."""

    findings: tuple[Finding, ...]
    agreeing: float
    left: float


@dataclass
class Sides:
    """Both policies about the episodes of one robot."""

    policy: AskedPolicy
    reference: AskedPolicy
    episodes: Sequence[ObservedEpisode]
    robot: RobotName
    tolerance: float
    traces: tuple[Trace, Trace] = field(init=False)

    def __post_init__(self) -> None:
        self.traces = self.policy.trace(self.episodes), self.reference.trace(self.episodes)


def diagnose(sides: Sides) -> Diagnosis:
    """Compare, and look for the cause where they differ."""
    plain = _Try(*sides.traces)
    if all(_agree(*pair, sides.tolerance).all() for pair in zip(*sides.traces, strict=True)):
        return Diagnosis("agree")
    found: list[_Explained] = []
    for stage in (_said_otherwise, _shown_otherwise, _resized):
        looked = [_explain(one, plain, sides, shift) for one, shift in stage(plain, sides)]
        if (best := _fewest(looked)) is not None:
            return Diagnosis("explained", best.findings, best.agreeing, best.left)
        found += looked
    likely = min(found, key=lambda one: (one.left, len(one.findings)))
    if likely.left <= LIKELY and likely.findings:
        return Diagnosis("likely", likely.findings, likely.agreeing, likely.left)
    alone = _explain(plain, plain, sides, 0)
    return Diagnosis("unexplained", (), _share(plain, sides.tolerance), alone.left)


def _said_otherwise(plain: _Try, sides: Sides) -> Iterator[tuple[_Try, int]]:
    yield plain, 0
    for shift in SHIFTS:
        yield plain, shift


def _shown_otherwise(plain: _Try, sides: Sides) -> Iterator[tuple[_Try, int]]:
    for error in SEEN:
        for one in _both(sides, error):
            for shift in (0, *SHIFTS):
                yield one, shift


def _resized(plain: _Try, sides: Sides) -> Iterator[tuple[_Try, int]]:
    """Of each side the way that comes nearest in the first steps, tried on all. Where both are it exactly, both are told."""
    nearest: dict[Side, tuple[float, SeenError]] = {}
    short: dict[Side, Trace] = {
        side: tuple(rows[:SCREEN_STEPS] for rows in trace) for side, trace in zip(SIDES, sides.traces, strict=True)
    }
    for error in resizings():
        for side in SIDES:
            asked = sides.reference if side == "POLICY" else sides.policy
            answer = asked.try_trace(sides.episodes, error.change, SCREEN_STEPS)
            if isinstance(answer, str):
                continue
            off = _rms([a[:, :6] - b[:, :6] for a, b in zip(answer, short[side], strict=True)])
            if side not in nearest or off < nearest[side][0]:
                nearest[side] = off, error
    for side, (_, error) in nearest.items():
        other = next((entry for key, entry in nearest.items() if key != side), None)
        beside = (
            f", the other side {other[1].about.removeprefix('resizes images ')}"
            if other and other[0] <= sides.tolerance
            else ""
        )
        for one in _both(sides, replace(error, about=error.about + beside), side):
            yield one, 0


def _both(sides: Sides, error: SeenError, only: Side | None = None) -> Iterator[_Try]:
    if only != "REFERENCE":
        changed = sides.reference.try_trace(sides.episodes, error.change)
        if not isinstance(changed, str):
            yield _Try(sides.traces[0], changed, Finding(error.name, "POLICY", error.about))
    if only != "POLICY":
        changed = sides.policy.try_trace(sides.episodes, error.change)
        if not isinstance(changed, str):
            yield _Try(changed, sides.traces[1], Finding(error.name, "REFERENCE", error.about))


def _explain(one: _Try, plain: _Try, sides: Sides, shift: int) -> _Explained:
    """The best error of every component, and what they come to together."""
    findings = [] if one.seen is None else [one.seen]
    if shift:
        findings.append(Finding("off_by_one", "POLICY", SHIFTS[shift]))
    agree: Floats | None = None
    left = 0.0
    for component, columns in COLUMNS.items():
        mine, other = ([rows[:, columns] for rows in trace] for trace in (one.policy, one.reference))
        begun = _rms([a[:, columns] - b[:, columns] for a, b in zip(plain.policy, plain.reference, strict=True)])
        scale = max(begun, 0.1 * _rms([rows - rows.mean(axis=0) for rows in other]), sides.tolerance)
        finding, steps, off = _best(component, mine, other, sides, shift)
        findings += [] if finding is None else [finding]
        if agree is None:
            agree = steps
        elif not (shift and component == "gripper"):  # what a gripper holds depends on when it began to
            agree = agree * steps
        left = max(left, off / scale)
    assert agree is not None
    return _Explained(tuple(findings), float(agree.mean()) if len(agree) else 0.0, left)


def _best(
    component: Component, mine: Sequence[Floats], other: Sequence[Floats], sides: Sides, shift: int
) -> tuple[Finding | None, Floats, float]:
    """The error of one component that makes most steps agree, the plainest first; None: there need be none."""
    finding: Finding | None = None
    steps, off = _compared(mine, other, sides.tolerance, shift)
    for error in SAID:
        if error.component != component or sides.robot not in error.robots:
            continue
        side: Side
        for side in ("POLICY", "REFERENCE"):
            if steps.all():
                return finding, steps, off
            a, b = (mine, _changed(other, error)) if side == "POLICY" else (_changed(mine, error), other)
            now, now_off = _compared(a, b, sides.tolerance, shift)
            more, closer = now.mean() - steps.mean(), now_off < off / 2
            if more > (CLEARLY_MORE if shift else MORE) or (closer and more >= 0 and not shift):
                whose: Side = side if not error.mends else "REFERENCE" if side == "POLICY" else "POLICY"
                finding, steps, off = Finding(error.name, whose, error.about), now, now_off
    return finding, steps, off


def _changed(trace: Sequence[Floats], error: SaidError) -> list[Floats]:
    with np.errstate(all="ignore"):
        return [np.asarray(error.change(rows), np.float64) for rows in trace]


def _compared(mine: Sequence[Floats], other: Sequence[Floats], tolerance: float, shift: int) -> tuple[Floats, float]:
    """Which steps agree (1.0 or 0.0), and the root mean square of the differences; ``mine`` is ahead by ``shift``."""
    pairs = [_shifted(a, b, shift) for a, b in zip(mine, other, strict=True)]
    steps = np.concatenate([_agree(a, b, tolerance).all(axis=1).astype(np.float64) for a, b in pairs])
    return steps, _rms([a - b for a, b in pairs])


def _shifted(mine: Floats, other: Floats, shift: int) -> tuple[Floats, Floats]:
    if not shift:
        return mine, other
    return (mine[:-shift], other[shift:]) if shift > 0 else (mine[-shift:], other[:shift])


def _agree(mine: Floats, other: Floats, tolerance: float) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.abs(mine - other) <= tolerance + RELATIVE * np.abs(other)


def _share(one: _Try, tolerance: float) -> float:
    return float(_compared(one.policy, one.reference, tolerance, 0)[0].mean())


def _rms(differences: Sequence[Floats]) -> float:
    whole = np.concatenate([rows.ravel() for rows in differences])
    return float(np.sqrt(np.mean(whole**2))) if whole.size else 0.0


def _fewest(found: Sequence[_Explained]) -> _Explained | None:
    """The explanation of the fewest errors. One of a shift need not hold at the seams of chunks."""
    whole = [one for one in found if one.findings and one.agreeing >= (SHIFTED if _has_shift(one) else 1.0)]
    return min(whole, key=lambda one: (_has_shift(one), len(one.findings), -one.agreeing), default=None)


def _has_shift(one: _Explained) -> bool:
    return any(finding.error == "off_by_one" for finding in one.findings)
