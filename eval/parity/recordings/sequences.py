"""Open-loop replay of recorded sequences, started from the recorded state after the reset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import sapien
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.robots.base import Controller, pose_array
from eval.sim.robots.google_robot import GoogleRobotController
from eval.sim.robots.widowx import WidowXController
from eval.sim.scene import EpisodeScene
from eval.sim.settling import Settled
from eval.sim.world import World
from eval.simpler_api import SeedChain, spec_from_reset

CLOSED_ON_ITSELF = 1.03
"""rad; from this finger angle on the two Google fingers press on each other and a sequence is no longer contact-free."""
CONTACT_FREE = ("random_smooth", "arm_large", "limit")

Arrays = Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class Replay:
    """The result of one sequence."""

    name: str
    kind: str
    recorded_success: bool
    success: bool
    free_mm: float
    """Largest tool distance over the contact-free steps; NaN if the sequence has none to judge."""
    free_degrees: float
    whole_mm: float
    """Largest tool distance over the whole sequence."""
    first_step_targets: float
    """rad or m; largest difference of the per-substep drive targets of step 1; NaN if not recorded."""
    later_arm_targets: float
    """rad; the same for the arm in the later steps, each begun from the recorded joints and the recorded preceding target."""
    drifted_arm_targets: float
    """rad; the same with only the joints put in, so that rounding adds up from step to step through the targets."""
    steps_wrong: int
    """Steps after which the instruction, or whether the step limit is reached, differs."""


def sequence_spec(sequence: Mapping[str, Any], env_id: str, kwargs: Mapping[str, Any]) -> EpisodeSpec:
    """The episode of a sequence: a fresh environment, one reset."""
    reset = sequence["reset"]
    return spec_from_reset(env_id, dict(kwargs), reset["seed"], dict(reset["options"] or {}), SeedChain())


def recorded_state(spec: EpisodeSpec, names: Sequence[str], arrays: Arrays, prefix: str, height: float | None) -> list[Settled]:
    """Objects as recorded; a velocity of exactly zero means asleep."""
    states = []
    for item in spec.objects:
        i = list(names).index(item.model)
        pose, velocity = arrays[prefix + "actor_pose"][i], arrays[prefix + "actor_vel"][i]
        reference = float(pose[2]) if height is None or item.role != "target" else height
        states.append(Settled(pose, velocity, not velocity.any(), reference))
    return states


class Replayer:
    """Replays sequences in one world."""

    def __init__(self, assets: Assets) -> None:
        self._world = World(assets, render=False)

    def replay(self, name: str, sequence: Mapping[str, Any], spec: EpisodeSpec, arrays: Arrays) -> Replay:
        """``arrays``: those of the sequence, without its prefix."""
        world = self._world
        names = sequence["reset"]["actor_names"]
        state = recorded_state(spec, names, arrays, "t0/", sequence["reset"].get("obj_height_after_settle"))
        world.begin(spec, state)
        world.scene.robot.set_state(arrays["t0/robot_qpos"])
        if world.scene.cabinet is not None:
            world.scene.cabinet.set_state(arrays["t0/art0_qpos"], arrays["t0/art0_qvel"])
        world.scene.controller.reset()
        first = self._first_step(arrays)
        advanced = {number for number, call in sequence["calls_before_step"] if call == "advance_to_next_subtask"}
        texts, text = dict(sequence["instructions"]), sequence["reset"]["instruction"]
        tools, success, wrong = [], False, 0
        for number, action in enumerate(arrays["action"]):
            if number in advanced:
                world.advance_to_next_subtask()
            _, _, success, truncated, info = world.step(action)
            tools.append(pose_array(world.scene.robot.tool.entity_pose))
            text = texts.get(number + 1, text)
            wrong += info["instruction"] != text or truncated != bool(arrays["truncated"][number])
        millimetres, degrees = _tool_difference(np.array(tools), arrays["x.tcp"][1:])
        free = _contact_free_steps(sequence["kind"], spec, arrays)
        later = self._later_steps(spec, state, arrays, preceding=True)
        drifted = self._later_steps(spec, state, arrays, preceding=False)
        return Replay(
            name, sequence["kind"], bool(sequence["success_last"]), bool(success),
            float(millimetres[:free].max()) if free else float("nan"),
            float(degrees[:free].max()) if free else float("nan"),
            float(millimetres.max()), first, later, drifted, wrong,
        )  # fmt: skip

    def _first_step(self, arrays: Arrays) -> float:
        """Per-substep drive targets of step 1 against the recorded ones; leaves the controller reset."""
        if "sub.drive_target" not in arrays:
            return float("nan")
        scene = self._world.scene
        scene.controller.set_action(arrays["action"][0])
        worst = float(np.abs(_planned(scene.controller) - _recorded(scene, arrays, 0, arm_only=False)).max())
        scene.controller.reset()
        return worst

    def _later_steps(self, spec: EpisodeSpec, state: list[Settled], arrays: Arrays, preceding: bool) -> float:
        """Arm targets of steps 2, 3, ... when the recorded joints are put in before each, ``preceding``: targets too.

        Both robots go on from their last target (docs/simpler.md Q25, Q28), so float32 noise of the sensed tool pose,
        which two PhysX versions round differently, adds up; near a singular pose the IK enlarges it. Putting in the
        preceding target judges each step by itself.
        """
        if "sub.drive_target" not in arrays:
            return float("nan")
        self._world.begin(spec, state)
        scene = self._world.scene
        worst = 0.0
        for step in range(len(arrays["sub.drive_target"])):
            scene.robot.set_state(arrays["x.robot_qpos"][step], arrays["x.robot_qvel"][step])
            if step == 0:
                scene.controller.reset()
            elif preceding:
                _put_in_preceding_target(scene, arrays, step)
            scene.controller.set_action(arrays["action"][step])
            planned = _planned(scene.controller)
            recorded = _recorded(scene, arrays, step, arm_only=True)
            worst = max(worst, float(np.abs(planned[..., : recorded.shape[-1]] - recorded).max()))
        return worst


def _put_in_preceding_target(scene: EpisodeScene, arrays: Arrays, step: int) -> None:
    """Set the target where the original's preceding step ended: Google's last way point, the WidowX's target pose."""
    controller = scene.controller
    if isinstance(controller, GoogleRobotController):
        if controller.arm_path is not None:
            controller.arm_path.position[-1] = _recorded(scene, arrays, step - 1, arm_only=True)[-1]
    elif isinstance(controller, WidowXController) and "u.arm_target_pose_base" in arrays:
        pose = arrays["u.arm_target_pose_base"][step - 1]
        controller.target_pose = sapien.Pose(pose[:3], pose[3:])


