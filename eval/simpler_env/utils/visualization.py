"""Videos, as evaluation loops write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import mediapy
import numpy as np
from numpy.typing import NDArray

from eval.simpler_api.dropin import rest


def write_video(path: str | Path, images: Sequence[NDArray[np.uint8]], fps: float = 5) -> None:
    """Write (H, W, 3) images as an MP4 file; folders are made."""
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    mediapy.write_video(path, images, fps=fps)


def write_interval_video(path: str | Path, images: Sequence[NDArray[np.uint8]], fps: float = 5, interval: int = 20) -> None:
    """Write every ``interval``-th image as an MP4 file; a helper of a fork (DelinQu/SimplerEnv-OpenVLA)."""
    write_video(path, images[::interval], fps)


def __getattr__(name: str) -> Any:  # noqa: ANN401  module attributes have any type
    return rest.attribute("utils.visualization", name)
