"""What evaluation loops read of the original's environment besides its Gymnasium methods."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.episode import DRAWERS, EpisodeSpec
from eval.sim.scene import EpisodeScene
from eval.sim.stage import STAGE_NAME
from eval.simpler_api.dropin import observations
from eval.simpler_api.dropin.agent import Agent
from eval.simpler_api.dropin.articulations import Articulation, CabinetView
from eval.simpler_api.dropin.keywords import Keywords
from eval.simpler_api.dropin.views import Actor, Link, absent, only_read

if TYPE_CHECKING:
    import sapien

WRAPPERS = 3
"""Of the original's environment: step limit, order of calls, images."""
NOT_BUILT = frozenset(
    {"arena", "scene", "set_state", "set_sim_state", "set_episode_rng", "set_main_rng", "robot_init_options", "model_db"}
    | {"compute_dense_reward", "render_cameras", "render_human", "viewer", "update_render", "take_picture", "get_images"}
    | {"get_camera_params", "step_action", "reconfigure", "get_actors", "get_articulations", "gen_scene_pcd", "_scene"}
    | {"_cameras", "_render_cameras", "_viewer", "_engine", "_renderer", "_episode_rng", "_main_rng", "_agent_cfg"}
    | {"_episode_seed", "_main_seed", "reward_mode", "_reward_mode", "_obs_mode", "_control_mode", "_sim_freq", "_control_freq"}
    | {"obj_init_options", "distractor_obj_init_options", "scene_offset", "scene_pose", "scene_table_height", "asset_root"}
    | {"model_id", "model_ids", "model_scale", "model_bbox_size", "distractor_objs", "distractor_model_ids", "orientation"}
    | {"episode_model_ids", "episode_model_scales", "obj_height_after_settle", "consecutive_grasp", "lifted_obj"}
    | {"station_name", "light_mode", "camera_mode", "cur_subtask_id", "rgb_overlay_cameras", "rgb_overlay_mode"}
)
"""Parts of the original's environment that some code reaches for and that do not exist here: neither read nor written."""