def _planned(controller: Controller) -> NDArray[np.float64]:
    """(S or 1, d) unclamped targets, arm before fingers."""
    if isinstance(controller, GoogleRobotController):
        if controller.arm_path is None or controller.gripper_path is None:
            raise RuntimeError("no action was set")
        return np.hstack([controller.arm_path.position, controller.gripper_path.position])[1:]
    if not isinstance(controller, WidowXController):
        raise TypeError(f"{type(controller).__name__} plans nothing that was recorded")
    return np.concatenate([controller.arm_target, controller.gripper_target])[None]


def _recorded(scene: EpisodeScene, arrays: Arrays, step: int, arm_only: bool) -> NDArray[np.float64]:
    config, robot = scene.config, scene.robot
    joints = config.arm_joints if arm_only else (*config.arm_joints, *config.gripper_joints)
    return np.asarray(arrays["sub.drive_target"][step][:, [robot.index(name) for name in joints]], dtype=np.float64)


def _contact_free_steps(kind: str, spec: EpisodeSpec, arrays: Arrays) -> int:
    """Number of steps at the beginning that are contact-free."""
    if not kind.startswith(CONTACT_FREE):
        return 0
    if spec.robot_family == "widowx":
        return len(arrays["action"])
    fingers = arrays["x.robot_qpos"][1:, 7:9].max(axis=1)  # recorded order: seven arm joints, two fingers, head
    closed = np.flatnonzero(fingers > CLOSED_ON_ITSELF)
    return int(closed[0]) if len(closed) else len(fingers)


def _tool_difference(
    own: NDArray[np.float64], recorded: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T,) mm and degrees between tool poses (T, 7)."""
    turn = Rotation.from_quat(np.roll(own[:, 3:], -1, axis=1)).inv() * Rotation.from_quat(np.roll(recorded[:, 3:], -1, axis=1))
    return np.linalg.norm(own[:, :3] - recorded[:, :3], axis=1) * 1e3, np.degrees(turn.magnitude())
