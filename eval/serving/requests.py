"""What clients send, whatever harness they are, as the episodes and observations that policies know.

Nothing reaches a policy that could trouble the others in its batch: pictures, instructions and numbers are checked here. The
keys that are understood are those of vla-eval's and openpi's own clients; ``docs/robot.md`` lists them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from eval.serving.desk import Refused
from policies.base import EpisodeInfo, Observation, Proprio, RobotName

Wire = Mapping[str, Any]

ROBOTS: tuple[RobotName, ...] = get_args(RobotName)
IMAGES = ("images", "observation/image", "image", "observation/images", "observation/primary_image", "image_primary")
"""Keys of the camera's picture, or of a map of pictures."""
CAMERAS = ("primary", "image", "image_0", "base", "exterior")
"""The one that is taken of a map of several."""
INSTRUCTIONS = ("task_description", "prompt", "instruction", "language_instruction")
TASKS = ("task", "task_name", "name")
STATES = ("states", "state", "observation/state", "proprio")
SMALLEST, LARGEST = 16, 4096
"""Pixels of a side of a picture."""
LONGEST_INSTRUCTION = 2000
LONGEST_NAME = 200
MANY_STEPS = 1_000_000
"""Steps of an episode whose client does not say how many it has."""


@dataclass(frozen=True)
class Served:
    """What the policy can be asked about."""

    robots: tuple[RobotName, ...]
    """At least one."""
    robot: RobotName | None
    """Whom all clients have, if the user said so."""
    needs_image: bool


def robot_of(wire: Wire, served: Served, before: RobotName | None = None) -> RobotName:
    """Whom a message is about: the key ``robot``, else the one it was, else what the task's name begins with, else the user's
    word, else the only one there is. Raises Refused where that is none, or one that is not served.
    """
    said = wire.get("robot")
    if said is not None and not (isinstance(said, str) and said in ROBOTS):
        raise Refused(f"robot is none of {', '.join(ROBOTS)}")
    named = [robot for key in TASKS if isinstance(name := wire.get(key), str) for robot in ROBOTS if name.startswith(robot)]
    robot = said or before or next(iter(named), None) or served.robot
    if robot is None and len(served.robots) == 1:
        robot = served.robots[0]
    if robot is None:
        raise Refused(
            f'which robot is it? Send "robot": "widowx" or "google_robot", or start the server with --robot {ROBOTS[0]}'
        )
    if robot not in served.robots:
        raise Refused(f"this policy is served for {' and '.join(served.robots)} alone, not for {robot}")
    return robot


def episode_of(wire: Wire, served: Served, number: int) -> EpisodeInfo:
    """An episode that a client begins.

    Args:
        wire: what it says of it; everything may be left out but, where it cannot be told otherwise, ``robot``.
        served: what can be asked about.
        number: of the client's episodes; its seed, if it says none.
    """
    robot = robot_of(wire, served)
    task = next((_text(key, wire[key], LONGEST_NAME) for key in TASKS if isinstance(wire.get(key), str)), "served")
    seed = _whole(wire, "seed", wire.get("episode_idx", number), 2**63 - 1)
    name = wire.get("episode", wire.get("episode_id"))
    name = f"{task}-{_whole(wire, 'episode_idx', number, 2**63 - 1)}" if name is None else str(_name(name))
    return EpisodeInfo(
        episode=name,
        task=task,
        robot=robot,
        instruction=instruction_of(wire, task.replace("_", " ")),
        max_steps=_whole(wire, "max_steps", MANY_STEPS, MANY_STEPS, 1),
        control_freq=_whole(wire, "control_freq", 3 if robot == "google_robot" else 5, 10_000, 1),
        seed=seed,
        repeat=_whole(wire, "repeat", 0, 2**31),
    )


def observation_of(wire: Wire, served: Served, info: EpisodeInfo, step: int, instruction: str) -> Observation:
    """An observation of an episode that is under way; ``instruction``: the last one, where the message has none."""
    robot = robot_of(wire, served, info.robot)
    if robot != info.robot:
        raise Refused(f"the episode is of {info.robot}, this observation of {robot}; begin another episode")
    return Observation(
        episode=info.episode,
        step=step,
        robot=robot,
        instruction=instruction_of(wire, instruction),
        image=image_of(wire) if served.needs_image else None,
        proprio=proprio_of(wire),
    )


