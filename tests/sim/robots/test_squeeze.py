"""What the original's fingers read while they squeeze something, and what follows: an apple taken near its top slips."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sapien

from eval.assets.resolver import Assets
from eval.plan.suites import make_plan
from eval.sim.objects import body_of
from eval.sim.robots.finger_contact import Pressed, ReadVelocities, Touch, finger_touches
from eval.sim.robots.squeeze import FingerDrive, FreeBody, Press, closing_speed
from eval.sim.world import World

TIMESTEP, LAG = 1 / 513, 0.2
DRIVE = FingerDrive(stiffness=200.0, damping=8.0, inertia=1.8e-4)
RADIUS = 0.0397
"""m; of a ball that weighs what the original's apple does at its density."""

MEASURED = {
    "light, deep in the hand": (
        (0.0536, 2.070),
        ([0.0024, -0.0366, -0.0166], [0.0682, 0.8947, 0.4414], [0.0, 0.0566, 0.0096]),
        ([-0.0038, 0.0336, -0.0232], [0.0027, -0.872, 0.4895], [0.0001, -0.0499, 0.0106]),
    ),
    "light, straight": (
        (0.0536, 1.537),
        ([0.0004, -0.0403, -0.004], [-0.001, 0.9994, -0.0339], [0.0, 0.0827, 0.0082]),
        ([0.0004, 0.0395, -0.0062], [0.0014, -0.9923, 0.1238], [0.0002, -0.0804, 0.0216]),
    ),
    "light, slanted": (
        (0.0536, 0.837),
        ([-0.0128, -0.0346, -0.0134], [0.4828, 0.8276, 0.2861], [-0.0001, 0.101, 0.0012]),
        ([-0.0129, 0.0349, -0.015], [0.2071, -0.9421, 0.2638], [0.0002, -0.0994, 0.0182]),
    ),
    "an apple, deep in the hand": (
        (0.2144, 0.525),
        ([0.0055, -0.0401, -0.0006], [-0.001, 1.0, 0.0028], [0.0, 0.0778, 0.0088]),
        ([-0.0023, 0.0399, -0.0025], [0.0015, -0.9955, 0.0951], [0.0002, -0.0758, 0.0212]),
    ),
    "an apple, straight": (
        (0.2144, 0.428),
        ([0.0004, -0.0403, -0.0039], [-0.0011, 0.9993, -0.0384], [-0.0001, 0.0985, 0.0066]),
        ([0.0051, 0.0397, -0.0054], [0.0014, -0.9934, 0.1145], [0.0002, -0.0969, 0.0233]),
    ),
    "an apple, slanted": (
        (0.2144, 0.037),
        ([-0.0128, -0.0367, -0.0056], [0.266, 0.951, 0.1575], [-0.0001, 0.1009, 0.0048]),
        ([-0.0127, 0.0367, -0.0078], [0.3592, -0.9085, 0.2136], [0.0002, -0.0987, 0.0186]),
    ),
    "heavy, straight": (
        (0.4289, 0.184),
        ([0.0004, -0.0403, -0.004], [-0.0011, 0.9993, -0.0375], [-0.0001, 0.0983, 0.0071]),
        ([0.0051, 0.0397, -0.0054], [0.0014, -0.9935, 0.1139], [0.0002, -0.0968, 0.0228]),
    ),
}
"""Mass [kg] and what both fingers read together [rad/s] in SAPIEN 2.2.2, where an apple of several densities was held in the
air with a constant lag; then place, normal and motion of the right and of the left finger, tool frame."""


@pytest.mark.parametrize("name", MEASURED)
def test_fingers_read_what_they_read_in_the_original(name: str) -> None:
    (mass, read), *fingers = MEASURED[name]
    presses = [Press(*(np.array(vector) for vector in finger)) for finger in fingers]
    ball = FreeBody(mass, 0.4 * mass * RADIUS**2 * np.eye(3))
    assert closing_speed(ball, presses, (LAG, LAG), DRIVE, TIMESTEP) == pytest.approx(read, abs=0.1)


def _contact(first: Any, second: Any, *points: tuple[tuple[float, ...], tuple[float, ...]]) -> Any:
    return SimpleNamespace(
        bodies=[first, second],
        points=[SimpleNamespace(position=np.float32(place), impulse=np.float32(impulse)) for place, impulse in points],
    )


def _link(name: str) -> Any:
    return SimpleNamespace(entity=SimpleNamespace(name=name))


_KEPT: list[sapien.Entity] = []
"""A body does not keep its entity alive."""


def _ball(mass: float) -> sapien.physx.PhysxRigidDynamicComponent:
    body = sapien.physx.PhysxRigidDynamicComponent()
    body.mass, body.inertia = mass, [0.4 * mass * RADIUS**2] * 3
    entity = sapien.Entity()
    entity.name = "ball"
    entity.add_component(body)
    _KEPT.append(entity)
    return body


