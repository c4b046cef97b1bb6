"""Policies that simpler-eval can judge, and the one contract they share with the worlds (:mod:`policies.base`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.base import RobotName
    from policies.one_robot import OneRobot


def load(name: str, *, robot: RobotName = "widowx", **options: object) -> OneRobot:
    """A policy for one robot: an action for a camera image and a sentence. ``docs/robot.md`` shows it.

    Args:
        name: as ``simpler-eval run --policy``.
        robot: whose images these are, and whose gripper.
        options: of the policy, such as ``checkpoint="owner/name"``.

    Raises:
        UserError: there is no such policy, it cannot be made, or it is not for this robot.
    """
    from policies.one_robot import OneRobot
    from policies.registry import load_policy

    return OneRobot(load_policy(name, options), robot)
