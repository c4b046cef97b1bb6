"""What our client and our server say to each other beyond the two protocols, so that a policy behind a wire is the same policy.

All of it lies below :data:`KEY`, which others ignore, and is plain: maps, texts, numbers, arrays. Where it is said:

=========================  ====================================================  ==========================================
                           vla-eval                                              openpi
=========================  ====================================================  ==========================================
who is served              ``hello`` of the server: ``capabilities[KEY]``        the server's first map: ``[KEY]``
an episode begins          ``episode_start``: ``[KEY]`` = :func:`episode_map`    ``[KEY]["info"]`` of every observation; it
                                                                                 begins (anew) with step 0
an observation             ``[KEY]`` = :func:`observation_map`, the image as     the same, the image as ``image`` and the
                           ``images.primary``                                    instruction as ``prompt``
an action                  ``actions`` (7,) = ``Action.command`` as it is        ``actions`` (1, 7), the same
                           (float64), ``terminate``
an episode is over         ``episode_end``                                       ``{KEY: {"ended": [names]}}``, answered by
                                                                                 an empty map
who asks                   the connection                                        ``[KEY]["client"]``, a text that no other
                                                                                 client has: any of its connections asks
                                                                                 about any of its episodes
=========================  ====================================================  ==========================================

An observation without :data:`KEY` comes from somebody else, who is answered by the conventions of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from eval.wire.errors import WireError
from eval.wire.packing import numbers_of
from policies.base import EpisodeInfo, Observation, PolicyDescription, Proprio, RobotName

KEY = "simpler_eval"
VERSION = 1
PROPRIO = {"tcp_position": (3,), "tcp_quaternion": (4,), "qpos": None}
"""Arrays of ``Proprio`` and their shapes."""


class Served(BaseModel):
    """Who is served."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = VERSION
    policy: PolicyDescription
    needs_image: bool = True


def served_map(served: Served) -> dict[str, Any]:
    """As a map for the wire; where the policy's files lie stays here."""
    return served.model_dump(mode="json", exclude={"policy": {"details"}})


def read_served(value: object) -> Served:
    """Raises WireError for another version, or anything else."""
    try:
        served = Served.model_validate(value)
    except ValidationError as error:
        raise WireError(f'its "{KEY}" is no description of a policy') from error
    if served.version != VERSION:
        raise WireError(f'its "{KEY}" is of version {served.version}; version {VERSION} is known')
    return served


_INFO: TypeAdapter[EpisodeInfo] = TypeAdapter(EpisodeInfo)


def episode_map(info: EpisodeInfo) -> dict[str, Any]:
    """An episode that begins."""
    return {entry.name: getattr(info, entry.name) for entry in fields(info)}


def read_episode(value: object) -> EpisodeInfo:
    """Raises WireError for what is no episode."""
    try:
        return _INFO.validate_python(value)
    except ValidationError as error:
        raise WireError("what it says of an episode lacks something, or is of another type") from error


def observation_map(observation: Observation) -> dict[str, Any]:
    """All of an observation but image and instruction, which have their places in each protocol."""
    proprio = {entry.name: getattr(observation.proprio, entry.name) for entry in fields(observation.proprio)}
    return {"episode": observation.episode, "step": observation.step, "robot": observation.robot, "proprio": proprio}


_ROBOT: TypeAdapter[RobotName] = TypeAdapter(RobotName)


def read_observation(value: object, image: NDArray[np.uint8] | None, instruction: str) -> Observation:
    """Raises WireError for what is no observation; image and instruction were checked by who calls."""
    if not isinstance(value, Mapping) or not isinstance(value.get("proprio"), Mapping):
        raise WireError("what it says of an observation is no map")
    episode, step, felt = value.get("episode"), value.get("step"), value["proprio"]
    if not isinstance(episode, str) or type(step) is not int or step < 0:
        raise WireError("an observation lacks its episode or step")
    try:
        robot = _ROBOT.validate_python(value.get("robot"))
    except ValidationError as error:
        raise WireError("an observation is of no robot that is known") from error
    arrays = {}
    for name, shape in PROPRIO.items():
        array = numbers_of(felt.get(name), name).astype(np.float32)
        if array.ndim != 1 or (shape is not None and array.shape != shape):
            raise WireError(f"{name} is of shape {array.shape}")
        arrays[name] = array
    opening = numbers_of(felt.get("gripper_opening"), "gripper_opening")
    if opening.ndim:
        raise WireError("gripper_opening is no number")
    return Observation(episode, step, robot, instruction, image, Proprio(gripper_opening=float(opening), **arrays))
