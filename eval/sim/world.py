"""One world: plays any episode, one after the other, as a Gymnasium environment.

world = World(Assets.from_option(None))
observation, info = world.reset(options={"spec": make_plan()[0]})
observation, reward, terminated, truncated, info = world.step(action)
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import sapien
from gymnasium import spaces
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.actions import ACTION_LENGTH, real_numbers
from eval.sim.objects import collision_box
from eval.sim.physics import kept_renderer
from eval.sim.ray_tracing import RASTER, Choice
from eval.sim.robots.base import pose_array
from eval.sim.scene import EpisodeScene, build_scene
from eval.sim.settled_states import settled_objects
from eval.sim.settling import Settled
from eval.sim.task_view import TaskView
from eval.tasks.base import TaskResult
from eval.tasks.families import make_rule
from policies.base import DrawerState, Privileged
from task_configs import robots

Observation = dict[str, Any]
Info = dict[str, Any]


def image_size(spec: EpisodeSpec) -> tuple[int, int]:
    """(H, W) of the image that the policy sees."""
    camera = robots()[spec.robot].camera
    return camera.height, camera.width


class World(gymnasium.Env[Observation, NDArray[np.float64]]):
    """SIMPLER on SAPIEN 3.

    Observation: ``image`` (H, W, 3) uint8 if rendered, ``tcp_pose`` (7,) x y z qw qx qy qz of the tool in the robot's base
    frame, ``gripper_opening`` (1,) 0..1, ``qpos`` (n,). Action: (7,) translation m, rotation vector rad, gripper; never
    clipped (the arm takes what it gets). Success never ends an episode: ``truncated`` at the step limit does.

    ``begin`` and ``play`` are the same without observations; read the state from ``scene``.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  Gymnasium's own convention

    def __init__(
        self,
        assets: Assets,
        render: bool = True,
        rendering: Choice = RASTER,
        spec: EpisodeSpec | None = None,
        device: str | None = None,
        depth: bool = False,
    ) -> None:
        """Open a world; nothing is built before the first episode.

        Args:
            assets: where the files come from.
            render: whether there are images.
            rendering: how episodes are rendered for which the original traces rays (:mod:`eval.sim.ray_tracing`).
            spec: the first episode. Only needed where the spaces are read before the first ``reset``, as
                Gymnasium's wrappers do: they depend on the robot.
            device: what renders, in SAPIEN's words (:mod:`eval.backends.render_devices` finds them); None: the best there
                is. All worlds of a process render on one device.
            depth: whether cameras can also be asked for depths (SAPIEN's ``Position``).
        """
        self.render_mode = "rgb_array" if render else None
        self._assets, self._render, self._rendering, self._device = assets, render, rendering, device
        self._depth = depth
        self._scene: EpisodeScene | None = None
        self._viewed: TaskView | None = None
        self._robot: str | None = None
        self._episode = spec
        self.action_space = spaces.Box(-np.inf, np.inf, (ACTION_LENGTH,), np.float64)
        if spec is not None:
            self._declare_observations(spec)

    def _declare_observations(self, spec: EpisodeSpec) -> None:
        observed: dict[str, spaces.Space[Any]] = {
            "tcp_pose": spaces.Box(-np.inf, np.inf, (7,), np.float32),
            "gripper_opening": spaces.Box(0.0, 1.0, (1,), np.float32),
            "qpos": spaces.Box(-np.inf, np.inf, (len(robots()[spec.robot].joints),), np.float32),
        }
        if self._render:
            observed["image"] = spaces.Box(0, 255, (*image_size(spec), 3), np.uint8)
        self._robot = spec.robot
        self.observation_space = spaces.Dict(observed)

    @property
    def episode(self) -> EpisodeSpec:
        """The present episode."""
        if self._episode is None:
            raise RuntimeError('the world has no episode yet; give one: world.reset(options={"spec": spec})')
        return self._episode

    @property
    def scene(self) -> EpisodeScene:
        """The scene of the present episode."""
        if self._scene is None:
            raise RuntimeError("reset the world first")
        return self._scene

    @property
    def _view(self) -> TaskView:
        if self._viewed is None:
            raise RuntimeError("reset the world first")
        return self._viewed

    # ---- an episode without observations ------------------------------------------------------------------------------

    def begin(self, spec: EpisodeSpec, settled: Sequence[Settled] | None = None) -> TaskResult:
        """Begin an episode and return its first, empty verdict; renders nothing.

        ``settled``: states of the objects, in the spec's order; None: where they come to rest.
        """
        if settled is None:
            settled = settled_objects(spec, self._assets)
        if spec.robot != self._robot:
            self._declare_observations(spec)
        self._episode = spec
        self.close()  # free the old scene first
        # A scene that has been played in keeps solver state that no reset clears, and an episode must not depend on the
        # one before it. Building anew costs a tenth of a second: meshes, textures and settled states are kept.
        self._scene = scene = build_scene(spec, self._assets, self._render, self._rendering, self._device, self._depth)
        scene.start(spec, settled)
        self._boxes = {name: collision_box(entity) for name, entity in scene.objects.items()}
        self._roles = {item.role: item.model for item in spec.objects if item.role != "distractor"}
        self._viewed = view = TaskView(scene)
        self._rule = make_rule(spec)
        self._rule.reset(view.read(settled))
        self._steps = 0
        return TaskResult(False, {}, self._rule.initial_stats())

    def play(self, action: NDArray[np.float64]) -> TaskResult:
        """Play one control step with a (7,) action and judge it; NaN and wrong shapes raise ValueError."""
        given = real_numbers(action)
        if given.shape != (ACTION_LENGTH,) or not np.isfinite(given).all():
            raise ValueError(f"an action is {ACTION_LENGTH} finite numbers, got {action!r}")
        self.scene.control_step(given)
        self._steps += 1
        self._verdict = self._rule.evaluate(self._view.read())
        return self._verdict

    def verdict(self) -> TaskResult:
        """The verdict on the last step; before the first, on the start, which is not counted as a step."""
        if self._steps:
            return self._verdict
        return copy.deepcopy(self._rule).evaluate(self._view.read())

    def take_image(self, out: NDArray[np.uint8]) -> None:
        """Render the present state into ``out`` (H, W, 3)."""
        if self.scene.camera is None:
            raise RuntimeError("this world was made with render=False")
        self.scene.camera.take(out)

    # ---- Gymnasium ----------------------------------------------------------------------------------------------------

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin the episode ``options["spec"]`` (an EpisodeSpec), or the present one again. A spec fixes everything, so
        the seed changes nothing.
        """
        super().reset(seed=seed)
        spec = (options or {}).get("spec")
        result = self.begin(self.episode if spec is None else spec)
        return self._observe(), self._info(result)

    def step(self, action: NDArray[np.float64]) -> tuple[Observation, SupportsFloat, bool, bool, Info]:
        """Play one control step with a (7,) action; NaN and wrong shapes raise ValueError."""
        result = self.play(action)
        truncated = self._steps >= self.episode.max_steps
        return self._observe(), float(result.success), bool(result.success), truncated, self._info(result)

    def _observe(self) -> Observation:
        observation: Observation = {
            "tcp_pose": self.tcp_pose,
            "gripper_opening": np.array([self.gripper_opening], dtype=np.float32),
            "qpos": self.scene.robot.qpos,
        }
        if self._render:
            self._last_image = np.empty((*image_size(self.episode), 3), dtype=np.uint8)
            self.take_image(self._last_image)
            observation["image"] = self._last_image
        return observation

    def _info(self, result: TaskResult) -> Info:
        return {
            "success": bool(result.success),
            "episode_stats": dict(result.episode_stats),
            "instruction": self._rule.instruction,
            "is_final_subtask": self._rule.is_final_subtask,
            "elapsed_steps": self._steps,
            **result.flags,
        }

    def render(self) -> NDArray[np.uint8]:
        """(H, W, 3) the policy's image at the last step."""
        return np.array(self._last_image)

    def close(self) -> None:
        """Free the scene, and what it holds of the GPU's memory."""
        self._scene = self._viewed = None

    # ---- reading the present state -------------------------------------------------------------------------------------

    @property
    def tcp_pose(self) -> NDArray[np.float32]:
        """(7,) x y z qw qx qy qz, sensed pose of the tool in the robot's base frame."""
        return pose_array(self.scene.robot.tool_pose()).astype(np.float32)

    @property
    def gripper_opening(self) -> float:
        """0 closed .. 1 open."""
        return min(self.scene.controller.gripper_opening(), 1.0)

    @property
    def surroundings(self) -> NDArray[np.float32]:
        """(7 n + drawers,) poses x y z qw qx qy qz of the n objects, then the openings of the drawers; m."""
        poses = [entity.pose for entity in self.scene.objects.values()]
        drawers = [] if self.scene.cabinet is None else [self.scene.cabinet.qpos]
        return np.concatenate([*(part for pose in poses for part in (pose.p, pose.q)), *drawers], dtype=np.float32)

    def privileged(self) -> Privileged:
        """State for scripted policies."""
        scene, spec = self.scene, self.episode
        drawer = None
        if scene.cabinet is not None and spec.cabinet is not None:
            name = spec.cabinet.drawer
            drawer = DrawerState(scene.cabinet.openings[name], pose_array(scene.cabinet.frame(name)))
        return Privileged(
            family=spec.rule.family,
            objects={name: pose_array(entity.pose) for name, entity in scene.objects.items()},
            boxes=self._boxes,
            roles=self._roles,
            tcp=pose_array(scene.robot.tool.entity_pose),
            base=pose_array(scene.robot.articulation.root_pose),
            drawer=drawer,
        )

    def camera_matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3, 3) intrinsic and (4, 4) extrinsic matrix (world to OpenCV camera frame) of the policy's camera."""
        camera = self.scene.config.camera
        intrinsic = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
        intrinsic = intrinsic.astype(np.float32).astype(np.float64)  # the engines hold single precision
        link = self.scene.robot.links[camera.link].entity_pose
        pose = (link * sapien.Pose(camera.position, camera.quat)).inv().to_transformation_matrix()
        axes = np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
        return intrinsic, axes @ pose

    @property
    def instruction(self) -> str:
        """The current instruction."""
        return self._rule.instruction

    @property
    def is_final_subtask(self) -> bool:
        """Whether no subtask follows the present one."""
        return self._rule.is_final_subtask

    def advance_to_next_subtask(self) -> None:
        """Begin the next subtask of a long-horizon task."""
        self._rule.advance()

    @property
    def device_summary(self) -> str:
        """The device that renders, in SAPIEN's words."""
        if not self._render:
            return "none (no image)"
        device = kept_renderer(self._device).device
        return f"{device.name} ({device})"
