"""Videos, as evaluation loops write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np
from numpy.typing import NDArray


def write_video(path: str | Path, images: Sequence[NDArray[np.uint8]], fps: float = 5) -> None:
    """Write (H, W, 3) images as an MP4 file; folders are made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    mediapy.write_video(path, images, fps=fps)
