"""Warnings about what the original takes and silently leaves unused; its own evaluators give such things."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

import numpy as np

from eval.episode import EpisodeSpec
from eval.simpler_api.keywords import overwritten
from eval.tasks.base import TaskBase
from eval.tasks.reset_options import ResetOptions

OF_MAKE, OF_RESET = 5, 4
"""Frames from the warning to the code that called ``make`` or ``reset``."""


def warn_of_keywords(task: TaskBase, env_id: str, kwargs: Mapping[str, object]) -> None:
    """Keywords that the prepackaged setting replaces by its own."""
    for key in overwritten(task, env_id, kwargs):
        _warn(f"{key}={kwargs[key]!r} has no effect on {env_id}: its prepackaged setting chooses this itself.", OF_MAKE)


def warn_of_photo(env_id: str, given: Mapping[str, object], own: str | None, camera: str) -> None:
    """A photo, or the cameras that it goes over, where the setting has its own; and a photo without a camera."""
    photo, cameras = given.get("rgb_overlay_path"), given.get("rgb_overlay_cameras")
    if not given.get("prepackaged_config"):
        if photo and not cameras:
            _warn(f"rgb_overlay_path has no effect on {env_id}: rgb_overlay_cameras names no camera.", OF_MAKE)
        return
    other = []
    if photo and not cameras and not (own and str(photo).endswith(own)):  # with cameras it is a keyword like any other
        other.append(f"rgb_overlay_path={photo!r}")
    if cameras and not _is_only(cameras, camera):
        other.append(f"rgb_overlay_cameras={cameras!r}")
    for said in other:
        _warn(f"{said} has no effect on {env_id}: its prepackaged setting chooses this itself.", OF_MAKE)


def warn_of_options(task: TaskBase, env_id: str, given: ResetOptions, spec: EpisodeSpec) -> None:
    """Reset options that say where things start, in words that the environment does not read."""
    objects, robot_xy = given.obj_init_options, given.robot_init_options.init_xy
    if objects.episode_id is not None and not task.placements:
        _warn(
            f"episode_id has no effect on {env_id}: its episodes have no numbers; seed or init_xy tells them apart.", OF_RESET
        )
    if objects.init_xy is not None and task.placements:
        _warn(f"init_xy has no effect on the objects of {env_id}: episode_id says where they start.", OF_RESET)
    if robot_xy is not None and not np.allclose(robot_xy, spec.robot_xy):
        _warn(f"robot_init_options has no effect on {env_id}: its setting places the robot at {spec.robot_xy}.", OF_RESET)


def _is_only(given: object, name: str) -> bool:
    return given == name or (isinstance(given, Collection) and list(given) == [name])


def _warn(text: str, frames: int) -> None:
    warnings.warn(text, stacklevel=frames)
