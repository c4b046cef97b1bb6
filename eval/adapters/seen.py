"""Known errors in what a policy is shown: each as a change of an observation.

An error is tried on the side that has it not: if REFERENCE, shown blue for red, answers as POLICY does, then POLICY swaps
colours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from eval.adapters.asking import Change, with_image
from policies.base import Observation, Proprio

Image = NDArray[np.uint8]


@dataclass(frozen=True)
class SeenError:
    """Something wrong with what a policy is shown."""

    name: str
    about: str
    """What it does, after "POLICY ..."."""
    change: Change


def _image(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Change:
    def changed(observation: Observation) -> Observation:
        return observation if observation.image is None else with_image(observation, change(observation.image))

    return changed


def _felt(change: Callable[[Proprio], Proprio]) -> Change:
    return lambda observation: replace(observation, proprio=change(observation.proprio))


def _said_otherwise(change: Callable[[str], str]) -> Change:
    return lambda observation: replace(observation, instruction=change(observation.instruction))


SEEN: tuple[SeenError, ...] = (
    SeenError("colours_swapped", "takes blue for red (RGB and BGR are swapped)", _image(lambda image: image[..., ::-1])),
    SeenError("image_upside_down", "sees the image turned by half a turn", _image(lambda image: image[::-1, ::-1])),
    SeenError("image_flipped", "sees the image upside down", _image(lambda image: image[::-1])),
    SeenError("image_mirrored", "sees the image mirrored", _image(lambda image: image[:, ::-1])),
    SeenError("quaternion_order", "takes a quaternion for x y z w that is w x y z",
              _felt(lambda felt: replace(felt, tcp_quaternion=np.roll(felt.tcp_quaternion, -1)))),
    SeenError("state_gripper_inverted", "feels the gripper inverted",
              _felt(lambda felt: replace(felt, gripper_opening=1.0 - felt.gripper_opening))),
    SeenError("instruction_full_stop", "ends the instruction with a full stop", _said_otherwise(lambda text: text + ".")),
    SeenError("instruction_capitals", "begins the instruction with a capital",
              _said_otherwise(lambda text: text[:1].upper() + text[1:])),
    SeenError("instruction_none", "is given no instruction", _said_otherwise(lambda text: "")),
)  # fmt: skip
SIZES = (224, 256, 128, 336, 384, 448, (256, 320), 112, 96, 64)
"""Pixels of the images that models take, the usual ones first; height and width."""
RESAMPLINGS = ("area", "linear", "nearest", "cubic", "lanczos", "bilinear", "pad")


def resizings() -> Iterator[SeenError]:
    """Images at every usual size, by every usual way."""
    for size in SIZES:
        shape = size if isinstance(size, tuple) else (size, size)
        for how in RESAMPLINGS:
            about = f"resizes images to {shape[0]} x {shape[1]} by {how}"
            yield SeenError("resized_otherwise", about, _image(partial(resize, shape=shape, how=how)))


def resize(image: NDArray[np.uint8], shape: tuple[int, int], how: str) -> NDArray[np.uint8]:
    """``area``, ``linear``, ``nearest``, ``cubic``: OpenCV's, without smoothing but for ``area``; ``lanczos`` and ``bilinear``:
    Pillow's, which smooth; ``pad``: bilinear, things keep their shape, black borders.
    """
    import cv2
    from PIL import Image

    height, width = shape
    plain = {"area": cv2.INTER_AREA, "linear": cv2.INTER_LINEAR, "nearest": cv2.INTER_NEAREST, "cubic": cv2.INTER_CUBIC}
    if how in plain:
        return np.asarray(cv2.resize(image, (width, height), interpolation=plain[how]), np.uint8)
    picture = Image.fromarray(image)
    if how != "pad":
        smooth = Image.Resampling.LANCZOS if how == "lanczos" else Image.Resampling.BILINEAR
        return np.asarray(picture.resize((width, height), smooth))
    ratio = max(image.shape[0] / height, image.shape[1] / width)
    inner = picture.resize((int(image.shape[1] / ratio), int(image.shape[0] / ratio)), Image.Resampling.BILINEAR)
    whole = Image.new("RGB", (width, height))
    whole.paste(inner, ((width - inner.width) // 2, (height - inner.height) // 2))
    return np.asarray(whole)
