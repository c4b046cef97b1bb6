"""One world: plays episodes of one scene after the other, as a Gymnasium environment."""

from __future__ import annotations

from typing import Any, SupportsFloat

import gymnasium
import numpy as np
import sapien
from gymnasium import spaces
from numpy.typing import NDArray

from eval.assets.record import AssetsRecord
from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.contacts import ContactTable, presses_on_shape
from eval.sim.objects import body_of, collision_box
from eval.sim.ray_tracing import RASTER
from eval.sim.robots.base import pose_array
from eval.sim.scene import StageSet, build_furniture, build_stage_set
from eval.sim.settling import Settled, settle
from eval.tasks.base import TaskObservation, TaskResult
from eval.tasks.families import make_rule
from eval.tasks.grasp_check import is_grasped
from task_configs import robots

ACTION_LENGTH = 7


def picture_size(spec: EpisodeSpec) -> tuple[int, int]:
    """(H, W) of the policy picture."""
    camera = robots()[spec.robot].camera
    return camera.height, camera.width


class World(gymnasium.Env[dict[str, Any], NDArray[np.float64]]):
    """SIMPLER on SAPIEN 3.

    Observation: ``image`` (H, W, 3) uint8 if rendered, ``tcp_pose`` (7,) x y z qw qx qy qz of the tool in the robot's base
    frame, ``gripper_opening`` (1,) 0..1, ``qpos`` (n,). Action: (7,) translation m, rotation vector rad, gripper; never
    clipped (the arm takes what it gets). Success never ends an episode: ``truncated`` at the step limit does.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  Gymnasium's own convention

    def __init__(self, spec: EpisodeSpec, assets: Assets, render: bool = True, rt: str = RASTER) -> None:
        self.render_mode = "rgb_array" if render else None
        self.spec_of_episode = spec
        self._assets, self._render, self._rt = assets, render, rt
        self._set: StageSet | None = None
        self._settled: dict[str, list[Settled]] = {}
        self.image_out: NDArray[np.uint8] | None = None
        config = robots()[spec.robot]
        self.action_space = spaces.Box(-np.inf, np.inf, (ACTION_LENGTH,), np.float64)
        observed: dict[str, spaces.Space[Any]] = {
            "tcp_pose": spaces.Box(-np.inf, np.inf, (7,), np.float32),
            "gripper_opening": spaces.Box(0.0, 1.0, (1,), np.float32),
            "qpos": spaces.Box(-np.inf, np.inf, (len(config.joints),), np.float32),
        }
        if render:
            observed["image"] = spaces.Box(0, 255, (*picture_size(spec), 3), np.uint8)
        self.observation_space = spaces.Dict(observed)

    @property
    def stage_set(self) -> StageSet:
        """The scene of the present episode."""
        if self._set is None:
            raise RuntimeError("reset the world first")
        return self._set

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin the episode ``options["spec"]`` (an EpisodeSpec), or the present one again. A spec fixes everything, so
        the seed changes nothing.
        """
        super().reset(seed=seed)
        spec = (options or {}).get("spec", self.spec_of_episode)
        stats = self.begin(spec, self.settle(spec))
        return self._observe(), self._info(TaskResult(False, {}, stats))

    def begin(self, spec: EpisodeSpec, settled: list[Settled]) -> dict[str, Any]:
        """Begin an episode from given object states and return its first statistics; draws no picture."""
        self.spec_of_episode = spec
        self._set = None  # free the old scene first
        # A scene that has been played in keeps solver state that no reset clears, and an episode must not depend on the
        # one before it. Building anew costs a tenth of a second: meshes, textures and settled states are kept.
        self._set = build_stage_set(spec, self._assets, self._render, self._rt)
        self._set.start(spec, settled)
        self._boxes = {name: collision_box(entity) for name, entity in self._set.objects.items()}
        self._rule = make_rule(spec)
        self._rule.reset(self._facts(settled))
        self._steps = 0
        return self._rule.initial_stats()

    def settle(self, spec: EpisodeSpec) -> list[Settled]:
        """Where the objects come to rest; kept, since many episodes share it."""
        key = repr((spec.scene, spec.sim_freq, spec.objects))
        if key not in self._settled:
            self._settled[key] = settle(
                spec.objects,
                lambda scene: build_furniture(scene, spec, self._assets, render=False).objects,
                spec.sim_freq,
                spec.physics.contact_offset,
            )
        return self._settled[key]

    def step(self, action: NDArray[np.float64]) -> tuple[dict[str, Any], SupportsFloat, bool, bool, dict[str, Any]]:
        """Play one control step with a (7,) action; NaN and wrong shapes raise ValueError."""
        wanted = np.asarray(action, dtype=np.float64)
        if wanted.shape != (ACTION_LENGTH,) or not np.isfinite(wanted).all():
            raise ValueError(f"an action is {ACTION_LENGTH} finite numbers, got {action!r}")
        self.stage_set.control_step(wanted)
        self._steps += 1
        result = self._rule.evaluate(self._facts())
        truncated = self._steps >= self.spec_of_episode.max_steps
        return self._observe(), float(result.success), bool(result.success), truncated, self._info(result)

    def _observe(self) -> dict[str, Any]:
        robot, made = self.stage_set.robot, self.stage_set
        observation: dict[str, Any] = {
            "tcp_pose": pose_array(robot.tool_pose()).astype(np.float32),
            "gripper_opening": np.array([min(made.controller.gripper_opening(), 1.0)], dtype=np.float32),
            "qpos": robot.qpos,
        }
        if made.picture is not None:
            image = self.image_out
            if image is None:
                image = np.empty((*picture_size(self.spec_of_episode), 3), dtype=np.uint8)
            made.picture.take(image)
            observation["image"] = self._last_image = image
        return observation

    def _info(self, result: TaskResult) -> dict[str, Any]:
        return {
            "success": bool(result.success),
            "episode_stats": dict(result.episode_stats),
            "instruction": self._rule.instruction,
            "is_final_subtask": self._rule.is_final_subtask,
            "elapsed_steps": self._steps,
            **result.flags,
        }

    def _facts(self, settled: list[Settled] | None = None) -> TaskObservation:
        """What the task's rule may look at; ``settled`` at the start of an episode."""
        made = self.stage_set
        contacts = made.scene.get_contacts()
        table = ContactTable(contacts)
        links = made.robot.links
        poses = {name: pose_array(entity.pose) for name, entity in made.objects.items()}
        centers = {name: pose_array(e.pose * body_of(e).cmass_local_pose)[:3] for name, e in made.objects.items()}
        family = made.config.family
        axes = {name: link.entity_pose.to_transformation_matrix()[:3, 1] for name, link in links.items() if "finger" in name}

        def grasped(name: str, max_angle: float) -> bool:
            return is_grasped(family, lambda link: table.impulse(link, name), axes, max_angle)

        def foreign_contact(name: str, allowed: frozenset[str]) -> bool:
            return any(other not in links and other not in allowed for other in table.touching(name))

        def lies_in_drawer(name: str, drawer: str) -> bool:
            return made.cabinet is not None and presses_on_shape(contacts, name, made.cabinet.floor(drawer))

        heights = None
        if settled is not None:
            heights = {name: state.reference_height for name, state in zip(made.objects, settled, strict=True)}
        drawers = made.cabinet.openings if made.cabinet is not None else {}
        return TaskObservation(poses, centers, grasped, foreign_contact, heights, drawers, lies_in_drawer)

    def privileged(self) -> dict[str, Any]:
        """State for scripted policies.

        ``family`` of the task; ``objects``: world pose (7,) by name; ``boxes``: (2, 3) m, least and greatest corner of
        an object's hulls along its own axes; ``roles``: role -> name; ``tcp``, ``base``: world poses (7,) of tool and
        robot base; ``drawer``, with a cabinet only: ``opening`` [m] and world pose ``frame`` (7,) of the task's drawer.
        """
        made, spec = self.stage_set, self.spec_of_episode
        state: dict[str, Any] = {
            "family": spec.rule.family,
            "objects": {name: pose_array(entity.pose) for name, entity in made.objects.items()},
            "boxes": self._boxes,
            "roles": {o.role: o.model for o in spec.objects if o.role != "distractor"},
            "tcp": pose_array(made.robot.tool.entity_pose),
            "base": pose_array(made.robot.articulation.root_pose),
        }
        if made.cabinet is not None and spec.cabinet is not None:
            drawer = spec.cabinet.drawer
            frame = pose_array(made.cabinet.frame(drawer))
            state["drawer"] = {"opening": made.cabinet.openings[drawer], "frame": frame}
        return state

    def camera_matrices(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3, 3) intrinsic and (4, 4) extrinsic matrix (world to OpenCV camera frame) of the policy camera."""
        camera = self.stage_set.config.camera
        intrinsic = np.array([[camera.fx, 0.0, camera.cx], [0.0, camera.fy, camera.cy], [0.0, 0.0, 1.0]])
        intrinsic = intrinsic.astype(np.float32).astype(np.float64)  # the engines hold single precision
        link = self.stage_set.robot.links[camera.link].entity_pose
        pose = (link * sapien.Pose(camera.position, camera.quat)).inv().to_transformation_matrix()
        axes = np.array([[0.0, -1.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
        return intrinsic, axes @ pose

    @property
    def instruction(self) -> str:
        """What the policy is told to do now."""
        return self._rule.instruction

    @property
    def is_final_subtask(self) -> bool:
        """Whether no subtask follows the present one."""
        return self._rule.is_final_subtask

    def advance_to_next_subtask(self) -> None:
        """Begin the next subtask of a long-horizon task."""
        self._rule.advance()

    def render(self) -> NDArray[np.uint8]:
        """(H, W, 3) the policy picture of the last step."""
        return np.array(self._last_image)

    def assets_record(self) -> AssetsRecord:
        """Which files were used and which of them were stand-ins."""
        return self._assets.record()

    @property
    def device_summary(self) -> str:
        """The device that draws, in SAPIEN's words."""
        return str(sapien.render.get_device_summary()) if self._render else "none (no picture)"

    def close(self) -> None:
        """Free the scene."""
        self._set = None
