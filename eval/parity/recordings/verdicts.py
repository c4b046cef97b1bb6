"""Verdicts of our rules on recorded states, for everything that depends on states alone and not on contacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.episode import DRAWERS, EpisodeSpec, RuleSpec
from eval.sim.objects import mass_properties
from eval.tasks.base import TaskObservation
from eval.tasks.families import make_rule

Arrays = Mapping[str, NDArray[Any]]


def state_verdicts(spec: EpisodeSpec, names: Sequence[str], arrays: Arrays) -> tuple[int, int]:
    """(steps that differ, steps) of one recorded sequence; (0, 0) where nothing depends on states alone.

    names: recorded actors; arrays: those of the sequence, without its prefix.
    """
    flags = _flags(spec.rule)
    if not flags:
        return 0, 0
    rule = make_rule(spec)
    rule.reset(_facts(spec, names, arrays, 0))
    steps, different = len(arrays["action"]), 0
    for step in range(steps):
        result = rule.evaluate(_facts(spec, names, arrays, step + 1))
        own = {**result.flags, **result.episode_stats, "success": result.success}
        different += any(bool(own[flag]) != bool(arrays[where][step]) for flag, where in flags.items())
    return different, steps


def _flags(rule: RuleSpec) -> dict[str, str]:
    """The flags that states alone decide, and the arrays they were recorded in."""
    if rule.family == "drawer":
        return {"success": "info.success"}
    if rule.family == "place":
        return {"is_drawer_open": "stats.is_drawer_open"}
    if rule.family == "move_near":
        own = ("all_obj_keep_height", "moved_correct_obj", "moved_wrong_obj", "near_tgt_obj", "is_closest_to_tgt")
        return {"success": "info.success", **{name: f"info.{name}" for name in own}}
    if rule.family == "put_on":
        moved = {name: f"info.{name}" for name in ("moved_correct_obj", "moved_wrong_obj")}
        return moved if rule.completely_on_goal else {**moved, "success": "info.success"}
    return {}


def _facts(spec: EpisodeSpec, names: Sequence[str], arrays: Arrays, step: int) -> TaskObservation:
    recorded = arrays["x.actor_pose"][step]
    poses = {item.model: recorded[list(names).index(item.model)] for item in spec.objects}
    density = {item.model: item.density for item in spec.objects}
    centers = {name: _center(name, density[name], pose) for name, pose in poses.items()}
    drawers = {}
    if spec.cabinet is not None:
        drawers = {name: float(q) for name, q in zip(DRAWERS, arrays["x.art0_qpos"][step], strict=True)}
    return TaskObservation(poses, centers, lambda name, angle: False, lambda name, allowed: False, drawers=drawers)


def _center(model: str, density: float, pose: NDArray[Any]) -> NDArray[np.float64]:
    """(3,) centre of mass, world."""
    properties = mass_properties(model, density)
    local = (0.0, 0.0, 0.0) if properties is None else properties.com_p
    return np.asarray(pose[:3] + Rotation.from_quat(np.roll(pose[3:], -1)).apply(local))
