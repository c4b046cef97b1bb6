"""A tip that presses with one point does not turn about it: in 2.2.2, pressed with 50 N, not by 10 N m either
(results/benchmarks/original.md)."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
import sapien

from eval.sim.physics import CONTROL, new_system
from eval.sim.robots.torsional_friction import TorsionalFriction

TIMESTEP, PRESSED = 1 / 513, 50.0


class Pressed:
    """A ball, or a cube, on a slider with a turning joint, pressed on a plate; a drive may twist it."""

    def __init__(self, ball: bool = True, on_cabinet: bool = True, stiffness: float = 0.0) -> None:
        system = new_system(TIMESTEP, CONTROL["google_robot"], 0.02)
        self.scene = sapien.Scene([system])
        upwards = sapien.Pose(q=[math.sqrt(0.5), 0.0, -math.sqrt(0.5), 0.0])
        builder = self.scene.create_articulation_builder()
        slider = builder.create_link_builder(builder.create_link_builder())
        slider.set_joint_properties("prismatic", [[-1, 1]], upwards, upwards)
        slider.set_joint_name("slide")
        tip = builder.create_link_builder(slider)
        tip.set_name("tip")
        tip.set_joint_properties("revolute_unwrapped", [[-100, 100]], upwards, upwards)
        tip.set_joint_name("turn")
        if ball:
            tip.add_sphere_collision(radius=0.02)
        else:
            tip.add_box_collision(half_size=[0.02] * 3)
        for link in (slider, tip):
            link.set_mass_and_inertia(1.0, sapien.Pose(), [0.01] * 3)
        self.arm = builder.build(fix_root_link=True)
        self.arm.root_pose = sapien.Pose([0.0, 0.0, 0.02])
        for joint in self.arm.active_joints:
            joint.friction = 0.0
        self.arm.active_joints[1].set_drive_properties(stiffness, 0.1 * stiffness)
        plate = self.scene.create_articulation_builder()
        panel = plate.create_link_builder()
        panel.set_name("panel")
        panel.add_box_collision(half_size=[1.0, 1.0, 0.1])
        cabinet = plate.build(fix_root_link=True)
        cabinet.root_pose = sapien.Pose([0.0, 0.0, -0.1])
        robot = SimpleNamespace(articulation=self.arm, links={link.name: link for link in self.arm.links})
        links = list(cabinet.links) if on_cabinet else []
        self.friction = TorsionalFriction(cast(Any, robot), ["tip"], links, self.scene.get_contacts, TIMESTEP)

    def play(self, steps: int, twist: float = 0.0, pressed: float = PRESSED) -> float:
        """The tip's speed afterwards, rad/s."""
        for step in range(steps):
            if step % 171 == 0:
                self.friction.begin_step()
            force = self.arm.compute_passive_force() + np.array([-pressed, twist])
            held = self.friction.joint_torques()
            self.arm.set_qf((force if held is None else force + held).astype(np.float32))
            self.scene.step()
        return float(self.arm.qvel[1])


def test_a_pressed_tip_is_held_against_any_twist_and_let_go_with_the_contact() -> None:
    world = Pressed()
    world.play(10)
    for twist in (1.0, -10.0):
        before = float(world.arm.qpos[1])
        assert abs(world.play(342, twist)) < 0.02
        assert abs(float(world.arm.qpos[1]) - before) < 0.02
    assert world.play(60, twist=0.1, pressed=-50.0) > 0.5, "lifted, it turns"


def test_a_spinning_tip_stops() -> None:
    world = Pressed()
    world.arm.set_qvel([0.0, 20.0])
    assert abs(world.play(20)) < 0.05


def test_a_tip_is_held_against_its_drive() -> None:
    """What holds must know how stiff the joint is: without, it would be far too weak, or shake."""
    world = Pressed(stiffness=500.0)
    world.play(10)
    world.arm.active_joints[1].set_drive_target(0.3)
    speeds = [abs(world.play(1)) for _ in range(342)]
    assert max(speeds[171:]) < 0.01
    assert abs(float(world.arm.qpos[1])) < 0.01


@pytest.mark.parametrize(
    "how", [{"ball": False}, {"on_cabinet": False}], ids=["a face, which friction at its corners holds", "on something else"]
)
def test_nothing_is_added(how: dict[str, Any]) -> None:
    world = Pressed(**how)
    world.play(40)
    assert world.friction.joint_torques() is None
    assert any(contact.points for contact in world.scene.get_contacts())
