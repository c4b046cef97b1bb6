"""Images in memory that two processes share: the worker renders straight into a slot, the policy reads the same bytes.

No copy, no pickle. How the memory travels is the protocol's matter (``eval/backends/protocol.py``).
"""

from __future__ import annotations

import gc
import mmap
import weakref

import numpy as np
from numpy.typing import NDArray

from eval.backends.protocol import ImagesShared


class Frames:
    """``slots`` images of (height, width, 3) uint8; both ends hold one of these over the same memory."""

    def __init__(self, memory: mmap.mmap | bytearray, shared: ImagesShared) -> None:
        self.shape = (shared.slots, shared.height, shared.width, 3)
        self.array: NDArray[np.uint8] = np.frombuffer(memory, np.uint8).reshape(self.shape)
        self._shown = memoryview(memory).toreadonly()
        self._lent: list[weakref.ref[NDArray[np.uint8]] | None] = [None] * shared.slots
        self._looks_for_kept = True

    def slot(self, step: int) -> NDArray[np.uint8]:
        """The (H, W, 3) view that holds the image after ``step`` control steps."""
        view: NDArray[np.uint8] = self.array[step % self.shape[0]]
        return view

    def lend(self, step: int) -> NDArray[np.uint8]:
        """The same as nobody can write it: for policies. Every step's is an array of its own."""
        slots, *size = self.shape
        place, count = step % slots, size[0] * size[1] * size[2]
        flat: NDArray[np.uint8] = np.frombuffer(self._shown, np.uint8, count, place * count)
        self._lent[place] = weakref.ref(flat)  # the base of every view of it
        return flat.reshape(size)

    def is_kept(self, step: int) -> bool:
        """Whether somebody still holds the image that lay where the one of ``step`` lies now, and so sees another one.

        Looked for until the first suspicion.
        """
        lent = self._lent[step % self.shape[0]]
        if lent is None or lent() is None or not self._looks_for_kept:
            return False
        gc.collect()  # what is only waiting to be collected is not kept
        self._looks_for_kept = False  # said once; collecting at every step would cost more than it finds
        return lent() is not None

    def forget_lent(self) -> None:
        """An episode begins: what is still held of the last one is nobody's history."""
        self._lent = [None] * self.shape[0]

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
