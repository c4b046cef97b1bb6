"""The images of an episode as a video that any frame can be taken from: encoded by the ffmpeg that makes the films."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from eval.datasets.ffmpeg_video import NOT_HERE, DecodedByFfmpeg
from eval.errors import UserError
from eval.records.refusals import ROOM

if TYPE_CHECKING:
    import cv2

Codec = Literal["lossy", "lossless"]
KEYFRAMES = 2
"""Every second frame can be decoded without the one before it, as LeRobot's own writer has it."""
THREADS = "2"
"""Of one encoder; left to itself it starts one and a half a core, which take the simulators' time and gain nothing."""
QUALITY = {
    "lossy": ("-crf", "18", "-sws_flags", "lanczos+accurate_rnd+full_chroma_int"),
    "lossless": ("-qp", "0"),
}  # fmt: skip


def pixel_format(codec: Codec, height: int, width: int) -> str:
    """Of the encoded images; halved colour needs even sizes."""
    if codec == "lossless":
        return "gbrp"
    return "yuv420p" if height % 2 == 0 and width % 2 == 0 else "yuv444p"


def video_info(codec: Codec, height: int, width: int, fps: float) -> dict[str, object]:
    """What ``meta/info.json`` says of the videos."""
    return {
        "video.height": height,
        "video.width": width,
        "video.codec": "h264",
        "video.pix_fmt": pixel_format(codec, height, width),
        "is_depth_map": False,
        "video.fps": fps,
        "video.channels": 3,
        "has_audio": False,
    }


def encode(path: Path, frames: NDArray[np.uint8], fps: float, codec: Codec) -> None:
    """Write (T, H, W, 3) images as a video of ``fps`` frames a second; the file appears only when it is whole.

    Raises OSError where the disk refuses.
    """
    import imageio_ffmpeg  # here, because every worker process imports what the command imports

    _, height, width, _ = frames.shape
    pixels = "rgb24" if codec == "lossless" else pixel_format(codec, height, width)
    part = path.with_name(f".{path.stem}.part.mp4")
    options = (*QUALITY[codec], "-preset", "veryfast", "-g", str(KEYFRAMES), "-bf", "0", "-threads", THREADS)
    writer = imageio_ffmpeg.write_frames(
        str(part), (width, height), fps=fps, pix_fmt_out=pixels, macro_block_size=1, quality=None, bitrate=None,
        codec="libx264rgb" if codec == "lossless" else "libx264", output_params=list(options), ffmpeg_log_level="error",
    )  # fmt: skip
    try:
        writer.send(None)
        for frame in frames:
            writer.send(np.ascontiguousarray(frame))
        writer.close()
        if frames_in(part) != len(frames):  # the encoder's own end is not told: on a full disk it may write half a file
            raise OSError(errno.EIO, "the encoder did not write all images", str(path))
        part.replace(path)
    except OSError as error:
        if shutil.disk_usage(path.parent).free < ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path)) from error
        raise
    finally:
        writer.close()
        part.unlink(missing_ok=True)


def frames_in(video: Path) -> int:
    """Images of a video file; 0 if it is damaged."""
    import cv2

    capture = _opened(video) if video.is_file() and is_whole(video) else None
    try:
        return 0 if capture is None or not capture.isOpened() else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        if capture is not None:
            capture.release()


def _opened(video: Path) -> cv2.VideoCapture:
    """A video, decoded by the thread that asks: OpenCV would start two a core for each file, and there is a process a core and
    a file a camera; they gain nothing, and on a large machine no more can be had before all are there."""
    import cv2

    return cv2.VideoCapture(str(video), cv2.CAP_ANY, [cv2.CAP_PROP_N_THREADS, 1])


def is_whole(video: Path) -> bool:
    """Whether an MP4 file has its index and ends where it says; what decodes one would complain of half a file by itself,
    in lines that name no file. Another kind of file counts as whole.
    """
    indexed, at, size = False, 0, video.stat().st_size
    with video.open("rb") as file:
        while at < size:
            file.seek(at)
            head = file.read(16)
            length, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if at == 0 and kind != b"ftyp":
                return video.suffix != ".mp4"
            if length == 1:  # it follows
                length = int.from_bytes(head[8:], "big")
            at = at + length if length else size  # none: to the end
            if 0 < length < 8 or len(head) < 8:
                return False
            indexed |= kind == b"moov"
    return indexed and at == size


class VideoReader:
    """Single frames of video files; the file that was read last stays open.

    Args:
        path_of: where a file lies.
    """

    def __init__(self, path_of: Callable[[str], Path] = Path) -> None:
        self._path_of = path_of
        self._name: str | None = None
        self._video: _DecodedHere | DecodedByFfmpeg | None = None

    def frame(self, name: str, number: int) -> NDArray[np.uint8]:
        """(H, W, 3) RGB. Raises UserError if it cannot be decoded."""
        if name != self._name or self._video is None:
            self._video = self._open(name, number)
            self._name = name
        # beyond the last one, another image may be given
        beyond = number < 0 or 0 < self._video.count <= number
        image = None if beyond else self._video.image(number)
        if image is None:
            raise self._refused(name, number)
        return image

    def _open(self, name: str, number: int) -> _DecodedHere | DecodedByFfmpeg:
        self._video = None  # what it holds goes before the next one comes
        path = self._path_of(name)
        try:
            whole = is_whole(path)
        except OSError:
            whole = False
        if not whole:
            raise self._refused(name, number)
        here = _DecodedHere(_opened(path))
        return DecodedByFfmpeg(path, here.count, here.fps, here.size) if here.codec in NOT_HERE else here

    def _refused(self, name: str, number: int) -> UserError:
        self._name = None
        return UserError(f"{self._path_of(name)}: image {number} cannot be decoded; the file is missing, damaged or too short.")


class _DecodedHere:
    """A video that OpenCV reads."""

    def __init__(self, capture: cv2.VideoCapture) -> None:
        import cv2

        self._capture, self._next = capture, 0
        self.count = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
        """Images that it says it has."""
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.size = int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(capture.get(cv2.CAP_PROP_FRAME_WIDTH))
        """Height and width of an image, pixels."""
        self.codec = int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little", signed=True).decode("latin-1").lower()
        """Four letters."""

    def image(self, number: int) -> NDArray[np.uint8] | None:
        """(H, W, 3) RGB; None: it cannot be decoded."""
        import cv2

        if number != self._next:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
        good, image = self._capture.read()
        self._next = number + 1
        return np.ascontiguousarray(image[..., ::-1]) if good else None
