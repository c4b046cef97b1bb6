"""Photos of the drawer, move-near and sink scenes, rendered by casting rays at our own rooms through the true cameras.

So what the photo shows lies where the simulated things are. Camera frames: OpenCV (x right, y down, z forward); world: z up.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy.spatial.transform import Rotation

from eval.assets.stand_ins.objects import SINK_BOXES
from eval.assets.stand_ins.rooms import Block, lab_corner
from eval.assets.stand_ins.stages import STAGES, StageBox
from eval.assets.stand_ins.textures import rgb, tile

Array = NDArray[np.float64]
TABLE, LAB, SINK = "google_pick_coke_can_1_v4", "lab", "bridge_table_1_v2"
Floats = NDArray[np.float32]

# world -> camera at the robots' start (docs/simpler.md 3.4b, 4)
_GOOGLE = np.array(
    [
        [0.0028596, 0.9999961, -1e-7, -0.2010000],
        [0.7069187, -0.0020215, -0.7072920, 0.7702969],
        [-0.7072892, 0.0020225, -0.7069216, 1.0575197],
    ]
)
_SINK = np.array(
    [
        [-0.4103650, 0.9119215, -1e-7, -0.1928712],
        [0.6306835, 0.2838077, -0.7222822, 0.7370132],
        [-0.6586647, -0.2963994, -0.6915985, 1.0232365],
    ]
)
_SINK_AT = (-0.16, 0.13, 0.88)
_GOOGLE_LENS = (212.5, 160.0, 128.0)  # focal length, principal point in pixels of the photo: half of 640 x 512
_SINK_LENS = (623.588, 319.501, 239.545)


@dataclass(frozen=True)
class Photo:
    """A view: blocks to look at, camera and mood."""

    scene: str
    extrinsic: Array
    """(3, 4) world to camera."""
    lens: tuple[float, float, float]
    """focal length, cx, cy in pixels."""
    size: tuple[int, int]
    """width, height."""
    warmth: str
    """sRGB colour of the light."""


def _google(scene: str, xy: tuple[float, float], turn: float = 0.0) -> Photo:
    """Overhead camera of a Google Robot that stands at ``xy`` turned by ``turn`` from facing world -x."""
    return Photo(scene, _google_extrinsic(xy, turn), _GOOGLE_LENS, (320, 256), "#ffe9cf")


def _root(xy: tuple[float, float], turn: float) -> Array:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("z", np.pi + turn).as_matrix()
    matrix[:3, 3] = *xy, 0.07905
    return matrix


def _google_extrinsic(xy: tuple[float, float], turn: float) -> Array:
    return np.asarray(_GOOGLE @ _root((0.35, 0.20), 0.0) @ np.linalg.inv(_root(xy, turn)))


PHOTOS: dict[str, Photo] = {
    "google_move_near_real_eval_1.png": _google(TABLE, (0.35, 0.21), -0.09),
    "open_drawer_a0.png": _google(LAB, (0.644, -0.179), -0.03),
    "open_drawer_a1.png": _google(LAB, (0.765, -0.182), -0.02),
    "open_drawer_a2.png": _google(LAB, (0.889, -0.203), -0.06),
    "open_drawer_b0.png": _google(LAB, (0.652, 0.009)),
    "open_drawer_b1.png": _google(LAB, (0.752, 0.009)),
    "open_drawer_b2.png": _google(LAB, (0.851, 0.035)),
    "open_drawer_c0.png": _google(LAB, (0.665, 0.224)),
    "open_drawer_c1.png": _google(LAB, (0.765, 0.222), -0.025),
    "open_drawer_c2.png": _google(LAB, (0.865, 0.222), -0.025),
    "bridge_sink.png": Photo(SINK, _SINK, _SINK_LENS, (640, 480), "#fff6ea"),
}


def photo(name: str) -> bytes:
    """PNG of a background, without robot and objects."""
    view = PHOTOS[name]
    blocks = lab_corner() if view.scene == LAB else [_as_block(item) for item in STAGES[view.scene].boxes]
    image = _render(blocks + _sink_blocks() if view.scene == SINK else blocks, view)
    buffer = io.BytesIO()
    Image.fromarray(image).filter(ImageFilter.GaussianBlur(0.6)).save(buffer, "PNG")
    return buffer.getvalue()


def _as_block(item: StageBox) -> Block:
    """Same box, its linear colour as an sRGB code; table tops become wood."""
    code = "#" + "".join(f"{round(255 * c ** (1 / 2.2)):02x}" for c in item.color)
    return Block(item.low, item.high, ("wood" if 0.8 < item.high[2] < 0.9 else "plain", code))


def _sink_blocks() -> list[Block]:
    """The toy sink where the simulated one stands (docs/simpler.md 9.4), with its basket and tap."""
    at = np.array(_SINK_AT)
    blue, yellow, grey = ("plain", "#8fc7d6"), ("plain", "#efcf55"), ("plain", "#8b9298")

    def moved(lo: Sequence[float], hi: Sequence[float], material: tuple[str, str]) -> Block:
        low, high = (np.asarray(lo) + at).tolist(), (np.asarray(hi) + at).tolist()
        return Block((low[0], low[1], low[2]), (high[0], high[1], high[2]), material)

    blocks = [moved(lo, hi, blue) for lo, hi in SINK_BOXES]
    blocks.append(moved((-0.135, -0.2, -0.03), (0.135, 0.19, 0.0), ("plain", "#1f2a35")))
    for x in np.linspace(-0.022, 0.088, 8):
        blocks.append(moved((x - 0.0015, -0.146, 0.051), (x + 0.0015, -0.048, 0.055), yellow))
    for lo, hi in (
        ((-0.032, -0.152, 0.093), (0.098, -0.146, 0.101)), ((-0.032, -0.048, 0.093), (0.098, -0.042, 0.101)),
        ((-0.032, -0.152, 0.093), (-0.026, -0.042, 0.101)), ((0.092, -0.152, 0.093), (0.098, -0.042, 0.101)),
    ):  # fmt: skip
        blocks.append(moved(lo, hi, yellow))
    blocks.append(moved((-0.105, 0.06, 0.098), (-0.085, 0.08, 0.18), grey))
    blocks.append(moved((-0.105, 0.063, 0.165), (-0.02, 0.077, 0.18), grey))
    blocks.append(moved((0.02, 0.06, 0.043), (0.04, 0.08, 0.0436), ("plain", "#1b1d1f")))
    return blocks


def _corners(block: Block) -> Array:
    """(8, 3)."""
    return np.stack(np.meshgrid(*zip(block.lo, block.hi, strict=True), indexing="ij"), axis=-1).reshape(-1, 3)


def _cast(
    blocks: Sequence[Block], view: Photo, origin: Floats, rays: Floats
) -> tuple[Floats, NDArray[np.int16], NDArray[np.int8]]:
    """Nearest hit of every pixel's ray: distance along the ray, block number (-1 none), axis of the face; (h * w,)."""
    width, height = view.size
    best = np.full((height, width), np.inf, dtype=np.float32)
    which = np.full((height, width), -1, dtype=np.int16)
    face = np.zeros((height, width), dtype=np.int8)
    with np.errstate(divide="ignore"):
        inverse = (1.0 / rays).astype(np.float32).reshape(height, width, 3)
    for number, block in enumerate(blocks):
        window = _window(block, view)
        a = (np.asarray(block.lo, dtype=np.float32) - origin) * inverse[window]
        b = (np.asarray(block.hi, dtype=np.float32) - origin) * inverse[window]
        near, far = np.minimum(a, b), np.maximum(a, b)
        enter, leave = near.max(-1), far.min(-1)
        hit = (enter <= leave) & (enter > 1e-4) & (enter < best[window])
        best[window][hit] = enter[hit]
        which[window][hit] = number
        face[window][hit] = near[hit].argmax(-1)
    return best.ravel(), which.ravel(), face.ravel()


