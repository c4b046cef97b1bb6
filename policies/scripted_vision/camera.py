"""The cameras of both robots, in the frame of the robot's base: from pixels to points on a plane above the table.

Camera axes are OpenCV's: x right, y down, z forward. The numbers are those of SIMPLER's robots, as read off the original
(ManiSkill2_real2sim: ``agents/configs/google_robot/defaults.py``, ``agents/configs/widowx/defaults.py`` and both robots' URDF).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

Array = NDArray[np.float64]

FORWARD_FIRST = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])
"""OpenCV's axes in those of a body that looks along its x, with z up."""
HEAD_PAN, HEAD_TILT = -2, -1
"""Places in the Google Robot's joint positions."""
HEAD_HEIGHT = 1.28750
"""m, the tilt axis above the base."""
NECK = 0.07181
"""m, from the pan axis forward to the tilt axis."""
EYE = 0.10488
"""m, from the tilt axis to the camera, along the view."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera."""

    width: int
    height: int
    focal: float
    """pixels."""
    centre: tuple[float, float]
    """pixels."""
    position: Array
    """(3,) m, in the base's frame."""
    axes: Array
    """(3, 3) its x, y and z as columns, in the base's frame."""

    def on_plane(self, pixels: Array, height: float) -> Array:
        """(N, 2) x y [m] where the rays of pixels (N, 2) meet the plane at ``height`` m above the base's origin."""
        rays = np.column_stack([(pixels - self.centre) / self.focal, np.ones(len(pixels))]) @ self.axes.T
        reach = (height - self.position[2]) / rays[:, 2]
        return np.asarray(self.position[:2] + reach[:, None] * rays[:, :2])

    def pixel(self, point: Array) -> Array:
        """(2,) pixel at which a point (3,) of the base's frame is seen."""
        x, y, z = self.axes.T @ (point - self.position)
        return np.asarray(self.focal * np.array([x, y]) / z + self.centre)


def google_head(qpos: Array) -> Camera:
    """The camera on the Google Robot's head: its joints (11,) say where it looks."""
    tilt = float(qpos[HEAD_TILT])
    pan = Rotation.from_rotvec([0.0, 0.0, float(qpos[HEAD_PAN])])
    eye = np.array([NECK + EYE * np.cos(tilt), 0.0, HEAD_HEIGHT - EYE * np.sin(tilt)])
    look = pan * Rotation.from_rotvec([0.0, tilt, 0.0])
    return Camera(640, 512, 425.0, (320.0, 256.0), pan.apply(eye), look.as_matrix() @ FORWARD_FIRST)


def _beside(position: tuple[float, float, float], quaternion: tuple[float, float, float, float]) -> Callable[[Array], Camera]:
    """A camera that stands beside the WidowX; ``quaternion`` w x y z of a body that looks along its x."""
    axes = Rotation.from_quat(np.roll(quaternion, -1)).as_matrix() @ FORWARD_FIRST
    camera = Camera(640, 480, 623.588, (319.501, 239.545), np.array(position), axes)
    return lambda qpos: camera


CAMERAS: Mapping[str, Callable[[Array], Camera]] = {
    "google": google_head,
    "widowx": _beside((0.0, -0.16, 0.36), (0.89929167, -0.09263245, 0.35892477, 0.23209206)),
    "widowx_sink": _beside((-0.00300001, -0.21, 0.39), (-0.907313, 0.0782, -0.36434, -0.194741)),
}
"""By the robot's setup: joint positions -> camera."""
