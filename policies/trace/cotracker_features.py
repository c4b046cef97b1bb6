"""What CoTracker's encoder makes of images, kept as long as an episode needs it.

An episode's images come back in up to ten calls and the encoder normalises each image by itself, so each is encoded once.
The features of all episodes lie in one tensor a level; clips name places in it, and nothing is copied for a call.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from policies.trace.trackers import Clip

LEVELS = 4
"""Resolutions; each is the mean over 2 x 2 of the one before."""
CHANNELS = 128
STRIDE = 4
"""Pixels of the encoder's picture between two features."""
ENCODED_AT_ONCE = 16
"""Images."""


class KeptFeatures:
    """Features of the newest images of every episode."""

    def __init__(
        self, encode: Callable[[Tensor], Tensor], size: tuple[int, int], device: torch.device, *, fixed_shapes: bool = False
    ) -> None:
        """Nothing is kept yet.

        Args:
            encode: (n, 3, *size), values -1 to 1, to (n, 128, height / 4, width / 4).
            size: height and width of the encoder's picture.
            device: where features are made and kept.
            fixed_shapes: encode one image at a time, so that none depends on its neighbours, not even by rounding.
        """
        self._encode = encode
        self._size = size
        self._device = device
        self._places: dict[str, dict[int, int]] = {}
        self._free: list[int] = []
        self._at_once = 1 if fixed_shapes else ENCODED_AT_ONCE
        self.levels: list[Tensor] = [
            torch.empty((0, size[0] // STRIDE >> level, size[1] // STRIDE >> level, CHANNELS), device=device)
            for level in range(LEVELS)
        ]
        """(places, height, width, 128) each. They are other tensors after more episodes have come."""

    @property
    def episodes(self) -> dict[str, int]:
        """Number of images kept of each episode."""
        return {episode: len(places) for episode, places in self._places.items()}

    def forget(self, episode: str) -> None:
        """Its places may be used again."""
        self._free += self._places.pop(episode, {}).values()

    def places(self, clips: Sequence[Clip]) -> NDArray[np.int64]:
        """(clips, T) places of their images, encoding those that are new and letting go of those that fell out."""
        missing: list[tuple[dict[int, int], int, NDArray[np.uint8]]] = []
        for clip in clips:
            kept = self._places.setdefault(clip.episode, {})
            self._free += [kept.pop(number) for number in list(kept) if number < clip.first]
            numbered = enumerate(clip.images, start=clip.first)
            missing += [(kept, number, image) for number, image in numbered if number not in kept]
        self._make_room(len(missing))
        for start in range(0, len(missing), self._at_once):
            part = missing[start : start + self._at_once]
            maps = self.encode([image for _, _, image in part])
            free = [self._free.pop() for _ in part]
            self._write(torch.tensor(free, device=self._device), maps)
            for (kept, number, _), place in zip(part, free, strict=True):  # only what is written counts as kept
                kept[number] = place
        numbers = [[self._places[clip.episode][clip.first + i] for i in range(len(clip.images))] for clip in clips]
        return np.array(numbers, dtype=np.int64)

    def encode(self, images: Sequence[NDArray[np.uint8]]) -> Tensor:
        """The encoder's features of (256, 256, 3) images, before normalisation: (n, 128, 96, 128) float32."""
        video = torch.from_numpy(np.stack(images)).to(self._device).permute(0, 3, 1, 2).float()
        video = F.interpolate(video, self._size, mode="bilinear", align_corners=True)
        return self._encode(2 * (video / 255.0) - 1.0)

    def _write(self, places: Tensor, maps: Tensor) -> None:
        maps = maps / maps.square().sum(dim=1, keepdim=True).clamp_min(1e-12).sqrt()
        for level, kept in enumerate(self.levels):
            if level:
                maps = F.avg_pool2d(maps, 2)
            kept[places] = maps.permute(0, 2, 3, 1)

    def _make_room(self, number: int) -> None:
        lacking = number - len(self._free)
        if lacking <= 0:
            return
        old = len(self.levels[0])
        more = max(lacking, old // 4)
        for level, kept in enumerate(self.levels):
            self.levels[level] = torch.cat([kept, kept.new_empty((more, *kept.shape[1:]))])
        self._free += range(old, old + more)
