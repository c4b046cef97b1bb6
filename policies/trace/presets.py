"""When points are tracked and how much of their paths is drawn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

POINTS = 5
"""Points of a trace, in every preset; one colour each (:mod:`policies.trace.drawing`)."""


@dataclass(frozen=True, slots=True)
class TracePreset:
    """The numbers of a trace processor; everything else is the same in all presets."""

    name: str
    grid: int
    """A dense call tracks ``grid`` x ``grid`` points."""
    frames: int
    """Images that the tracker sees at once. The first dense call comes with the last of them."""
    period: int
    """Images from one dense call to the next; they come at every multiple."""
    window: int | None
    """Newest positions of each point that are drawn; None: as many as the robot's policy sets."""
    note: str
    """The run record's remark about these numbers."""


PRESETS: Mapping[str, TracePreset] = MappingProxyType(
    {
        "released": TracePreset("released", 30, 10, 25, None, "the numbers of the released code"),
        "paper": TracePreset(
            "paper", 40, 6, 20, 6,
            "our reading of the paper (arXiv 2412.10345): 40 x 40 grid, 6 images, dense tracking every 20 steps; "
            "all other rules are those of the released code",
        ),
    }
)  # fmt: skip
"""By name."""
