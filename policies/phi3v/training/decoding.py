"""From the files of prepared frames to what the model sees, many at a time; a GPU does the resampling, to the same bits."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from policies.phi3v.camera_transforms import MODEL_SIDE, ImageArray, from_stored, jpeg_decode, taps
from policies.phi3v.device import brought
from policies.phi3v.threads import on_threads


class Decoder:
    """What :func:`policies.phi3v.camera_transforms.from_stored` makes of each file. Several threads may ask.

    Args:
        device: a GPU resamples beside whatever else it works on.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None

    def __call__(self, files: Sequence[bytes]) -> list[ImageArray]:
        """(336, 336, 3) of each."""
        if self._stream is None:
            return on_threads(from_stored, files)
        images = on_threads(jpeg_decode, files)
        made: dict[int, ImageArray] = {}
        with torch.cuda.stream(self._stream):
            for shape in {image.shape for image in images}:
                alike = [place for place, image in enumerate(images) if image.shape == shape]
                stack = brought(torch.from_numpy(np.stack([images[place] for place in alike])), self._device)
                made.update(zip(alike, resampled(stack, MODEL_SIDE).cpu().numpy(), strict=True))
        return [made[place] for place in range(len(images))]


def resampled(images: Tensor, side: int) -> Tensor:
    """(N, H, W, 3) uint8 -> (N, side, side, 3), on the same device, bit for bit as ``decode_and_resize`` has it: products are
    rounded before they are added, one after the other."""
    wide = _along(_along(images.float(), 1, side), 2, side)
    return wide.round().clamp(0, 255).to(torch.uint8)


def _along(values: Tensor, axis: int, side: int) -> Tensor:
    columns, weights = _table(values.shape[axis], side, values.device)
    total = torch.zeros((), device=values.device)
    for column, weight in zip(columns, weights, strict=True):
        product = values.index_select(axis, column) * weight.view(-1, *[1] * (values.ndim - axis - 1))
        total = total + product  # not addcmul, which rounds once
    return total


@lru_cache(maxsize=8)
def _table(n_in: int, side: int, device: torch.device) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """For each tap (side,) places and weights; where an output has fewer, the last ones weigh nothing."""
    matrix = taps(n_in, side)
    counts = np.diff(matrix.indptr)
    columns, weights = np.zeros((counts.max(), side), np.int64), np.zeros((counts.max(), side), np.float32)
    for out, (begin, end) in enumerate(zip(matrix.indptr[:-1], matrix.indptr[1:], strict=True)):
        columns[: end - begin, out], weights[: end - begin, out] = matrix.indices[begin:end], matrix.data[begin:end]
    return tuple(torch.from_numpy(columns).to(device)), tuple(torch.from_numpy(weights).to(device))