def _window(block: Block, view: Photo) -> tuple[slice, slice]:
    """Rows and columns that the block can cover; everything if it reaches behind the camera."""
    focal, cx, cy = view.lens
    corners = _corners(block) @ view.extrinsic[:, :3].T + view.extrinsic[:, 3]
    if corners[:, 2].min() < 0.05:
        return slice(None), slice(None)
    columns = corners[:, 0] / corners[:, 2] * focal + cx
    rows = corners[:, 1] / corners[:, 2] * focal + cy
    limits = [int(np.floor(v)) for v in (rows.min(), rows.max() + 2, columns.min(), columns.max() + 2)]
    top, bottom, left, right = (max(limit, 0) for limit in limits)
    return slice(top, bottom), slice(left, right)


def _shadowed(blocks: Sequence[Block], points: Floats, towards: Floats) -> NDArray[np.bool_]:
    """Whether a block stands between the points (n, 3) and the lamp direction; walls and roofs do not count."""
    dark = np.zeros(len(points), dtype=bool)
    slant = towards[:2] / towards[2]
    x, y = (points[:, axis] - slant[axis] * points[:, 2] for axis in (0, 1))  # where the light ray meets the floor
    inverse = (1.0 / towards).astype(np.float32)
    for block in blocks:
        if block.hi[2] >= 2.0:
            continue
        corners = _corners(block)
        foot = corners[:, :2] - slant * corners[:, 2:]
        low, high = foot.min(0), foot.max(0)
        near = np.flatnonzero((x > low[0]) & (x < high[0]) & (y > low[1]) & (y < high[1]) & ~dark)
        a = (np.asarray(block.lo, dtype=np.float32) - points[near]) * inverse
        b = (np.asarray(block.hi, dtype=np.float32) - points[near]) * inverse
        enter, leave = np.minimum(a, b).max(1), np.maximum(a, b).min(1)
        dark[near] = (enter <= leave) & (enter > 1e-3)
    return dark


