"""What a frame of a dataset holds: names, shapes and types, after the public LeRobot copies of Bridge and Fractal.

Keys and the components of the state are those of ``bridge_orig_lerobot`` and ``fractal20220817_data_lerobot``. The action is
what was commanded, in double precision: its rotation is the controller's rotation vector, not the copies' Euler angles, and
its components are named so.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, JsonValue

RobotFamily = Literal["google_robot", "widowx"]
STATE, ACTION, EXECUTED = "observation.state", "action", "executed_action"
"""``EXECUTED`` is a column only where the action of a step (a label) is another one than what was played."""
SUCCESS, DONE = "next.success", "next.done"
HAS_TRACE = "has_trace"
"""(1,) bool: whether the image with traces carries one. Where it does not, it is the plain image."""
TRACE_SUFFIX = "_trace"
TRACE_SIDE = 256
"""Pixels, height and width of images with traces: the policy draws at this size, and enlarges afterwards."""
ACTION_NAMES = ("x", "y", "z", "rx", "ry", "rz", "gripper")
INDEX_FEATURES = ("timestamp", "frame_index", "episode_index", "index", "task_index")
"""That every dataset of the layout has."""
WIDOWX_REST = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])
"""Orientation of the WidowX's tool for which Bridge's angles are zero."""


def trace_key(image: str) -> str:
    """Key of a camera's images with traces (``simpler-eval annotate-traces``), beside that of its plain ones.

    They are (256, 256, 3), kept to the bit, as ``policies.tracevla_phi3`` has them just before it enlarges them for the model:
    what training makes of them is what inference makes of the same camera image.
    """
    return image + TRACE_SUFFIX


class Feature(BaseModel):
    """One entry of ``features`` in ``meta/info.json``."""

    model_config = ConfigDict(frozen=True, extra="allow")

    dtype: str
    shape: tuple[int, ...]
    names: JsonValue = None
    """As its writer has it: LeRobot's own has had lists, lists by a word, and numbers by name."""

    @property
    def components(self) -> tuple[str, ...]:
        """Names of its numbers, in order; () where there are none, or not one for each."""
        named = self.names
        if isinstance(named, dict):
            places = {name: place for name, place in named.items() if isinstance(place, int)}
            named = [*sorted(places, key=places.__getitem__)] if places else next(iter(named.values()), None)
        while isinstance(named, list) and len(named) == 1 and isinstance(named[0], list):
            named = named[0]
        return tuple(map(str, named)) if isinstance(named, list) else ()


@dataclass(frozen=True)
class RobotFeatures:
    """What the robot decides."""

    image: str
    """Key of the camera's image."""
    state: tuple[str, ...]
    """Names of the components of the state."""


ROBOTS: dict[RobotFamily, RobotFeatures] = {
    "widowx": RobotFeatures("observation.images.image_0", ("x", "y", "z", "roll", "pitch", "yaw", "pad", "gripper")),
    "google_robot": RobotFeatures("observation.images.image", ("x", "y", "z", "rx", "ry", "rz", "rw", "gripper")),
}


def states(robot: RobotFamily, poses: NDArray[np.float64], openings: NDArray[np.float64]) -> NDArray[np.float32]:
    """(T, 8) ``observation.state``.

    Args:
        robot: decides the convention. Bridge: position, extrinsic x-y-z angles against the tool's rest orientation, 0, opening
            of the gripper. Fractal: position, quaternion x y z w, how far the gripper is closed.
        poses: (T, 7) x y z [m] and w x y z, tool in the frame of the robot's base.
        openings: (T,) 0 closed .. 1 open.
    """
    from scipy.spatial.transform import Rotation

    rotations = Rotation.from_quat(poses[:, [4, 5, 6, 3]])
    if robot == "google_robot":
        quaternions = poses[:, [4, 5, 6, 3]]
        return np.column_stack([poses[:, :3], quaternions, 1.0 - openings]).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a hand that points along the axis: one of many angles is as good
        angles = Rotation.from_matrix(rotations.as_matrix() @ WIDOWX_REST.T).as_euler("xyz")
    return np.column_stack([poses[:, :3], angles, np.zeros(len(poses)), openings]).astype(np.float32)


def features_of(robot: RobotFamily, height: int, width: int, video: dict[str, object], executed: bool) -> dict[str, Feature]:
    """All features of a dataset, by name.

    Args:
        robot: whose dataset.
        height: of the images, pixels.
        width: of the images, pixels.
        video: how they are encoded, as the layout says it (``info``).
        executed: whether actions were played that differ from ``action``.
    """
    of_robot = ROBOTS[robot]
    image = Feature.model_validate(
        {"dtype": "video", "shape": (height, width, 3), "names": ["height", "width", "channels"], "info": video}
    )
    named = {of_robot.image: image, STATE: _vector("float32", of_robot.state), ACTION: _vector("float64", ACTION_NAMES)}
    if executed:
        named[EXECUTED] = _vector("float64", ACTION_NAMES)
    named |= {name: Feature(dtype="bool", shape=(1,)) for name in (SUCCESS, DONE)}
    return named | {name: Feature(dtype="float32" if name == "timestamp" else "int64", shape=(1,)) for name in INDEX_FEATURES}


def _vector(dtype: str, names: Sequence[str]) -> Feature:
    return Feature(dtype=dtype, shape=(len(names),), names={"motors": list(names)})
