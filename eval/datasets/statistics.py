"""Statistics of features as LeRobot keeps them, of an episode and of a whole dataset: vectors exactly, images from a sample."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Numbers = dict[str, NDArray[np.float64]]
"""``min``, ``max``, ``mean``, ``std``, ``count`` and the quantiles: (n,) each, of an image (3, 1, 1); ``count`` (1,)."""
QUANTILES = {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}
SAMPLED_IMAGES, SAMPLED_PIXELS = 16, 4
"""Images of an episode that are looked at, and every how many rows and columns of them."""


def of_values(values: NDArray[np.generic]) -> Numbers:
    """Of (T, n) or (T,) numbers."""
    array = np.asarray(values, np.float64).reshape(len(values), -1)
    return {
        "min": array.min(0), "max": array.max(0), "mean": array.mean(0), "std": array.std(0),
        "count": np.array([len(array)], float),
        **dict(zip(QUANTILES, np.quantile(array, [*QUANTILES.values()], axis=0), strict=True)),  # sorts once for all
    }  # fmt: skip


def of_images(images: NDArray[np.uint8]) -> Numbers:
    """Of (T, H, W, 3) images, by channel in 0..1."""
    chosen = np.unique(np.linspace(0, len(images) - 1, min(len(images), SAMPLED_IMAGES)).astype(int))
    pixels = images[chosen, ::SAMPLED_PIXELS, ::SAMPLED_PIXELS].reshape(-1, 3) / 255.0
    numbers = {name: value.reshape(3, 1, 1) for name, value in of_values(pixels).items() if name != "count"}
    return {**numbers, "count": np.array([len(chosen)], float)}


def pooled(parts: Sequence[Numbers]) -> Numbers:
    """Of a whole made of parts; its quantiles are the means of theirs."""
    counts = np.array([part["count"][0] for part in parts])
    shares = counts / counts.sum()

    def mean_of(values: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
        return np.tensordot(shares, np.stack(values), axes=1)

    mean = mean_of([part["mean"] for part in parts])
    variance = mean_of([part["std"] ** 2 + (part["mean"] - mean) ** 2 for part in parts])
    return {
        "min": np.min([part["min"] for part in parts], axis=0),
        "max": np.max([part["max"] for part in parts], axis=0),
        "mean": mean,
        "std": np.sqrt(variance),
        "count": np.array([counts.sum()]),
        **{name: mean_of([part[name] for part in parts]) for name in QUANTILES},
    }


def plain(numbers: Numbers) -> dict[str, list[float]]:
    """As JSON has it; counts are whole numbers."""
    return {name: value.astype(int).tolist() if name == "count" else value.tolist() for name, value in numbers.items()}