def _render(blocks: Sequence[Block], view: Photo) -> NDArray[np.uint8]:
    """(height, width, 3) sRGB."""
    width, height = view.size
    focal, cx, cy = view.lens
    column, row = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    in_camera = np.stack([(column - cx) / focal, (row - cy) / focal, np.ones_like(column)], axis=-1).reshape(-1, 3)
    rotation, shift = view.extrinsic[:, :3], view.extrinsic[:, 3]
    origin = (-rotation.T @ shift).astype(np.float32)
    rays = (in_camera @ rotation).astype(np.float32)
    distance, which, face = _cast(blocks, view, origin, rays)
    points = (origin + rays * np.minimum(distance, 50.0)[:, None]).astype(np.float32)
    lamp = np.array([0.45, -0.35, 0.82], dtype=np.float32)
    lit = ~_shadowed(blocks, points - rays * 2e-3, lamp)
    slope = np.array([0.35, 0.30, 0.82], dtype=np.float32)[face]
    bright = 0.42 + 0.62 * slope * np.where(lit, 1.0, 0.35)
    color = np.full((len(rays), 3), 0.08, dtype=np.float32)
    for number, block in enumerate(blocks):
        chosen = which == number
        if chosen.any():
            color[chosen] = _material(block.material, points[chosen], face[chosen])
    radius = np.hypot((column - width / 2) / width, (row - height / 2) / height).ravel()
    bright = bright * (1.08 - 0.5 * radius**2)
    color = color * bright[:, None] * np.asarray(rgb(view.warmth), dtype=np.float32)
    grain = np.random.default_rng(3).normal(0, 0.008, color.shape)
    return np.asarray((np.clip(color + grain, 0, 1) * 255).round(), dtype=np.uint8).reshape(height, width, 3)


def _material(material: tuple[str, str], points: Floats, face: NDArray[np.int8]) -> Floats:
    """(n, 3) sRGB of the points (n, 3) on faces across ``face`` (n,)."""
    texture = tile(*material)
    u = np.take_along_axis(points, ((face + 1) % 3)[:, None].astype(np.int64), axis=1)[:, 0]
    v = np.take_along_axis(points, ((face + 2) % 3)[:, None].astype(np.int64), axis=1)[:, 0]
    size = texture.shape[0]
    rows = size - 1 - (np.floor(v * size).astype(np.int64) % size)
    columns = np.floor(u * size).astype(np.int64) % size
    return np.asarray(texture[rows, columns], dtype=np.float32) / 255.0
