"""The world a run plays in by default: our own, on SAPIEN 3. Imported inside worker processes only."""

from __future__ import annotations

import contextlib
import functools
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue

from eval.assets.resolver import Assets
from eval.backends.base import Image, Simulation, SimulationState, WorldOptions
from eval.backends.vulkan import NO_DEVICE, vulkan_devices
from eval.episode import EpisodeSpec
from eval.records.header import RenderingRecord, WorldRecord
from eval.sim import ray_tracing
from eval.sim.camera import PolicyCamera
from eval.sim.drawing_turn import DrawingTurn
from eval.sim.stage_clock import FOLDER_VARIABLE, StageClock, StageFile
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
        self._stages = _stage_file(os.environ[FOLDER_VARIABLE]) if os.environ.get(FOLDER_VARIABLE) else None

    def image_size(self, spec: EpisodeSpec) -> tuple[int, int]:
        """(H, W) of the robot's camera."""
        return image_size(spec)

    def begin(self, spec: EpisodeSpec, image: Image | None) -> SimulationState:
        """Build the episode's scene and start from the objects' settled states."""
        if self._stages is not None:
            self._stages.write()
        self._world.close()
        self._rendered = image is not None
        self._world = self._worlds[self._rendered]
        return self._state(self._world.begin(spec), image)

    def step(self, action: NDArray[np.float64], image: Image | None) -> SimulationState:
        """Play one control step."""
        if self._stages is not None:
            self._stages.steps += 1
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
            surroundings=world.surroundings,
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
        if self._stages is not None:
            self._stages.write(at_once=True)


@functools.cache
def _stage_file(folder: str) -> StageFile:
    """One a process, however many worlds it plays."""
    import sapien

    clock = StageClock()
    clock.put_around(Sapien3, "begin", "build", whole=True)  # with its first image, for which shaders are compiled
    for owner, name, stage in (
        (Sapien3, "step", "python"),
        (World, "play", "simulate"),
        (PolicyCamera, "take", "picture"),
        (sapien.Scene, "update_render", "draw"),
        (sapien.render.RenderCameraComponent, "take_picture", "draw"),
        (sapien.render.RenderCameraComponent, "get_picture", "read-back"),
        (DrawingTurn, "__enter__", "turn"),
    ):
        clock.put_around(owner, name, stage)
    return StageFile(clock, Path(folder))


@functools.cache
def drivers() -> tuple[JsonValue, ...]:
    """Name, driver and driver version (Mesa's, NVIDIA's) of every Vulkan device of this machine."""
    return tuple(device.model_dump() for device in vulkan_devices())