class SimulatorAccess:
    """Attributes of the original's environment, under its names. World frame, metres; all of them only read."""

    _env_id: str
    _spec: EpisodeSpec
    _mode: str
    _steps: int
    _stats: dict[str, Any]
    _keywords: Keywords
    _assets: Assets

    @abstractmethod
    def _present(self) -> EpisodeScene:
        """The scene of the present episode; before the first reset, of the constructor's own."""

    @property
    def env(self) -> Layer:
        """The original's next wrapper; here it answers like the environment itself."""
        return Layer(self, WRAPPERS - 1)

    def __setattr__(self, name: str, value: object) -> None:
        if name in NOT_BUILT:
            only_read("environment", name)
        super().__setattr__(name, value)

    def __getstate__(self) -> object:
        """For pickle and copy. Raises TypeError once there is a scene."""
        if self.__dict__.get("_world") is not None:
            raise TypeError("An environment with a scene cannot be copied or pickled; gymnasium.make(env.spec) makes another.")
        return self.__dict__

    # ---- robot -----------------------------------------------------------------------------------------------------

    @property
    def agent(self) -> Agent:
        """The robot."""
        return Agent(self._present, lambda: self.episode_spec, self.control_mode)

    @property
    def tcp(self) -> Link:
        """The robot's tool."""
        return self.agent.ee_link

    @property
    def robot_pose(self) -> sapien.Pose:
        """Pose of the robot's base link."""
        return self.agent.base_pose

    @property
    def robot_link_ids(self) -> list[int]:
        """Numbers of the robot's links in the second channel of ``Segmentation``."""
        return self.agent.robot_link_ids

    # ---- objects -----------------------------------------------------------------------------------------------------

    @property
    def obj(self) -> Actor:
        """The object to be taken; grasp and place tasks."""
        return self._in_role("target", "obj")

    @property
    def obj_pose(self) -> sapien.Pose:
        """Pose of the object's principal axes; grasp tasks."""
        if self.episode_spec.rule.family != "grasp":
            absent("environment", "obj_pose")
        return _center(self.obj)

    @property
    def episode_objs(self) -> list[Actor]:
        """The objects of the episode; tasks that move one to another."""
        movable = [item.model for item in self.episode_spec.objects if item.role != "fixture"]
        if not self._moves_to_another:
            absent("environment", "episode_objs")
        return [self._actor(name) for name in movable]

    @property
    def episode_source_obj(self) -> Actor:
        """The object to be moved; tasks that move one to another."""
        return self._in_role("source", "episode_source_obj")

    @property
    def episode_target_obj(self) -> Actor:
        """Where it is to be moved; tasks that move one to another."""
        return self._in_role("goal", "episode_target_obj")

    @property
    def source_obj_pose(self) -> sapien.Pose:
        """Pose of the source's principal axes."""
        return _center(self.episode_source_obj)

    @property
    def target_obj_pose(self) -> sapien.Pose:
        """Pose of the goal's principal axes."""
        return _center(self.episode_target_obj)

    @property
    def _moves_to_another(self) -> bool:
        return any(item.role == "source" for item in self.episode_spec.objects)

    def _in_role(self, role: str, name: str) -> Actor:
        for item in self.episode_spec.objects:
            if item.role == role:
                return self._actor(item.model)
        absent(f"{self.env_id}", name)

    def _actor(self, name: str) -> Actor:
        return Actor(self._present, name)

    # ---- cabinet -----------------------------------------------------------------------------------------------------

    @property
    def art_obj(self) -> Articulation:
        """The cabinet; drawer and place tasks."""
        return self._cabinet_view("art_obj")

    @property
    def drawer_id(self) -> str:
        """The drawer of the task."""
        self._cabinet_view("drawer_id")
        assert self.episode_spec.cabinet is not None
        return self.episode_spec.cabinet.drawer

    @property
    def drawer_obj(self) -> Link:
        """The link of the task's drawer."""
        return self._cabinet_view("drawer_obj").link(f"{self.drawer_id}_drawer")

    @property
    def joint_idx(self) -> int:
        """Place of the task's drawer in ``art_obj.get_qpos()``."""
        return DRAWERS.index(self.drawer_id)

    def _cabinet_view(self, name: str) -> CabinetView:
        if self.episode_spec.cabinet is None:
            absent(self.env_id, name)
        return CabinetView(self._present)

    # ---- the whole ---------------------------------------------------------------------------------------------------

    def get_state(self) -> NDArray[np.float64]:
        """Pose (7), velocity (3) and angular velocity (3) of the stage and of every object; of robot and cabinet the root's,
        then positions and velocities of their joints.
        """
        parts: list[Any] = []
        for actor in (self._actor(STAGE_NAME), *map(self._actor, self._present().objects)):
            parts += [actor.pose.p, actor.pose.q, actor.velocity, actor.angular_velocity]
        bodies: list[Articulation] = [self.agent.robot]
        bodies += [self.art_obj] if self.episode_spec.cabinet is not None else []
        for body in bodies:
            parts += [observations.pose_vector(body.pose), np.zeros(6), body.get_qpos(), body.get_qvel()]
        return np.hstack(parts).astype(np.float64)

    # ---- the episode's settings --------------------------------------------------------------------------------------

    @property
    def env_id(self) -> str:
        """The original's name of the environment."""
        return self._env_id

    @property
    def episode_spec(self) -> EpisodeSpec:
        """Everything that fixes the present episode, as data; before the first reset, of the constructor's own."""
        return self._spec

    @property
    def robot_uid(self) -> str:
        """The robot."""
        return self._spec.robot

    @property
    def control_mode(self) -> str:
        """The controller."""
        return self._mode

    @property
    def obs_mode(self) -> str:
        """What is observed."""
        return self._keywords.obs_mode

    @property
    def render_device(self) -> str | None:
        """The device that was asked for; None: SAPIEN's choice."""
        return self._keywords.render_device

    @property
    def sim_freq(self) -> int:
        """Hz, steps of the physics."""
        return self._spec.sim_freq

    @property
    def control_freq(self) -> int:
        """Hz, steps of the environment."""
        return self._spec.control_freq

    @property
    def elapsed_steps(self) -> int:
        """Steps played in this episode."""
        return self._steps

    @property
    def episode_stats(self) -> dict[str, Any]:
        """What the original counts over the episode, as the last step told it."""
        return self._stats

    @property
    def _elapsed_steps(self) -> int:
        return self.elapsed_steps

    @property
    def _max_episode_steps(self) -> int:
        return self.episode_spec.max_steps

    @property
    def sim_timestep(self) -> float:
        """s, one step of the physics."""
        return 1.0 / self.sim_freq

    @property
    def control_timestep(self) -> float:
        """s, one step of the environment."""
        return 1.0 / self.control_freq

    @property
    def prepackaged_config(self) -> bool:
        """Whether the setting is the one of ``make`` by a task name."""
        return self._keywords.prepackaged

    @property
    def scene_name(self) -> str | None:
        """The stage; None where none was given, which is the robot's default."""
        given: str | None = self._keywords.given.get("scene_name")
        return self.episode_spec.scene if self._keywords.prepackaged else given

    @property
    def urdf_version(self) -> str:
        """Colours of the robot."""
        return self.episode_spec.urdf_version

    @property
    def rgb_overlay_path(self) -> str | None:
        """The photo that was given."""
        given = self._keywords.given.get("rgb_overlay_path")
        if not self._keywords.prepackaged or self.episode_spec.overlay is None:
            return None if given is None else str(given)
        # With a cabinet the photo is sampled, and the original goes on reporting the first one's name.
        photo = "real_inpainting/open_drawer_a0.png" if self.episode_spec.cabinet else self.episode_spec.overlay
        return str(self._assets.path(f"data/{photo}"))

    @property
    def rgb_overlay_img(self) -> NDArray[np.float64] | None:
        """(H, W, 3) RGB 0..1, the photo in use in its own size; None without one."""
        if self.episode_spec.overlay is None:
            return None
        image = cv2.imread(str(self._assets.path(f"data/{self.episode_spec.overlay}")), cv2.IMREAD_COLOR)
        return None if image is None else cv2.cvtColor(image, cv2.COLOR_BGR2RGB) / 255


class Layer:
    """``env.env``: as many layers as the original has wrappers, each answering like the environment."""

    def __init__(self, env: object, left: int) -> None:
        self.__dict__.update(_env=env, _left=left)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  attributes of an environment have any type
        if "_env" not in self.__dict__:  # pickle and copy ask before there is anything
            raise AttributeError(name)
        if name != "env":
            return getattr(self._env, name)
        if not self._left:
            raise AttributeError("the innermost environment has no env.")
        return Layer(self._env, self._left - 1)

    def __setattr__(self, name: str, value: object) -> None:
        setattr(self._env, name, value)


def _center(actor: Actor) -> sapien.Pose:
    """World pose of an object's principal axes, which the original calls the object's pose."""
    return actor.pose * actor.cmass_local_pose
