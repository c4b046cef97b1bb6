"""Environments as the original's sweeps build them."""

from __future__ import annotations

from typing import Any

from eval.errors import did_you_mean
from eval.simpler_api import NotSupported
from eval.simpler_api.dropin import rest
from eval.simpler_api.dropin.environment import SimplerEnv
from eval.simpler_api.dropin.make import make
from task_configs import robots
from task_configs.schema.world import Robot


def build_maniskill2_env(env_name: str, **kwargs: Any) -> SimplerEnv:  # noqa: ANN401  the original's signature
    """An environment by its id; a photo is laid over the image of the robot's policy camera."""
    if kwargs.get("rgb_overlay_path") is not None and kwargs.get("rgb_overlay_cameras") is None:
        kwargs["rgb_overlay_cameras"] = [_robot(kwargs["robot"]).camera.uid]
    return make(env_name, **kwargs)


def get_robot_control_mode(robot_name: str, policy_name: str | None = None) -> str:
    """The controller that the original's evaluation uses with this robot, whatever the policy."""
    return str(_robot(robot_name).control_mode)


def _robot(name: str) -> Robot:
    if name not in robots():
        raise NotSupported(f'Robot "{name}" is not built.{did_you_mean(name, robots())}')
    return robots()[name]


def __getattr__(name: str) -> Any:  # noqa: ANN401  module attributes have any type
    return rest.attribute("utils.env.env_builder", name)
