"""What our own client says beside the protocols (:mod:`eval.wire.own`), checked as everything else that reaches a policy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.serving.desk import Refused
from eval.serving.requests import Served, Wire, image_of, instruction_of, robot_of
from eval.wire.errors import WireError
from eval.wire.own import KEY, read_episode, read_observation
from policies.base import EpisodeInfo, Observation


def said_of(wire: Wire) -> Mapping[str, Any] | None:
    """What our own client says of a message; None if somebody else sent it."""
    said = wire.get(KEY)
    return said if isinstance(said, Mapping) else None


def own_episode(said: object, served: Served) -> EpisodeInfo:
    """An episode that begins. Raises Refused for one that is none, or not served."""
    try:
        info = read_episode(said)
    except WireError as error:
        raise Refused(str(error)) from error
    robot_of({"robot": info.robot}, served)
    instruction_of({"instruction": info.instruction}, "")
    if not info.episode or len(info.episode) > LONGEST or len(info.task) > LONGEST:
        raise Refused(f"an episode's name and task have 1 to {LONGEST} characters")
    if info.max_steps < 1 or info.control_freq < 1 or info.seed < 0 or info.repeat < 0:
        raise Refused("an episode's numbers are below 0, or its steps below 1")
    return info


def own_observation(said: object, wire: Wire, served: Served, info: EpisodeInfo, instruction: str) -> Observation:
    """An observation. Raises Refused for one that is none, or of another robot."""
    image = image_of(wire) if served.needs_image else None
    try:
        observation = read_observation(said, image, instruction_of(wire, instruction))
    except WireError as error:
        raise Refused(str(error)) from error
    if observation.robot != info.robot:
        raise Refused(f"the episode is of {info.robot}, this observation of {observation.robot}")
    return observation


LONGEST = 500
"""Characters of a name."""
