"""The world a run plays in by default: our own, on SAPIEN 3. Imported inside worker processes only."""

from __future__ import annotations

import contextlib
import functools

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from eval.assets.resolver import Assets
from eval.backends.base import Image, Simulation, SimulationState, WorldOptions
from eval.backends.vulkan import NO_DEVICE, vulkan_devices
from eval.episode import EpisodeSpec
from eval.records.header import RenderingRecord, WorldRecord
from eval.sim import ray_tracing
from eval.sim.world import World, image_size
from eval.tasks.base import TaskResult
from policies.base import Privileged

NAME = "simpler-eval's world on SAPIEN 3"


class Sapien3(Simulation):
    """One world for the episodes with images and one for those without; only the one at hand holds a scene."""

    def __init__(self, options: WorldOptions) -> None:
        super().__init__(options)
        self._assets = Assets.from_option(options.assets)
        device = options.render_device
        self._worlds = {render: World(self._assets, render, options.rendering, device=device) for render in (False, True)}
        self._world = self._worlds[False]

    def image_size(self, spec: EpisodeSpec) -> tuple[int, int]:
        """(H, W) of the robot's camera."""
        return image_size(spec)

    def begin(self, spec: EpisodeSpec, image: Image | None) -> SimulationState:
        """Build the episode's scene and start from the objects' settled states."""
        self._world.close()
        self._rendered = image is not None
        self._world = self._worlds[self._rendered]
        return self._state(self._world.begin(spec), image)

    def step(self, action: NDArray[np.float64], image: Image | None) -> SimulationState:
        """Play one control step."""
        return self._state(self._world.play(action), image)

    def _state(self, result: TaskResult, image: Image | None) -> SimulationState:
        world = self._world
        if image is not None:
            world.take_image(image)
        return SimulationState(
            instruction=world.instruction,
            tcp_pose=world.tcp_pose,
            gripper_opening=world.gripper_opening,
            qpos=world.scene.robot.qpos,
            success=bool(result.success),
            episode_stats=result.episode_stats,
            is_final_subtask=world.is_final_subtask,
        )

    def advance_to_next_subtask(self) -> None:
        """Begin the next subtask."""
        self._world.advance_to_next_subtask()

    def privileged(self) -> Privileged:
        """State for scripted policies."""
        return self._world.privileged()

    def describe(self) -> WorldRecord:
        """Files, and what renders if anything does."""
        assets = self._assets.record()
        if not self._rendered:
            return WorldRecord(name=NAME, assets=assets, render_device=self.options.render_device)
        device = None
        with contextlib.suppress(Exception):  # a run does not fail for want of a line about its GPU
            device = self._world.device_summary
        rendering = RenderingRecord.model_validate(ray_tracing.record(self.options.rendering))
        return WorldRecord(
            name=NAME,
            assets=assets,
            device=device,
            render_device=self.options.render_device,
            rendering=rendering,
            drivers=drivers(),
        )

    @classmethod
    def refusal(cls, error: Exception) -> str | None:
        """A host without anything to render with plays nothing."""
        return NO_DEVICE if "failed to find a rendering device" in str(error) else None

    def close(self) -> None:
        """Free the scene."""
        self._world.close()


@functools.cache
def drivers() -> tuple[JsonValue, ...]:
    """Name, driver and driver version (Mesa's, NVIDIA's) of every Vulkan device of this machine."""
    return tuple(device.model_dump() for device in vulkan_devices())
