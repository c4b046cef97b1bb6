"""Pictures in memory that two processes share.

The worker renders straight into a slot, the policy reads the same bytes: no copy, no pickle. The memory is an anonymous
file (``memfd_create``) whose descriptor travels over the pipe: it has no name that a killed run could leave behind, and
it does not depend on the size of ``/dev/shm``, which containers keep small.
"""

from __future__ import annotations

import mmap
import os
from multiprocessing import reduction
from multiprocessing.connection import Connection

import numpy as np
from numpy.typing import NDArray


class Frames:
    """``slots`` pictures of (height, width, 3) uint8; both ends hold one of these over the same memory."""

    def __init__(self, descriptor: int, slots: int, height: int, width: int) -> None:
        self.shape = (slots, height, width, 3)
        self._memory = mmap.mmap(descriptor, slots * height * width * 3)
        os.close(descriptor)
        self.array: NDArray[np.uint8] = np.frombuffer(self._memory, np.uint8).reshape(self.shape)

    def slot(self, step: int) -> NDArray[np.uint8]:
        """The (H, W, 3) view that holds the picture after ``step`` control steps."""
        view: NDArray[np.uint8] = self.array[step % self.shape[0]]
        return view

    def last(self, pictures: int) -> NDArray[np.uint8]:
        """(T, H, W, 3) a copy of the last of ``pictures`` pictures, in order; T is at most ``slots``."""
        slots = self.shape[0]
        if pictures <= slots:
            return self.array[:pictures].copy()
        begin = pictures % slots
        return np.concatenate([self.array[begin:], self.array[:begin]])


def share(connection: Connection, peer: int, slots: int, height: int, width: int) -> Frames:
    """Make frames and hand them to the process ``peer`` at the other end, which calls :func:`receive`."""
    descriptor = os.memfd_create("simpler-eval-frames")
    os.ftruncate(descriptor, slots * height * width * 3)
    connection.send(("frames", slots, height, width))
    reduction.send_handle(connection, descriptor, peer)
    return Frames(descriptor, slots, height, width)


def receive(connection: Connection, slots: int, height: int, width: int) -> Frames:
    """Map the frames that a ``("frames", slots, height, width)`` message announced."""
    return Frames(reduction.recv_handle(connection), slots, height, width)