def instruction_of(wire: Wire, otherwise: str) -> str:
    """What is to be done, in words."""
    for key in INSTRUCTIONS:
        if (given := wire.get(key)) is not None:
            text = _text(key, given, LONGEST_INSTRUCTION)
            if not text.strip():
                raise Refused(f"{key} is empty; say in words what is to be done")
            return text
    return otherwise


def image_of(wire: Wire) -> NDArray[np.uint8]:
    """(H, W, 3) RGB, the camera's picture: below a key of ``IMAGES``, else the only picture of the message."""
    for key in IMAGES:
        given = wire.get(key)
        if isinstance(given, Mapping) and given:
            given = next(
                (given[name] for name in CAMERAS if name in given), next(iter(given.values())) if len(given) == 1 else None
            )
            if given is None:
                raise Refused(f"{key} holds several pictures; call the one to be used {CAMERAS[0]}")
        if given is not None:
            return _picture(key, given)
    pictures = [
        key for key, value in wire.items() if isinstance(value, np.ndarray) and value.ndim == 3 and value.dtype == np.uint8
    ]
    if len(pictures) != 1:
        raise Refused('there is no picture; send "images": {"primary": (H, W, 3) uint8 RGB} or "observation/image"')
    return _picture("the picture", wire[pictures[0]])


def proprio_of(wire: Wire) -> Proprio:
    """What a robot feels of itself: 8 numbers, position [m] and quaternion (w x y z) of the tool at the robot's base, and how
    far the gripper is open. Whatever is absent or laid out otherwise is NaN: a policy that needs it shall not get a guess.
    """
    given = next((wire[key] for key in STATES if isinstance(wire.get(key), np.ndarray | list)), None)
    state = np.full(8, np.nan, np.float32) if given is None else _numbers(given)
    state = state if state.shape == (8,) else np.full(8, np.nan, np.float32)
    opening = wire.get("gripper_opening")
    opening = float(opening) if isinstance(opening, float | int) and math.isfinite(opening) else float(state[7])
    qpos = wire.get("qpos")
    return Proprio(state[:3], state[3:7], opening, np.empty(0, np.float32) if qpos is None else _numbers(qpos))


def _picture(key: str, given: object) -> NDArray[np.uint8]:
    if not isinstance(given, np.ndarray) or given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3:
        shown = f"{given.shape} {given.dtype.name}" if isinstance(given, np.ndarray) else f"a {type(given).__name__}"
        raise Refused(f"{key} is {shown:.60}; it must be RGB, (H, W, 3) uint8")
    if not all(SMALLEST <= side <= LARGEST for side in given.shape[:2]):
        raise Refused(f"{key} is {given.shape[0]} x {given.shape[1]} pixels; a side must have {SMALLEST} to {LARGEST}")
    return given


def _numbers(given: np.ndarray | Sequence[object]) -> NDArray[np.float32]:
    try:
        array = np.asarray(given)
        return array.astype(np.float32) if array.dtype.kind in "biuf" and array.size <= 100 else np.empty(0, np.float32)
    except (ValueError, TypeError, OverflowError):
        return np.empty(0, np.float32)


def _text(key: str, given: object, longest: int) -> str:
    if not isinstance(given, str):
        raise Refused(f"{key} is a {type(given).__name__}; it must be a text")
    if len(given) > longest:
        raise Refused(f"{key} has {len(given)} characters; at most {longest} are possible")
    try:
        given.encode()
    except UnicodeEncodeError:
        raise Refused(f"{key} is no text that can be written as UTF-8") from None
    return given


def _name(given: object) -> str | int:
    if isinstance(given, int) and not isinstance(given, bool) and abs(given) < 2**63:
        return given
    name = _text("episode", given, LONGEST_NAME)
    if not name:
        raise Refused("episode is empty; give it a name or a number")
    return name


def _whole(wire: Wire, key: str, otherwise: object, largest: int, smallest: int = 0) -> int:
    given = wire.get(key, otherwise)
    if isinstance(given, bool) or not isinstance(given, int | np.integer) or not smallest <= given <= largest:
        raise Refused(f"{key} must be a whole number, {smallest} to {largest}")
    return int(given)