def test_a_finger_pushes_along_the_impulse_whichever_body_the_engine_names_first() -> None:
    tip, ball = _link("link_finger_tip_right"), _ball(0.2)
    either_way = [
        _contact(tip, ball, ((0, 0, 0), (0, -3e-3, 0)), ((0, 0, 0.4), (0, -1e-3, 0))),
        _contact(ball, tip, ((0, 0, 0), (0, 3e-3, 0)), ((0, 0, 0.4), (0, 1e-3, 0))),
    ]
    for contact in either_way:
        pressed = finger_touches([contact], frozenset())["right"].pressed
        assert pressed is not None
        press = pressed.press(sapien.Pose([0, 0, -1]))
        np.testing.assert_allclose(press.normal, [0, 1, 0])
        np.testing.assert_allclose(press.place, [0, 0, 0.1], atol=1e-7)
        np.testing.assert_allclose(press.motion, [0, -1.1, 0], atol=1e-6)


def test_points_on_two_links_of_a_finger_count_as_one_contact_with_the_object() -> None:
    ball = _ball(0.2)
    contacts = [
        _contact(ball, _link("link_finger_tip_left"), ((0, 0, 0), (0, 1e-3, 0))),
        _contact(ball, _link("link_finger_left"), ((0, 0, 0.2), (1e-3, 0, 0))),
    ]
    pressed = finger_touches(contacts, frozenset())["left"].pressed
    assert pressed is not None
    np.testing.assert_allclose(pressed.press(sapien.Pose()).normal, [0.5**0.5, 0.5**0.5, 0])
    np.testing.assert_allclose(pressed.press(sapien.Pose()).place, [0, 0, 0.1], atol=1e-7)


def _squeezed(ball: sapien.physx.PhysxRigidDynamicComponent) -> list[Touch]:
    """Right and left finger on either side of the ball."""
    sides = (-RADIUS, RADIUS)
    return [Touch(pressed=Pressed(ball, np.array([0, -y, 0]), np.array([0.0, y, 0.0]), 1.0)) for y in sides]


def test_a_heavier_object_leaves_less_to_read_and_an_opening_or_closed_hand_nothing_of_it() -> None:
    """``_squeezed`` in hands whose joints lie 10 cm above: an axis along x turns the right finger towards +y, the left -y."""
    joints: list[Any] = [
        SimpleNamespace(global_pose=sapien.Pose([0, -RADIUS, 0.1])),
        SimpleNamespace(global_pose=sapien.Pose([0, RADIUS, 0.1], [0, 0, 0, 1])),
    ]
    read = ReadVelocities(joints, DRIVE, TIMESTEP)
    lags, commanded = np.array([LAG, LAG]), np.array([0.3, 0.3])
    light, heavy = (read(_squeezed(_ball(mass)), lags, commanded) for mass in (0.15, 0.4))
    assert 1.0 > light[0] == light[1] > 2 * heavy[0] > 0.0
    np.testing.assert_array_equal(read(_squeezed(_ball(0.15)), np.array([0.01, 0.01]), commanded), commanded)
    closed = [Touch(other_finger=True, pressed=touch.pressed) for touch in _squeezed(_ball(0.15))]
    np.testing.assert_array_equal(read(closed, lags, commanded), [0.0, 0.0])
    assert (read(_squeezed(_ball(0.15)), -lags, commanded) < 0.0).all()


@pytest.mark.parametrize(("below_the_tool", "stays"), [(-0.02, True), (0.01, False)])
def test_an_apple_that_the_fingers_take_by_its_upper_half_slips_when_the_hand_is_raised(
    below_the_tool: float, stays: bool
) -> None:
    """As in the original: the plan starts at rest then, and at the beginning of every control step nothing presses."""
    world = World(Assets([]), render=False)
    world.begin(make_plan(tasks=["google_robot_place_apple_in_closed_top_drawer"], limit=1)[0])
    robot, (apple,) = world.scene.robot, world.scene.objects.values()
    qpos = np.array(world.episode.robot_qpos)
    qpos[[robot.index("joint_finger_right"), robot.index("joint_finger_left")]] = 0.6
    robot.set_state(qpos)
    body = body_of(apple)
    apple.pose = sapien.Pose((robot.tool.entity_pose * sapien.Pose([0.0, 0.0, below_the_tool])).p)
    body.linear_velocity = body.angular_velocity = np.zeros(3)
    body.disable_gravity = True
    for step in range(9):
        if step == 3:  # the fingers are closed by now
            body.disable_gravity = False
        world.play(np.array([0.0, 0.0, 0.03 if step >= 4 else 0.0, 0.0, 0.0, 0.0, 1.0]))
    fallen = float(np.linalg.norm((robot.tool.entity_pose.inv() * apple.pose).p)) > 0.1
    assert fallen is not stays
