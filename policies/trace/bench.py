"""What ``bench tracker`` measures: the calls of a run, for several episodes at once."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from eval.errors import UserError
from policies.device_names import check_device
from policies.trace.lucas_kanade import LucasKanadeTracker
from policies.trace.presets import POINTS, PRESETS
from policies.trace.synthetic import synthetic_image
from policies.trace.tracker_selection import make_tracker
from policies.trace.trackers import TRACKERS, Clip, grid_points

PRESET = PRESETS["released"]


def measure_tracker(
    tracker: str, checkpoint: str | None, device: str, episodes: int, repeats: int
) -> tuple[str, str, Mapping[str, Sequence[float]]]:
    """The tracker and the device that are used, and milliseconds of each kind of call, one number a repeat; the first call, in
    which libraries warm up, is left out.

    Args:
        tracker: as of ``--tracker``.
        checkpoint: CoTracker's file.
        device: as of ``--device``.
        episodes: in one call.
        repeats: calls of each kind.

    Raises:
        UserError: there is no such tracker or device.
    """
    chosen = next((name for name in TRACKERS if name == tracker), None)
    if chosen is None:
        raise UserError(f'--tracker "{tracker}" is unknown; use {", ".join(TRACKERS)}.')
    given = make_tracker(chosen, None if checkpoint is None else Path(checkpoint), _device(device))
    if device != "auto" and isinstance(given, LucasKanadeTracker):
        raise UserError("--device has no effect: the built-in tracker (optical flow) has no use for a GPU; leave it out.")
    images = [[synthetic_image("three", 7 + n, t) for t in range(PRESET.frames + repeats + 1)] for n in range(min(episodes, 4))]

    def clips(begin: int, moment: str) -> list[Clip]:
        """The images from ``begin`` on, as of episodes that are at the ``moment``."""
        window = slice(begin, begin + PRESET.frames)
        return [Clip(f"{moment} {n}", begin, tuple(images[n % len(images)][window])) for n in range(episodes)]

    points = grid_points(30)[:: 900 // POINTS][:POINTS]
    queries = [np.hstack([np.zeros((POINTS, 1), np.float32), points]) for _ in range(episodes)]
    calls: dict[str, Callable[[int], object]] = {
        "points, all frames new": lambda k: given.points(clips(k, f"new {k}"), queries),
        "points, one frame new": lambda k: given.points(clips(k, "going on"), queries),
        f"dense {PRESET.grid} x {PRESET.grid}, all frames new": lambda k: given.grid(clips(k, f"dense {k}"), PRESET.grid),
    }
    taken: dict[str, list[float]] = {}
    for name, call in calls.items():
        for repeat in range(repeats + 1):
            begin = time.perf_counter()
            call(repeat)  # its answer is numpy's: the device is done
            taken.setdefault(name, []).append(1e3 * (time.perf_counter() - begin))
        for prefix in ("going on", *(f"{what} {k}" for what in ("new", "dense") for k in range(repeats + 1))):
            for n in range(episodes):
                given.forget(f"{prefix} {n}")
    used = given.describe().details.get("device", "cpu")
    return given.name, str(used), {name: values[1:] for name, values in taken.items()}


def _device(text: str) -> str:
    """``auto``: a GPU if PyTorch has one."""
    check_device(text)
    if importlib.util.find_spec("torch") is None:
        return text
    from policies.phi3v.device import choose_device

    return str(choose_device(text))
