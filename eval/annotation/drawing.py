"""Who draws traces. What a trace is belongs to the policies; the harness finds it by an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from eval.datasets.features import RobotFamily
from eval.errors import UserError, needs_extra
from eval.options import Options

GROUP, NAME = "simpler_eval.annotation", "traces"
Image = NDArray[np.uint8]


class TraceOptions(Options):
    """How traces are drawn; as of the policy. The descriptions of the fields are the help texts of the command line."""

    trace_preset: str = Field(default="released", description="released (default) or paper.")
    tracker: str = Field(default="auto", description="auto (default), cotracker or lucas_kanade (optical flow).")
    tracker_checkpoint: str | None = Field(default=None, description="CoTracker's scaled_offline.pth.")
    device: str = Field(default="auto", description="auto (default), cpu, cuda or cuda:N, for CoTracker.")


class Traced(Protocol):
    """An image with its trace, or the image itself where there is none."""

    @property
    def image(self) -> Image:
        """(256, 256, 3)."""

    @property
    def has_trace(self) -> bool:
        """Whether a trace was drawn."""


class Described(Protocol):
    """What a tracker says of itself, for the record."""

    @property
    def name(self) -> str:
        """``cotracker``, or ``lucas_kanade``: optical flow."""

    @property
    def weights(self) -> str | None:
        """Hash over the content."""

    @property
    def details(self) -> dict[str, object]:
        """Settings, versions, the device."""


class Annotator(Protocol):
    """Draws traces on the images of episodes, several episodes at a time."""

    together: int
    """Episodes that are best worked on at the same time."""

    def describe(self) -> Described:
        """What follows the points."""

    def begin(self, episode: str, seed: int, robot: RobotFamily) -> None:
        """Begin an episode, as the policy does that plays it under this name and seed."""

    def changed(self, episode: str) -> None:
        """Its instruction changed: the trace begins anew."""

    def small(self, image: Image) -> Image:
        """A camera image as (256, 256, 3), on which traces are drawn."""

    def step(self, images: Mapping[str, Image]) -> Mapping[str, Traced]:
        """The next small image of each episode -> the same with its trace, or itself."""

    def end(self, episode: str) -> None:
        """Forget an episode."""


class MakeAnnotator(Protocol):
    """What the entry point is: the class."""

    def __call__(self, preset: str, tracker: str, checkpoint: str | None, device: str) -> Annotator:
        """One that draws so. Raises UserError for an option that cannot be used."""

    def check(self, preset: str, tracker: str, checkpoint: str | None, device: str) -> None:
        """The same errors, as far as they can be told before anything is loaded."""


def make_annotator(options: TraceOptions) -> Annotator:
    """Who draws as these options say. Raises UserError for an option that cannot be used, or a package that is missing."""
    make = _entry_point()
    try:
        return make(options.trace_preset, options.tracker, options.tracker_checkpoint, options.device)
    except ModuleNotFoundError as error:
        raise needs_extra("annotate-traces", error.name, "vla") from error


def check_trace_options(options: TraceOptions) -> None:
    """Raises UserError for an option that cannot be used, before a dataset is opened or a package is needed."""
    _entry_point().check(options.trace_preset, options.tracker, options.tracker_checkpoint, options.device)


def _entry_point() -> MakeAnnotator:
    points = list(entry_points(group=GROUP, name=NAME))
    if not points:
        raise UserError("this installation cannot draw traces. Install simpler-eval again (make setup).")
    make: MakeAnnotator = points[0].load()
    return make
