"""The ranges that a checkpoint's actions are scaled with: from ``dataset_statistics.json``, by data set, one a robot."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError, did_you_mean
from policies.base import RobotName
from policies.phi3v.config import read_json

Floats = NDArray[np.float64]

STATISTICS = "dataset_statistics.json"
NORM_STATS = "norm_stats"
"""Where OpenVLA's layout keeps the same, in ``config.json``."""
ROBOTS: tuple[RobotName, ...] = get_args(RobotName)
UNNORM_KEYS: Mapping[RobotName, str] = {"google_robot": "fractal20220817_data", "widowx": "bridge_orig"}
"""Data set that a robot's ranges come from unless something else is said."""


@dataclass(frozen=True)
class Range:
    """How a data set was normalised; arrays (7,)."""

    q01: Floats
    q99: Floats
    mask: NDArray[np.bool_]
    """True: normalised by the quantiles; False: the number is meant as it is (gripper)."""

    def unnormalise(self, values: Floats) -> Floats:
        """(..., 7) numbers in -1..1 -> metres, radians, gripper 0 closed .. 1 open."""
        return np.where(self.mask, 0.5 * (values + 1) * (self.q99 - self.q01) + self.q01, values)


@dataclass(frozen=True)
class Ranges:
    """Which range each robot's actions are scaled with. Nothing here depends on what is played."""

    keys: Mapping[RobotName, str]
    """Of every robot that has one."""
    ranges: Mapping[RobotName, Range]
    source: str
    """Where they stand, for messages."""
    known: tuple[str, ...]
    """All keys there."""
    remarks: tuple[str, ...] = ()
    """For titles: where it is not simply the robot's own data set."""

    def require(self, robots: Collection[RobotName]) -> None:
        """Raise UserError if one of the robots has no range."""
        for robot in sorted(robots):
            if robot not in self.ranges:
                key = UNNORM_KEYS[robot]
                raise UserError(
                    f'{self.source} has no "{key}", which {robot} needs; it has: {", ".join(self.known)}.'
                    f"{_nearest(key, self.known)} Choose one with --unnorm-key {robot}=KEY."
                )


def read_ranges(folder: Path, unnorm_key: str | None = None) -> Ranges:
    """The ranges of a checkpoint.

    Args:
        folder: with ``dataset_statistics.json``, or ``norm_stats`` in ``config.json``. Where both are, the file counts, as in
            OpenVLA.
        unnorm_key: ``KEY`` for all robots, ``robot=KEY`` for one, or several of these with commas between. A robot that is
            not named takes the key of its own data set, or the only key there is, unless that is another robot's.

    Returns:
        The ranges of all robots that have one.

    Raises:
        UserError: no robot has one, a key that was chosen is not there, or an entry is broken.
    """
    content, source, inside = _statistics(folder)
    action = content.get("action")
    if "q01" in content or (isinstance(action, Mapping) and "q01" in action):
        raise UserError(f'{source} is not sorted by data set; put it under a name: {{"my_data": {{"action": ...}}}}.')
    sets = tuple(sorted(key for key, entry in content.items() if isinstance(entry, Mapping)))
    chosen = parse_unnorm_key(unnorm_key)
    keys: dict[RobotName, str] = {}
    others: dict[str, list[RobotName]] = {}
    for robot in ROBOTS:
        key = chosen.get(robot)
        if key is not None and key not in sets:
            raise UserError(
                f'--unnorm-key: {source} has no "{key}"; it has: {", ".join(sets) or "nothing"}.{_nearest(key, sets)}'
            )
        if key is None and UNNORM_KEYS[robot] in sets:
            key = UNNORM_KEYS[robot]
        if key is None and len(sets) == 1 and sets[0] not in UNNORM_KEYS.values():
            key = sets[0]
        if key is not None:
            keys[robot] = key
            if key != UNNORM_KEYS[robot]:
                why = "" if robot in chosen else ", the only key there is"
                others.setdefault(f'"{key}"{why}', []).append(robot)
    ranges = {robot: _range(source, content, key) for robot, key in keys.items()}
    if not ranges:
        raise UserError(_nothing_for_any_robot(source, sets))
    remarks = [
        f"{'' if len(robots) == len(ROBOTS) else f'{robots[0]} '}actions scaled with {key}" for key, robots in others.items()
    ]
    differing = [key for key in dict.fromkeys(keys.values()) if key in inside and not _same(content[key], inside[key])]
    remarks += [f'"{key}" from {STATISTICS}, not from config.json, which differs' for key in differing]
    return Ranges(keys, ranges, source, sets, tuple(remarks))


