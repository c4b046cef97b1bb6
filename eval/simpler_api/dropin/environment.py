"""An environment of the original with its own interface, played in our world."""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import Any

import gymnasium
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.backends.render_devices import find_render_device
from eval.backends.sapien3 import Sapien3
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.sim import ray_tracing
from eval.sim.actions import ACTION_LENGTH, real_numbers
from eval.sim.scene import EpisodeScene
from eval.sim.world import World, image_size
from eval.simpler_api import CONSTRUCTION_SEED, NotSupported, SeedChain, spec_from_reset
from eval.simpler_api.dropin import base_pose, infos, observations, unread
from eval.simpler_api.dropin.access import NOT_BUILT, SimulatorAccess
from eval.simpler_api.dropin.keywords import OBJECTS, Keywords
from eval.simpler_api.dropin.views import absent
from eval.tasks.loading import load_task
from eval.tasks.reset_options import read_options
from eval.tasks.sampling import fresh
from task_configs import robots

ENTRY = "eval.simpler_api.dropin.gym_ids:make_again"
"""How Gymnasium makes an environment by its spec."""


class SimplerEnv(SimulatorAccess, gymnasium.Env[Any, Any]):
    """Like ``gymnasium.make(env_id, **kwargs)`` of the original; see docs/dropin.md for what is not built.

    ``terminated`` is the success of the step just played and ends nothing; ``truncated`` is True from the step limit on.
    Seeds go on as in the original: a reset without a seed samples one from the generator that the last reset left.
    """

    metadata = {"render_modes": ["rgb_array"]}  # noqa: RUF012  Gymnasium's own convention

    def __init__(self, env_id: str, assets: str | None = None, rt: str = "auto", **kwargs: Any) -> None:  # noqa: ANN401  the original's signature
        """See ``make``. Raises NotSupported for an environment, a keyword or a value that is not built."""
        self._env_id = env_id
        self._chain = SeedChain()
        self._keywords = Keywords(kwargs)
        if rt not in ray_tracing.MODES:
            raise NotSupported(f'rt "{rt}" is not known.{did_you_mean(rt, ray_tracing.MODES)}')
        # What the original's constructor resets itself to; nothing is built before it is needed.
        self._spec: EpisodeSpec = self._spec_of(CONSTRUCTION_SEED, {})
        self._task = load_task(self._spec.task)
        config = robots()[self._spec.robot]
        self._mode = self._keywords.control_mode(config)
        self._to_base_pose = self._mode != config.control_mode
        self.render_mode = "rgb_array" if self.obs_mode == "rgbd" else None
        self._assets, self._rt = Assets.from_option(assets), rt
        self._world: World | None = None
        self._was_reset = False
        cabinet = self.episode_spec.cabinet
        self._reported_drawer = None if cabinet is None else cabinet.drawer
        self._steps, self._stats = 0, dict[str, Any]()
        unread.warn_of_keywords(self._task, env_id, self._keywords.for_spec())
        unread.warn_of_photo(env_id, self._keywords.given, self._spec.overlay, config.camera.uid)
        if self.control_freq > self.sim_freq:
            raise NotSupported(f"control_freq {self.control_freq} is above sim_freq {self.sim_freq}: nothing would move.")
        again = {**kwargs, "env_id": env_id, "assets": assets, "rt": rt}
        self.spec = EnvSpec(env_id, entry_point=ENTRY, max_episode_steps=self.episode_spec.max_steps, kwargs=again)
        self.action_space = observations.action_space()
        self.observation_space = self._space()

    def reset(self, *, seed: int | None = None, options: Mapping[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode. Options as in the original: ``robot_init_options``, ``obj_init_options``, ...; they are left
        unchanged. Raises UserError for unknown ones.
        """
        seed = None if seed is None else operator.index(seed)  # NumPy's integers, which Gymnasium does not take
        gymnasium.Env.reset(self, seed=seed)
        spec, last = self._spec_of(seed, options), self.episode_spec
        reset_options = read_options(options)
        unread.warn_of_options(self._task, self.env_id, reset_options, spec)
        built_anew = reset_options.reconfigure or spec.urdf_version != last.urdf_version
        built_anew |= [item.model for item in spec.objects] != [item.model for item in last.objects]
        if built_anew and spec.cabinet is not None:
            self._reported_drawer = spec.cabinet.drawer  # the original reports the pose of the drawer it last built
        seen = self._begin(spec)
        self._was_reset = True
        info = infos.reset_info(
            spec,
            self._played().scene,
            self._keywords.given,
            self.rgb_overlay_path,
            self._episode_id(spec, reset_options.obj_init_options.episode_id),
            self._reported_drawer,
        )
        return self._observe(seen), info

    def _begin(self, spec: EpisodeSpec) -> Mapping[str, Any]:
        """Build the scene of an episode; returns the world's own observation."""
        rendered = self.obs_mode == "rgbd"
        if self._world is None:
            rendering, device = ray_tracing.RASTER, None
            if rendered and self.render_device is not None:
                device = self._handle(self.render_device)
            if rendered and spec.shader == "rt":
                rendering = ray_tracing.choose(self._rt, device)
            self._world = World(self._assets, rendered, rendering, device=device, depth=True)
        self._spec = spec
        try:
            seen, info = self._world.reset(options={"spec": spec})
        except RuntimeError as error:
            if reason := Sapien3.refusal(error):
                raise UserError(reason) from error
            raise
        self._steps, self._stats = 0, info["episode_stats"]
        if rendered:
            self._base_camera = observations.mount_base_camera(self._world.scene.engine)
        return seen

    @staticmethod
    def _handle(device: str) -> str:
        """What SAPIEN calls a device."""
        try:
            return find_render_device(device).handle
        except UserError as error:
            raise UserError(str(error).replace("--render-device", "renderer_kwargs device")) from error

    def _present(self) -> EpisodeScene:
        if self._world is None:
            self._begin(self.episode_spec)
        assert self._world is not None
        return self._world.scene

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:  # noqa: ANN401  the original's signature
        """Play one control step with seven numbers: translation [m], rotation vector [rad], gripper; in a control mode of
        poses, position [m] and fixed-axis angles x y z [rad] of the tool at the base, gripper.
        """
        world, given = self._played(), real_numbers(action)
        if self._to_base_pose and given.shape == (ACTION_LENGTH,) and np.isfinite(given).all():
            given = base_pose.as_motion(world.scene, given)
        seen, reward, terminated, truncated, info = world.step(given)
        self._steps, self._stats = info["elapsed_steps"], info["episode_stats"]
        return self._observe(seen), float(reward), terminated, truncated, infos.step_info(info, self._opening())

    def get_obs(self) -> Any:  # noqa: ANN401  the original's signature
        """The observation of the present state."""
        self._present()
        if self.obs_mode != "rgbd":
            return self._observe({})
        image = np.empty((*image_size(self.episode_spec), 3), dtype=np.uint8)
        assert self._world is not None
        self._world.take_image(image)
        return self._observe({"image": image})

    def evaluate(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  the original's signature
        """The verdict on the present state. Counts no step, however often it is called; the original counts each call."""
        return {key: value for key, value in self.get_info().items() if key != "elapsed_steps"}

    def get_info(self, **kwargs: Any) -> dict[str, Any]:  # noqa: ANN401  the original's signature
        """The info of the last step; before the first, what the start would be judged."""
        self._present()
        assert self._world is not None
        result = self._world.verdict()
        info = {"success": result.success, "episode_stats": dict(result.episode_stats), **result.flags}
        return infos.step_info({"elapsed_steps": self.elapsed_steps, **info}, self._opening())

    def get_reward(self, info: Mapping[str, Any] | None = None, **kwargs: Any) -> float:  # noqa: ANN401  the original's signature
        """1.0 for success, else 0.0."""
        return float((self.get_info() if info is None else info)["success"])

    def get_done(self, info: Mapping[str, Any] | None = None, **kwargs: Any) -> bool:  # noqa: ANN401  the original's signature
        """Whether the present state is a success."""
        return bool(self.get_reward(info))

    def get_language_instruction(self, **kwargs: Any) -> str:  # noqa: ANN401  the original's signature
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

    def render(self, mode: str = "rgb_array") -> NDArray[np.uint8]:
        """(H, W, 3) the policy's last image."""
        if mode != "rgb_array":
            raise NotSupported(f'render("{mode}") is not built; render() gives the policy\'s image.')
        if self.obs_mode != "rgbd":
            raise NotSupported(f'Nothing is rendered with obs_mode "{self.obs_mode}".')
        return self._played().render()

    def close(self) -> None:
        """Free the scene."""
        if self._world is not None:
            self._world.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  the original's signature
        if name in NOT_BUILT:
            absent("environment", name)
        if isinstance(getattr(type(self), name, None), property):  # it raised: its task family has no such thing
            raise AttributeError(f'{self.env_id} has no "{name}".')
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def _played(self) -> World:
        if self._world is None or not self._was_reset:
            raise NotSupported("reset the environment first.")
        return self._world

    def _opening(self) -> float | None:
        """m, of the drawer that is to be opened or closed, where that is all there is."""
        cabinet, spec = self._present().cabinet, self.episode_spec
        if cabinet is None or spec.cabinet is None or spec.rule.family != "drawer":
            return None
        return cabinet.openings[spec.cabinet.drawer]

    def _spec_of(self, seed: int | None, options: Mapping[str, Any] | None) -> EpisodeSpec:
        return spec_from_reset(self.env_id, self._keywords.for_spec(), seed, options, self._chain)

    def _observe(self, seen: Mapping[str, Any]) -> Any:  # noqa: ANN401  the original's signature
        scene = self._present()
        extra = observations.extra_observation(scene, self.episode_spec, self.obs_mode != "rgbd")
        agent = observations.agent_observation(scene, with_eef=self.obs_mode != "state")
        state: dict[str, Any] = {"agent": agent} | ({"extra": extra} if extra else {})
        if self.obs_mode != "rgbd":
            return observations.flat(state) if self.obs_mode == "state" else state
        assert scene.camera is not None
        own = scene.camera.component
        cameras = {observations.BASE_CAMERA: (self._base_camera, None), scene.config.camera.uid: (own, seen["image"])}
        segmented = self._keywords.segmentation
        with scene.camera.turn:
            self._base_camera.take_picture()
            images = {name: observations.camera_image(camera, segmented, rgb) for name, (camera, rgb) in cameras.items()}
        return state | {
            "camera_param": {name: observations.camera_param(camera) for name, (camera, _) in cameras.items()},
            "image": images,
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

    def _episode_id(self, spec: EpisodeSpec, given: int | None) -> int | None:
        if given is not None or not self._task.placements:
            return given
        return int(fresh(spec.seed).randint(self._task.placements))
