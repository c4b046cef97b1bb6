"""Photos for the overlay: the tables of both robots seen through the true cameras, rendered by ray casting.

A photo shows what the camera sees before the robot and the objects come in, so the overlay fits the simulated table.
Camera frames: OpenCV (x right, y down, z forward).
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.spatial.transform import Rotation

from eval.assets.stand_ins.stages import STAGES, Stage

Array = NDArray[np.float64]
LIGHT = np.array([0.25, 0.3, 0.92])
"""Direction towards the lamp, world frame."""


@dataclass(frozen=True)
class PhotoCamera:
    """A pinhole at a world pose; focal length and centre in pixels of the photo."""

    size: tuple[int, int]
    """(width, height)"""
    focal: float
    center: tuple[float, float]
    rotation: Array
    """(3, 3) camera to world."""
    position: Array
    """(3,) m, world."""


def google_camera() -> PhotoCamera:
    """Overhead camera at the coke-can start (docs/simpler.md 3.4b), at half its 640 x 512 pixels."""
    extrinsic = np.array(
        [
            [0.0028596, 0.9999961, -1e-7, -0.2010000],
            [0.7069187, -0.0020215, -0.7072920, 0.7702969],
            [-0.7072892, 0.0020225, -0.7069216, 1.0575197],
        ]
    )
    rotation = extrinsic[:, :3].T
    return PhotoCamera((320, 256), 212.5, (160.0, 128.0), rotation, -rotation @ extrinsic[:, 3])


def widowx_camera() -> PhotoCamera:
    """Third-person camera of the carrot task (docs/simpler.md 4, 7): mounted on the base, which is turned by half a turn."""
    base = Rotation.from_quat([0.0, 0.0, 1.0, 0.0])
    mount = Rotation.from_quat([-0.09263245, 0.35892477, 0.23209206, 0.89929167])
    position = np.array([0.147, 0.028, 0.87]) + base.apply([0.0, -0.16, 0.36])
    from_opencv = np.array([[0.0, 0.0, 1.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])  # SAPIEN: x forward, y left, z up
    rotation = (base * mount).as_matrix() @ from_opencv
    return PhotoCamera((640, 480), 623.588, (319.501, 239.545), rotation, position)


def _render(stage: Stage, camera: PhotoCamera, seed: int) -> NDArray[np.uint8]:
    """(H, W, 3) sRGB image of the stage, four rays a pixel; the seed fixes the noise."""
    width, height = camera.size
    u, v = np.meshgrid(np.arange(0.25, width, 0.5), np.arange(0.25, height, 0.5))
    local = np.stack([(u - camera.center[0]) / camera.focal, (v - camera.center[1]) / camera.focal, np.ones_like(u)], -1)
    rays = local.reshape(-1, 3) @ camera.rotation.T
    distance, box, normal = _nearest_box(stage, camera.position, rays)
    point = camera.position + distance[:, None] * rays
    colors = np.array([item.color for item in stage.boxes])[box]
    light = LIGHT / np.linalg.norm(LIGHT)
    shade = 0.62 + 0.42 * np.clip(normal @ light, 0.0, 1.0)
    rng = np.random.default_rng(seed)
    shade *= _contact_shadow(stage, point, normal)
    is_top = (box == 0) & (normal[:, 2] > 0.5)
    shade = np.where(is_top, shade * _grain(point), shade * rng.normal(1.0, 0.06, len(shade)))
    linear = np.clip(colors * shade[:, None] * rng.normal(1.0, 0.03, (len(shade), 1)), 0.0, 1.0)
    vignette = 1.0 - 0.18 * ((u / width - 0.5) ** 2 + (v / height - 0.5) ** 2).reshape(-1, 1)
    pixels = np.clip(linear * vignette, 0, 1).reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
    return np.asarray((255 * pixels ** (1 / 2.2)).round(), dtype=np.uint8)


def _nearest_box(stage: Stage, origin: Array, rays: Array) -> tuple[Array, NDArray[np.intp], Array]:
    """Distance along each ray, index of the box met first, and the outward normal there."""
    best = np.full(len(rays), np.inf)
    index = np.zeros(len(rays), dtype=np.intp)
    normal = np.zeros_like(rays)
    with np.errstate(divide="ignore", invalid="ignore"):
        for i, item in enumerate(stage.boxes):
            near = (np.array(item.low) - origin) / rays
            far = (np.array(item.high) - origin) / rays
            entry, leave = np.minimum(near, far), np.maximum(near, far)
            axis = np.argmax(entry, axis=1)
            enter = entry[np.arange(len(rays)), axis]
            hit = (enter < leave.min(axis=1)) & (enter > 0) & (enter < best)
            best[hit], index[hit] = enter[hit], i
            normal[hit] = 0.0
            rows = np.flatnonzero(hit)
            normal[rows, axis[hit]] = -np.sign(rays[rows, axis[hit]])
    return np.where(np.isinf(best), 10.0, best), index, normal


def _grain(point: Array) -> Array:
    """Wooden top: fine uneven streaks along world y, brightness about 1."""
    x, y = point[:, 0], point[:, 1]
    bend = 0.004 * np.sin(4.1 * y + 17 * x) + 0.002 * np.sin(11.3 * y)
    frequencies = np.array([61.0, 149.0, 331.0, 677.0, 1103.0])
    weights = np.array([0.2, 0.25, 0.25, 0.18, 0.12])
    phase = frequencies * (x + bend)[:, None] + np.sin(frequencies) * 3.0 * y[:, None]
    return np.asarray(1.0 + 0.085 * (np.sin(phase) @ weights))


def _contact_shadow(stage: Stage, point: Array, normal: Array) -> Array:
    """Darker floor near the table's foot."""
    body = stage.boxes[1]
    outside = np.maximum(np.maximum(np.array(body.low[:2]) - point[:, :2], point[:, :2] - np.array(body.high[:2])), 0.0)
    near = np.exp(-np.linalg.norm(outside, axis=1) / 0.12)
    return np.where((point[:, 2] < 0.01) & (normal[:, 2] > 0.5), 1.0 - 0.55 * near, 1.0)


PHOTOS: Mapping[str, tuple[str, Callable[[], PhotoCamera], int]] = {
    "google_coke_can_real_eval_1.png": ("google_pick_coke_can_1_v4", google_camera, 1),
    "bridge_real_eval_1.png": ("bridge_table_1_v1", widowx_camera, 2),
}
"""Stage, camera and seed of the noise, by file name."""


def photo(name: str) -> bytes:
    """PNG of a table, without robot and objects."""
    stage, camera, seed = PHOTOS[name]
    buffer = io.BytesIO()
    Image.fromarray(_render(STAGES[stage], camera(), seed)).save(buffer, "PNG")
    return buffer.getvalue()
