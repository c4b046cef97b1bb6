"""What the robots of the ablations change, and what they leave alone."""

from __future__ import annotations

import pytest

from task_configs.schema.tables import robots

PLAIN = robots()["google_robot_static"]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_worse_control_changes_the_arm_but_neither_fingers_nor_head(number: int) -> None:
    """The original's ablation lists are for 9 arm and head joints; the fingers stand between them (docs/simpler.md 3.4)."""
    worse = robots()[f"google_robot_static_worse_control{number}"]
    for joint, k, d, worse_k, worse_d in zip(
        PLAIN.joints, PLAIN.stiffness, PLAIN.damping, worse.stiffness, worse.damping, strict=True
    ):
        assert ((k, d) == (worse_k, worse_d)) == ("finger" in joint or "head" in joint), joint


@pytest.mark.parametrize(("name", "factor"), [("half", 0.5), ("quarter", 0.25), ("one_eighth", 0.125), ("twice", 2.0)])
def test_finger_friction_changes_nothing_else(name: str, factor: float) -> None:
    robot = robots()[f"google_robot_static_{name}_finger_friction"]
    assert robot.finger_friction == factor * PLAIN.finger_friction
    assert robot.model_copy(update={"finger_friction": PLAIN.finger_friction}) == PLAIN


@pytest.mark.parametrize(("view", "tilt"), [("alt_1", 0.9351361), ("alt_2", 0.6651361)])
def test_alternate_cameras_tilt_the_head_only(view: str, tilt: float) -> None:
    assert PLAIN.start_qpos(view) == (*PLAIN.start_qpos("default")[:-1], tilt)
