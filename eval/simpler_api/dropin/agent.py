"""``env.agent``: the robot's state as the original's agents tell it (docs/simpler.md 3.5, 4, 5)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.sim.contacts import IMPULSE_THRESHOLD
from eval.sim.robots import google_robot, widowx
from eval.sim.scene import EpisodeScene
from eval.sim.task_view import TaskView
from eval.simpler_api import NotSupported
from eval.simpler_api.dropin import observations
from eval.simpler_api.dropin.articulations import RobotView
from eval.simpler_api.dropin.views import Actor, Float32, Link, Scene, View

if TYPE_CHECKING:
    import sapien

GRASP_ANGLES = {"google_robot": 80.0, "widowx": 60.0}
"""Degrees, the greatest angle of the grasp check unless another is given."""
ARM = {"google_robot": google_robot.ARM + google_robot.HEAD, "widowx": widowx.ARM}
GRIPPER = {"google_robot": google_robot.FINGERS, "widowx": widowx.FINGERS}
"""Joints of the two controllers, by robot family."""


class Agent(View):
    """The robot with its controllers. ``ee_pose``, ``gripper_closedness`` and ``eef_pos`` are those of the forks that have
    proprioception; ``ee_pose_at_robot_base`` is ManiSkill 3's name.
    """

    what = "agent"

    _scene: Scene
    control_mode: str
    robot: RobotView
    controller: Controller

    def __init__(self, scene: Scene, spec: Callable[[], EpisodeSpec], control_mode: str) -> None:
        parts = {"robot": RobotView(scene, spec), "controller": Controller(scene)}
        super().__init__(_scene=scene, control_mode=control_mode, **parts)

    @property
    def base_pose(self) -> sapien.Pose:
        """World pose of the base link."""
        return self.robot.pose

    @property
    def ee_pose(self) -> sapien.Pose:
        """World pose of the tool."""
        return self._scene().robot.tool.entity_pose

    @property
    def ee_pose_at_robot_base(self) -> sapien.Pose:
        """Pose of the tool in the frame of the base link."""
        return self._scene().robot.tool_pose()

    @property
    def eef_pos(self) -> NDArray[np.float64]:
        """(8,) x y z qw qx qy qz of the tool in the frame of the base link, and how far the gripper is open (0 closed)."""
        return observations.eef_pos(self._scene())

    @property
    def gripper_closedness(self) -> float:
        """0 open .. 1 closed."""
        return 1.0 - self._scene().controller.gripper_opening()

    @property
    def base_link(self) -> Link:
        """The link that stands on the floor."""
        return self.robot.get_links()[0]

    @property
    def ee_link(self) -> Link:
        """The tool."""
        return self.robot.link(self._scene().robot.geometry.tool_link)

    @property
    def robot_link_ids(self) -> list[int]:
        """Numbers of the robot's links in the second channel of ``Segmentation``."""
        return [link.id for link in self.robot.get_links()]

    def get_gripper_closedness(self) -> float:
        """0 open .. 1 closed."""
        return self.gripper_closedness

    def get_proprioception(self) -> dict[str, Any]:
        """Joints and the controller's state."""
        observed = observations.agent_observation(self._scene())
        return {key: value for key, value in observed.items() if key != "base_pose"}

    def check_grasp(self, actor: Actor, min_impulse: float = IMPULSE_THRESHOLD, max_angle: float | None = None) -> bool:
        """Whether both finger sides press on the object, at most ``max_angle`` degrees off their opening direction."""
        if min_impulse != IMPULSE_THRESHOLD:
            raise NotSupported(f"check_grasp is built for min_impulse={IMPULSE_THRESHOLD} only.")
        scene = self._scene()
        angle = GRASP_ANGLES[scene.config.family] if max_angle is None else max_angle
        return TaskView(scene).read().is_grasped(actor.name, angle)


class Controller(View):
    """The controllers of arm and gripper."""

    what = "controller"

    _scene: Scene

    def __init__(self, scene: Scene) -> None:
        super().__init__(_scene=scene)

    @property
    def controllers(self) -> Mapping[str, PartController]:
        """``arm`` and ``gripper``."""
        family = self._scene().config.family
        return {"arm": ArmController(self._scene, ARM[family]), "gripper": PartController(self._scene, GRIPPER[family])}

    def get_state(self) -> dict[str, Any]:
        """What the controllers remember: ``agent/controller`` of an observation."""
        return observations.controller_observation(self._scene())


class PartController(View):
    """The controller of some joints."""

    what = "controller"

    _scene: Scene
    _joints: tuple[str, ...]

    def __init__(self, scene: Scene, joints: tuple[str, ...]) -> None:
        super().__init__(_scene=scene, _joints=joints)

    @property
    def qpos(self) -> Float32:
        """(n,) sensed positions of its joints."""
        return self._of(self._scene(), self._scene().robot.qpos)

    @property
    def qvel(self) -> Float32:
        """(n,) sensed velocities of its joints."""
        return self._of(self._scene(), self._scene().robot.qvel)

    def _of(self, scene: EpisodeScene, values: Float32) -> Float32:
        return values[[scene.robot.index(name) for name in self._joints]]


class ArmController(PartController):
    """The arm's controller, which knows the tool."""

    @property
    def ee_pose(self) -> sapien.Pose:
        """World pose of the tool."""
        return self._scene().robot.tool.entity_pose

    @property
    def ee_pos(self) -> Float32:
        """(3,) m, position of the tool in the world."""
        return np.asarray(self.ee_pose.p)

    @property
    def ee_pose_at_base(self) -> sapien.Pose:
        """Pose of the tool in the frame of the base link."""
        return self._scene().robot.tool_pose()
