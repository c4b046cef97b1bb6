"""Textures of one square metre that tile without a seam: wood, planks, tiles, fabric, concrete, plain."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]


def rgb(color: str) -> tuple[float, float, float]:
    """``#rrggbb`` -> sRGB values 0..1."""
    return int(color[1:3], 16) / 255, int(color[3:5], 16) / 255, int(color[5:7], 16) / 255


def linear(color: str) -> tuple[float, float, float]:
    """``#rrggbb`` -> linear values 0..1, as glTF expects them."""
    r, g, b = ((c / 12.92) if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb(color))
    return r, g, b


def noise(shape: tuple[int, int], smooth_rows: float, smooth_columns: float, seed: int) -> NDArray[np.float64]:
    """Periodic noise of mean 0 and deviation 1; smoothing lengths in pixels."""
    white = np.random.default_rng(seed).standard_normal(shape)
    rows, columns = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None]
    window = np.exp(-2 * np.pi**2 * ((rows * smooth_rows) ** 2 + (columns * smooth_columns) ** 2))
    result = np.fft.irfft2(np.fft.rfft2(white) * window, s=shape)
    result -= result.mean()
    return np.asarray(result / max(result.std(), 1e-12))


def _tinted(color: str, brightness: NDArray[np.float64]) -> Image:
    return np.asarray((np.clip(np.asarray(rgb(color)) * brightness[..., None], 0, 1) * 255).round(), dtype=np.uint8)


@functools.cache
def tile(kind: str, color: str) -> Image:
    """(512, 512, 3) sRGB tile of one square metre: wood, planks, tiles, fabric, concrete or plain."""
    shape = (512, 512)
    if kind == "wood":
        bright = 1 + 0.07 * noise(shape, 9, 160, 1) + 0.05 * noise(shape, 1.5, 60, 2) + 0.03 * noise(shape, 0.6, 12, 3)
    elif kind == "planks":
        bright = 1 + 0.05 * noise(shape, 3, 120, 4) + 0.03 * noise(shape, 0.8, 20, 5)
        tint = np.random.default_rng(6).uniform(0.85, 1.08, 8)
        bright *= np.repeat(tint, 64)[:, None]
        bright[::64] *= 0.6
    elif kind == "tiles":
        bright = 1 + 0.03 * noise(shape, 20, 20, 7)
        for line in (0, 256):
            bright[line : line + 4] *= 0.72
            bright[:, line : line + 4] *= 0.72
    elif kind == "fabric":
        bright = 1 + 0.10 * noise(shape, 1.0, 1.0, 8) + 0.04 * noise(shape, 30, 30, 9)
    elif kind == "concrete":
        bright = 1 + 0.05 * noise(shape, 12, 12, 10) + 0.05 * noise(shape, 40, 40, 11)
        bright -= 0.25 * (noise(shape, 1.5, 1.5, 12) > 2.9)
    else:
        bright = 1 + 0.015 * noise(shape, 40, 40, 13)
    return _tinted(color, bright)
