"""The trace alone, for one video: the interface of the released class."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError, did_you_mean
from policies.trace.presets import PRESETS
from policies.trace.processor import TraceProcessors, TraceResult
from policies.trace.tracker_selection import make_tracker
from policies.trace.trackers import IMAGE_SIDE, TrackerName

NAME = "video"


class TraceProcessor:
    """Draws the paths of moving points on one image after another; as the released class, whose global random numbers it does
    not touch.

    Args:
        tracker_checkpoint: CoTracker's file ``scaled_offline.pth``; None: the built-in optical flow.
        window: newest positions that are drawn; the released policy has 15 for the Google Robot and 10 for the WidowX.
        preset: ``released`` or ``paper``.
        tracker: auto, cotracker or lucas_kanade.
        device: of PyTorch, for CoTracker.
        seed: of the points that are chosen.

    Raises:
        UserError: the preset or tracker cannot be had.
    """

    def __init__(
        self,
        tracker_checkpoint: str | Path | None = None,
        window: int = 15,
        preset: str = "released",
        tracker: str = "auto",
        device: str = "cpu",
        seed: int = 0,
    ) -> None:
        if isinstance(window, bool) or not isinstance(window, int | np.integer) or window < 2:
            raise UserError(f"window is {window!r:.40}; give the newest positions that are drawn, a whole number of 2 or more.")
        if preset not in PRESETS:
            raise UserError(f'preset "{preset}" is unknown.{did_you_mean(preset, PRESETS)}')
        path = None if tracker_checkpoint is None else Path(tracker_checkpoint).expanduser()
        self._traces = TraceProcessors(make_tracker(cast(TrackerName, tracker), path, device), PRESETS[preset])
        self._seed, self._window = seed, window
        self._traces.begin(NAME, seed, window)

    def process_image(self, image: NDArray[np.uint8]) -> TraceResult:
        """The next image of the video.

        Args:
            image: (H, W, 3) RGB uint8; one that is not 256 x 256 becomes so as in the policy (by JPEG and Lanczos).

        Returns:
            ``image`` (256, 256, 3) with the trace, and ``has_trace``: without, it is the image itself.

        Raises:
            ValueError, UserError: it is no such image; the video goes on with the next one.
        """
        if not isinstance(image, np.ndarray):
            raise ValueError(f"the image must be an array, (H, W, 3) uint8 RGB, not a {type(image).__name__}")
        if image.shape != (IMAGE_SIDE, IMAGE_SIDE, 3):
            from policies.phi3v.camera_transforms import as_rgb, jpeg_and_resize

            image = jpeg_and_resize(as_rgb(image), IMAGE_SIDE)
        return self._traces.step({NAME: image})[NAME]

    def reset(self) -> None:
        """Another video begins; the random numbers go on, as in the release."""
        self._traces.reset(NAME)
