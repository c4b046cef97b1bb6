"""Images in memory that two processes share: the worker renders straight into a slot, the policy reads the same bytes.

No copy, no pickle. How the memory travels is the protocol's matter (``eval/backends/protocol.py``).
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray

from eval.backends.protocol import ImagesShared


class Frames:
    """``slots`` images of (height, width, 3) uint8; both ends hold one of these over the same memory."""

    def __init__(self, memory: mmap.mmap | bytearray, shared: ImagesShared) -> None:
        self.shape = (shared.slots, shared.height, shared.width, 3)
        self.array: NDArray[np.uint8] = np.frombuffer(memory, np.uint8).reshape(self.shape)

    def slot(self, step: int) -> NDArray[np.uint8]:
        """The (H, W, 3) view that holds the image after ``step`` control steps."""
        view: NDArray[np.uint8] = self.array[step % self.shape[0]]
        return view

    def last(self, count: int) -> NDArray[np.uint8]:
        """(T, H, W, 3) a copy of the last of ``count`` images, in order; T is at most ``slots``."""
        slots = self.shape[0]
        if count <= slots:
            return self.array[:count].copy()
        begin = count % slots
        return np.concatenate([self.array[begin:], self.array[:begin]])


def private_frames(slots: int, height: int, width: int) -> Frames:
    """Frames of this process alone."""
    shared = ImagesShared(slots, height, width)
    return Frames(bytearray(slots * height * width * 3), shared)