def parse_unnorm_key(text: str | None) -> dict[RobotName, str]:
    """``KEY`` or ``robot=KEY``, or several with commas between -> key by robot; ``KEY`` is for all who are not named.

    Raises UserError for anything else.
    """
    if text is None:
        return {}
    named: dict[RobotName, str] = {}
    general: str | None = None
    for part in (part.strip() for part in text.split(",")):
        left, equals, right = (piece.strip() for piece in part.partition("="))
        if not left or (equals and not right):
            raise UserError(f'--unnorm-key "{text}" names no key; write KEY, or widowx=KEY for one robot.')
        robot = next((name for name in ROBOTS if name == left), None)
        if not equals:
            if robot is not None:
                raise UserError(f'--unnorm-key "{text}" names a robot without its key; write {robot}=KEY.')
            if general is not None:
                raise UserError(f'--unnorm-key names two keys for all robots, "{general}" and "{left}"; write widowx=KEY.')
            general = left
        elif robot is None:
            raise UserError(f'--unnorm-key "{part}": there is no robot "{left}".{did_you_mean(left, ROBOTS)}')
        elif named.setdefault(robot, right) != right:
            raise UserError(f'--unnorm-key names two keys for {robot}, "{named[robot]}" and "{right}".')
    return {robot: named.get(robot, general) for robot in ROBOTS if robot in named or general is not None}  # type: ignore[misc]


def _statistics(folder: Path) -> tuple[Mapping[str, Any], str, Mapping[str, Any]]:
    """Statistics by data set, where they stand, and those of ``config.json`` that they are taken before."""
    inside = read_json(folder / "config.json").get(NORM_STATS) if (folder / "config.json").is_file() else None
    if not isinstance(inside, Mapping):
        inside = None
    path = folder / STATISTICS
    if path.exists():
        return read_json(path), str(path), inside or {}
    if inside is None:
        raise UserError(f"{folder} has no {STATISTICS} (and no {NORM_STATS} in config.json): actions need its ranges.")
    return inside, f"{folder / 'config.json'} ({NORM_STATS})", {}


def _nothing_for_any_robot(source: str, sets: tuple[str, ...]) -> str:
    if not sets:
        return f"{source} holds no data set."
    lacking = " or ".join(f'"{UNNORM_KEYS[robot]}" ({robot})' for robot in ROBOTS)
    near = next(filter(None, (_nearest(UNNORM_KEYS[robot], sets) for robot in ROBOTS)), "")
    ways = "Choose with --unnorm-key KEY, or --unnorm-key widowx=KEY."
    return f"{source} has no {lacking}; it has: {', '.join(sets)}.{near} {ways}"


def _nearest(key: str, known: Collection[str]) -> str:
    """The nearest key, where one is near; all of them are in the message anyway."""
    said = did_you_mean(key, known)
    return said if said.startswith(" Did") else ""


def _range(source: str, content: Mapping[str, Any], key: str) -> Range:
    action = content[key].get("action")
    if not isinstance(action, Mapping):
        raise UserError(f'{source}: "{key}" has no "action" with q01 and q99.')
    q01, q99 = (_numbers(source, key, name, action.get(name)) for name in ("q01", "q99"))
    wrong = np.flatnonzero(q01 > q99)
    if len(wrong):
        n = int(wrong[0])
        raise UserError(f'{source}: "{key}" has q01 above q99 in number {n} ({q01[n]:g} > {q99[n]:g}).')
    mask = action.get("mask", [True] * 7)  # as in OpenVLA: without one, all are normalised
    if not isinstance(mask, list) or len(mask) != 7 or not all(entry in (False, True) for entry in mask):
        raise UserError(f'{source}: the mask of "{key}" must be 7 times true or false.')
    used = np.array(mask, dtype=np.bool_)
    if used[:6].any() and np.array_equal(q01[used], q99[used]):
        raise UserError(f'{source}: q01 and q99 of "{key}" are equal everywhere: no action would differ from another.')
    return Range(q01, q99, used)


def _numbers(source: str, key: str, name: str, values: object) -> Floats:
    if values is None:
        raise UserError(f'{source}: "{key}" has no {name} (7 numbers, a quantile of each part of the actions).')
    if not isinstance(values, list) or not all(_is_finite(value) for value in values) or len(values) != 7:
        raise UserError(f'{source}: {name} of "{key}" must be 7 finite numbers.')
    return np.array(values, dtype=np.float64)


def _is_finite(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _same(ours: Mapping[str, Any], theirs: object) -> bool:
    """Whether two entries give the same range."""
    a, b = ours["action"], theirs.get("action") if isinstance(theirs, Mapping) else None
    return isinstance(b, Mapping) and all(a.get(name) == b.get(name) for name in ("q01", "q99", "mask"))
