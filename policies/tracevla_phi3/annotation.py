"""Draws on recorded images what ``tracevla_phi3`` would draw while it plays: the part of it that annotates datasets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from policies.base import RobotName
from policies.device_names import check_device
from policies.trace import PRESETS, TraceProcessors
from policies.trace.processor import TraceResult
from policies.trace.trackers import TrackerDescription
from policies.tracevla_phi3.tracing import begin_trace, check_tracker, open_tracker

if TYPE_CHECKING:
    from policies.phi3v.camera_transforms import ImageArray

TOGETHER = 16
"""Episodes that CoTracker is asked about at a time; each takes 84 MB of its memory."""


class TraceAnnotator:
    """Traces of recorded episodes. The interface: :class:`eval.annotation.drawing.Annotator`.

    Args:
        preset: released or paper.
        tracker: auto, cotracker or lucas_kanade.
        checkpoint: CoTracker's file.
        device: auto, cpu, cuda or cuda:N, for CoTracker.

    Raises:
        UserError: an option cannot be used.
    """

    def __init__(self, preset: str, tracker: str, checkpoint: str | None, device: str) -> None:
        self.check(preset, tracker, checkpoint, device)
        from policies.tracevla_phi3.images import small_image

        if tracker == "cotracker" or checkpoint is not None:
            from policies.phi3v.device import choose_device  # needs torch, as CoTracker does

            device = str(choose_device(device))
        self._small = small_image
        self._tracker = open_tracker(preset, tracker, checkpoint, device)
        self._traces = TraceProcessors(self._tracker, PRESETS[preset])
        self.together = 1 if self._tracker.one_by_one else TOGETHER

    @staticmethod
    def check(preset: str, tracker: str, checkpoint: str | None, device: str) -> None:
        """Raises UserError for options that cannot be used, as far as they can be told before anything is loaded."""
        check_device(device)
        check_tracker(preset, tracker, checkpoint)

    def describe(self) -> TrackerDescription:
        """What follows the points."""
        return self._tracker.describe()

    def begin(self, episode: str, seed: int, robot: RobotName) -> None:
        """Begin an episode, as the policy does that plays it under this name and seed."""
        begin_trace(self._traces, episode, seed, robot)

    def changed(self, episode: str) -> None:
        """Its instruction changed: the trace begins anew."""
        self._traces.reset(episode)

    def small(self, image: ImageArray) -> ImageArray:
        """A camera image as (256, 256, 3), on which traces are drawn."""
        return self._small(image)

    def step(self, images: Mapping[str, ImageArray]) -> Mapping[str, TraceResult]:
        """The next small image of each episode -> the same with its trace, or itself."""
        return self._traces.step(images)

    def end(self, episode: str) -> None:
        """Forget an episode."""
        self._traces.end(episode)
