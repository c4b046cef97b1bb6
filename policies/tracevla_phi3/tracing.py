"""Traces of episodes as ``tracevla_phi3`` has them, while it plays and for the images that it is trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from eval.errors import UserError, did_you_mean
from policies.base import RobotName
from policies.trace import PRESETS, TraceProcessors, Tracker, make_tracker
from policies.trace.tracker_selection import choose_tracker
from policies.trace.trackers import TrackerName

WINDOWS: Mapping[RobotName, int] = {"google_robot": 15, "widowx": 10}
"""Steps that a trace looks back."""


def open_tracker(
    preset: str, tracker: str, checkpoint: str | None, device: str, *, fast: bool = True, fixed_shapes: bool = False
) -> Tracker:
    """The tracker that the options ``--trace-preset``, ``--tracker`` and ``--tracker-checkpoint`` ask for.

    Raises UserError for an option that cannot be used; ``fast`` and ``fixed_shapes`` as of :func:`policies.trace.make_tracker`.
    """
    path = check_tracker(preset, tracker, checkpoint)
    return make_tracker(cast(TrackerName, tracker), path, device, fast=fast, fixed_shapes=fixed_shapes)


def check_tracker(preset: str, tracker: str, checkpoint: str | None) -> Path | None:
    """The tracker's file, if one is given. Raises UserError for options that cannot be used, whatever is in that file."""
    if preset not in PRESETS:
        raise UserError(f'--trace-preset "{preset}" is unknown.{did_you_mean(preset, PRESETS)}')
    if checkpoint is not None and not checkpoint.strip():
        raise UserError("--tracker-checkpoint is empty; give CoTracker's file scaled_offline.pth, or leave it out.")
    path = None if checkpoint is None else Path(checkpoint).expanduser()
    choose_tracker(tracker, path)
    return path


def begin_trace(traces: TraceProcessors, episode: str, seed: int, robot: RobotName) -> None:
    """Begin an episode; the points of its traces are sampled from its seed and name."""
    mixed = hashlib.blake2b(f"{seed}:{episode}".encode(), digest_size=6)
    traces.begin(episode, int.from_bytes(mixed.digest(), "big"), WINDOWS[robot])
