"""Initial states: what of an episode is independent of others, so what counts as one in an interval or a test."""

from __future__ import annotations

from collections.abc import Hashable

from eval.episode import EpisodeSpec

LOOKS = ("distractor",)
"""Roles of objects that come and go with the look of a scene, as its lights and photos do; no part of the initial state."""


def state_of(spec: EpisodeSpec) -> Hashable:
    """The initial state of an episode: task, robot and where the things of the task are.

    Variants of a sweep (arm colours, backgrounds, lights, distractors) show the same initial state again, and so do repeats.
    What comes of these resembles each other, so only initial states are taken for independent of one another.
    """
    things = tuple((o.role, o.model, o.xy, o.quat) for o in spec.objects if o.role not in LOOKS)
    cabinet = (spec.cabinet.drawer, spec.cabinet.qpos) if spec.cabinet else None
    number = None if things or cabinet else (spec.index, spec.seed)  # a scene of which nothing is known
    return spec.task, spec.robot, spec.robot_xy, spec.robot_quat, spec.robot_qpos, things, cabinet, number
