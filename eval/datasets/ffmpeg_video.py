"""Videos that OpenCV's wheels cannot decode, read by the ffmpeg that encodes ours.

LeRobot's writer encodes AV1 unless told otherwise, and most public datasets are; the decoder that OpenCV brings for it needs a
GPU.
"""

from __future__ import annotations

import subprocess
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from eval.datasets.extra import need_encoder

NOT_HERE = ("av01",)
"""Codecs of this kind, as MP4 names them."""


class DecodedByFfmpeg:
    """One such video. The process that decodes goes on from image to image, and begins anew where one is left out.

    Args:
        path: of the file.
        count: images that it says it has.
        fps: images a second.
        size: height and width, pixels.

    Raises:
        UserError: there is no ffmpeg.
    """

    def __init__(self, path: Path, count: int, fps: float, size: tuple[int, int]) -> None:
        need_encoder("Decoding AV1")
        self.count = count
        self._path, self._fps, self._size = path, fps, size
        self._next = -1
        self._images: IO[bytes] | None = None
        self._end: Callable[[], object] = bool
        """Ends the process; called when nobody holds this any more, too."""

    def image(self, number: int) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB; None: it cannot be decoded."""
        if self._images is None or number != self._next:
            self._images = self._begin(number)
        self._next = number + 1
        height, width = self._size
        content = self._images.read(height * width * 3)
        if not content or len(content) < height * width * 3:
            return None
        return np.frombuffer(content, np.uint8).reshape(height, width, 3).copy()

    def _begin(self, number: int) -> IO[bytes]:
        """The images from this one on, one after the other."""
        import imageio_ffmpeg

        self._end()
        # half an image earlier: neither is left out by rounding, nor does the one before it come
        seek = ("-ss", f"{(number - 0.5) / self._fps:.6f}") if number else ()
        command = [
            imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-threads", "1", *seek, "-i", str(self._path), "-map", "0:v:0",
            "-xerror",  # what is damaged ends it, and no other image takes its place
            "-vf", "setpts=N/FR/TB",  # each once, whatever its time; without it some would be doubled to keep a pace
            "-threads", "1", "-pix_fmt", "rgb24", "-f", "rawvideo", "-",
        ]  # fmt: skip
        # a group of its own: Ctrl-C is for who reads, or half an image would count as damage
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
        )
        assert process.stdout is not None
        self._end = weakref.finalize(self, _stop, process)
        return process.stdout


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    if process.stdout is not None:
        process.stdout.close()
    process.wait()
