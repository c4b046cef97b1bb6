"""An environment of the original with its own interface, played in our world."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.backends.sapien3 import Sapien3
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.sim import ray_tracing
from eval.sim.world import World
from eval.simpler_api import CONSTRUCTION_SEED, NotSupported, SeedChain, spec_from_reset
from eval.simpler_api.dropin import infos, observations
from eval.simpler_api.dropin.keywords import OBJECTS, Keywords
from eval.tasks.loading import load_task
from eval.tasks.reset_options import read_options
from eval.tasks.sampling import fresh
from task_configs import robots

NOT_BUILT = frozenset(
    {"agent", "arena", "cabinet", "drawer_obj", "obj", "robot", "scene", "tcp", "get_state", "set_state", "set_episode_rng"}
    | {"evaluate", "compute_dense_reward", "render_cameras", "episode_objs", "_scene", "_cameras", "_viewer"}
)
"""Parts of the original's environment that some code reaches for and that do not exist here."""


class SimplerEnv(gymnasium.Env[Any, Any]):
    """Like ``gymnasium.make(env_id, **kwargs)`` of the original; see docs/dropin.md for what is not built.

    ``terminated`` is the success of the step just played and ends nothing; ``truncated`` is True from the step limit on.
    Seeds go on as in the original: a reset without a seed samples one from the generator that the last reset left.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  Gymnasium's own convention

    def __init__(self, env_id: str, assets: str | None = None, rt: str = "auto", **kwargs: Any) -> None:  # noqa: ANN401  the original's signature
        """See ``make``. Raises NotSupported for an environment, a keyword or a value that is not built."""
        self.env_id = env_id
        self._chain = SeedChain()
        self._keywords = Keywords(kwargs)
        # What the original's constructor resets itself to; nothing is built before the first reset.
        self.episode_spec: EpisodeSpec = self._spec_of(CONSTRUCTION_SEED, {})
        self._task = load_task(self.episode_spec.task)
        config = robots()[self.episode_spec.robot]
        self._keywords.check_robot(config)
        self.robot_uid, self.control_mode = self.episode_spec.robot, config.control_mode
        self.sim_freq, self.control_freq = self.episode_spec.sim_freq, self.episode_spec.control_freq
        self.obs_mode = self._keywords.obs_mode
        self.render_mode = "rgb_array" if self.obs_mode == "rgbd" else None
        self._assets, self._rt = Assets.from_option(assets), rt
        self._world: World | None = None
        cabinet = self.episode_spec.cabinet
        self._reported_drawer = None if cabinet is None else cabinet.drawer
        self.elapsed_steps = 0
        self.action_space = observations.action_space()
        self.observation_space = self._space()

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode. Options as in the original: ``robot_init_options``, ``obj_init_options``, ...; they are left
        unchanged. Raises UserError for unknown ones.
        """
        super().reset(seed=seed)
        spec, last = self._spec_of(seed, options), self.episode_spec
        if self._world is None:
            traced = self.obs_mode == "rgbd" and spec.shader == "rt"
            rendering = ray_tracing.choose(self._rt) if traced else ray_tracing.RASTER
            self._world = World(self._assets, self.obs_mode == "rgbd", rendering)
        reset_options = read_options(options)
        built_anew = reset_options.reconfigure or spec.urdf_version != last.urdf_version
        built_anew |= [item.model for item in spec.objects] != [item.model for item in last.objects]
        if built_anew and spec.cabinet is not None:
            self._reported_drawer = spec.cabinet.drawer  # the original reports the pose of the drawer it last built
        self.episode_spec = spec
        try:
            seen, world_info = self._world.reset(options={"spec": spec})
        except RuntimeError as error:
            if reason := Sapien3.refusal(error):
                raise UserError(reason) from error
            raise
        self.elapsed_steps, self.episode_stats = 0, world_info["episode_stats"]
        if self.obs_mode == "rgbd":
            self._base_camera = observations.mount_base_camera(self._world.scene.engine)
        info = infos.reset_info(
            spec,
            self._world.scene,
            self._keywords.given,
            self._photo(),
            self._episode_id(spec, reset_options.obj_init_options.episode_id),
            self._reported_drawer,
        )
        return self._observe(seen), info

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:  # noqa: ANN401  the original's signature
        """Play one control step with seven numbers: translation [m], rotation vector [rad], gripper."""
        world = self._played()
        seen, reward, terminated, truncated, info = world.step(np.asarray(action, dtype=np.float64))
        self.elapsed_steps, self.episode_stats = info["elapsed_steps"], info["episode_stats"]
        opening = None
        if self.episode_spec.rule.family == "drawer" and self.episode_spec.cabinet is not None:
            assert world.scene.cabinet is not None
            opening = world.scene.cabinet.openings[self.episode_spec.cabinet.drawer]
        return self._observe(seen), float(reward), terminated, truncated, infos.step_info(info, opening)

    def get_language_instruction(self) -> str:
        """The current instruction; before the first reset, that of the constructor's own reset."""
        return self.episode_spec.instruction if self._world is None else self._world.instruction

    def is_final_subtask(self) -> bool:
        """Whether the policy's "done" may end the episode."""
        return not self.episode_spec.later_instructions if self._world is None else self._world.is_final_subtask

    def advance_to_next_subtask(self) -> None:
        """Begin the next subtask; does nothing in the last one. Raises NotImplementedError for tasks without subtasks."""
        if not self.episode_spec.later_instructions:
            raise NotImplementedError(f"{self.env_id} has no subtasks.")
        self._played().advance_to_next_subtask()

    def render(self) -> NDArray[np.uint8]:
        """(H, W, 3) the policy's last image."""
        if self.obs_mode != "rgbd":
            raise NotSupported(f'Nothing is rendered with obs_mode "{self.obs_mode}".')
        return self._played().render()

    def close(self) -> None:
        """Free the scene."""
        if self._world is not None:
            self._world.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the original's signature
        if name in NOT_BUILT:
            raise AttributeError(f'"{name}" of the original\'s environment is not built; docs/dropin.md lists what is.')
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _played(self) -> World:
        if self._world is None:
            raise NotSupported("reset the environment first.")
        return self._world

    def _spec_of(self, seed: int | None, options: Mapping[str, Any] | None) -> EpisodeSpec:
        return spec_from_reset(self.env_id, self._keywords.for_spec(), seed, options, self._chain)

    def _observe(self, seen: Mapping[str, Any]) -> Any:  # noqa: ANN401  the original's signature
        scene = self._played().scene
        extra = observations.extra_observation(scene, self.episode_spec, self.obs_mode != "rgbd")
        state: dict[str, Any] = {"agent": observations.agent_observation(scene)} | ({"extra": extra} if extra else {})
        if self.obs_mode != "rgbd":
            return observations.flat(state) if self.obs_mode == "state" else state
        assert scene.camera is not None
        self._base_camera.take_picture()
        own = scene.camera.component
        cameras = {observations.BASE_CAMERA: (self._base_camera, None), scene.config.camera.uid: (own, seen["image"])}
        segmented = self._keywords.segmentation
        return state | {
            "camera_param": {name: observations.camera_param(camera) for name, (camera, _) in cameras.items()},
            "image": {name: observations.camera_image(camera, segmented, rgb) for name, (camera, rgb) in cameras.items()},
        }

    def _space(self) -> gymnasium.Space[Any]:
        extra = {} if self.episode_spec.cabinet is not None else {"tcp_pose": 7}
        config = robots()[self.robot_uid]
        if self.obs_mode == "rgbd":
            return observations.rgbd_space(config, extra, self._keywords.segmentation)
        if extra:
            extra |= OBJECTS[self._task.family]
        flat = self.obs_mode == "state"
        return observations.flat_space(config, extra) if flat else observations.state_space(config, extra)

    def _photo(self) -> str | None:
        given = self._keywords.given.get("rgb_overlay_path")
        if not self._keywords.prepackaged or self.episode_spec.overlay is None:
            return None if given is None else str(given)
        # With a cabinet the photo is sampled, and the original goes on reporting the first one's name.
        photo = "real_inpainting/open_drawer_a0.png" if self.episode_spec.cabinet else self.episode_spec.overlay
        return str(self._assets.path(f"data/{photo}"))

    def _episode_id(self, spec: EpisodeSpec, given: int | None) -> int | None:
        if given is not None or not self._task.placements:
            return given
        return int(fresh(spec.seed).randint(self._task.placements))
