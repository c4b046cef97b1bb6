"""Images changed at random.

As the original's training changes them with ``--image_aug``, in this order: a square of 0.9 of the area cut out and enlarged,
brightness +-0.2, contrast and saturation times 0.8 to 1.2, hue +-0.05 of the circle. Every image gets numbers of its own, the
plain one and that with a trace, too.

Before that, they may be shifted, all of a sample alike: demonstrations show things at few places, and what a hand does about
them is nearly the same wherever in the image both are.
"""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

AREA = 0.9
BRIGHTNESS = 0.2
FACTORS = (0.8, 1.2)
HUE = 0.05


def random_numbers(images: int, random: np.random.Generator) -> NDArray[np.float32]:
    """(6, images) in 0..1: all that is at random for some images."""
    return random.random((6, images), dtype=np.float32)


def augment(images: Tensor, numbers: Tensor) -> Tensor:
    """As the original does.

    Args:
        images: (N, H, W, 3) uint8.
        numbers: (6, N) by :func:`random_numbers`, on the same device.

    Returns:
        (N, H, W, 3) uint8.
    """
    pixels = _to_pixels(images)
    side = math.sqrt(AREA)
    pixels = _seen_through(pixels, side, *((1 - side) * (2 * each - 1) for each in numbers[:2])).clamp(0, 1)
    brightness, contrast, saturation, hue = (each[:, None, None, None] for each in numbers[2:])
    pixels = (pixels + (2 * brightness - 1) * BRIGHTNESS).clamp(0, 1)
    middle = pixels.mean((2, 3), keepdim=True)
    pixels = ((pixels - middle) * _between(contrast) + middle).clamp(0, 1)
    hues, saturations, values = to_hsv(pixels)
    saturations = (saturations * _between(saturation)[:, 0]).clamp(0, 1)
    hues = torch.remainder(hues + (2 * hue[:, 0] - 1) * HUE, 1.0)
    return _to_images(to_rgb(hues, saturations, values).clamp(0, 1))


def shift(images: Tensor, shares: Tensor) -> Tensor:
    """Images moved within their frame; what is at an edge fills what comes in behind it.

    Args:
        images: (N, H, W, 3) uint8.
        shares: (2, N) of the width to the left and of the height up, on the same device.

    Returns:
        (N, H, W, 3) uint8.
    """
    return _to_images(_seen_through(_to_pixels(images), 1.0, *(2 * shares)))


def _to_pixels(images: Tensor) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, 3, H, W) in 0..1."""
    return images.permute(0, 3, 1, 2).float() / 255


def _to_images(pixels: Tensor) -> Tensor:
    """Reverse of :func:`_to_pixels`."""
    return (pixels * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def _between(share: Tensor) -> Tensor:
    low, high = FACTORS
    return low + (high - low) * share


def _seen_through(pixels: Tensor, side: float, across: Tensor, down: Tensor) -> Tensor:
    """A window of ``side`` times the sides, enlarged, its middle at (``across``, ``down``), each (N,) in -1..1 of the image.

    Corners are on the centres of the corner pixels, as TensorFlow's crop_and_resize has it.
    """
    n, _, height, width = pixels.shape
    theta = torch.zeros(n, 2, 3, device=pixels.device)
    theta[:, 0, 0] = theta[:, 1, 1] = side
    theta[:, 0, 2], theta[:, 1, 2] = across, down
    grid = F.affine_grid(theta, [n, 3, height, width], align_corners=True)
    return F.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=True)


def to_hsv(pixels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(N, 3, H, W) in 0..1 -> hue, saturation and value in 0..1, (N, H, W) each."""
    red, green, blue = pixels.unbind(1)
    value, which = pixels.max(1)
    spread = value - pixels.amin(1)
    safe = torch.where(spread > 0, spread, torch.ones_like(spread))
    sixths = torch.where(
        which == 0, (green - blue) / safe, torch.where(which == 1, 2 + (blue - red) / safe, 4 + (red - green) / safe)
    )
    hue = torch.where(spread > 0, torch.remainder(sixths / 6, 1.0), torch.zeros_like(spread))
    saturation = torch.where(value > 0, spread / torch.where(value > 0, value, torch.ones_like(value)), torch.zeros_like(value))
    return hue, saturation, value


def to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Reverse of :func:`to_hsv`, (N, 3, H, W)."""

    def channel(n: int) -> Tensor:
        k = torch.remainder(n + 6 * hue, 6.0)
        return value - value * saturation * torch.minimum(k, 4 - k).clamp(0, 1)

    return torch.stack([channel(5), channel(3), channel(1)], 1)
