"""Choosing the tracker: the user's CoTracker where it is installed, else the built-in one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from eval.errors import UserError, did_you_mean, needs_extra
from policies.trace.trackers import TRACKERS, Tracker, TrackerName


def make_tracker(
    name: TrackerName, checkpoint: Path | None, device: str, *, fast: bool = True, fixed_shapes: bool = False
) -> Tracker:
    """The tracker of that name; everything but the name is for CoTracker alone.

    Args:
        name: ``auto``: CoTracker if a checkpoint is given, else the built-in Lucas-Kanade, whose description says why.
        checkpoint: ``scaled_offline.pth``.
        device: of PyTorch.
        fast, fixed_shapes: as of :class:`policies.trace.cotracker.CoTracker`.

    Raises:
        UserError: what was asked for cannot be had: nothing is replaced by something else.
    """
    if choose_tracker(name, checkpoint) == "lucas_kanade":
        from policies.trace.lucas_kanade import LucasKanadeTracker

        return LucasKanadeTracker("chosen by the user" if name == "lucas_kanade" else "no tracker checkpoint was given")
    if importlib.util.find_spec("torch") is None:
        raise needs_extra("The tracker cotracker", "torch", "vla")
    assert checkpoint is not None
    from policies.trace.cotracker import load_cotracker

    return load_cotracker(checkpoint, device, fast=fast, fixed_shapes=fixed_shapes)


def choose_tracker(name: str, checkpoint: Path | None) -> TrackerName:
    """Which one these options ask for, for ``auto``, too. Raises UserError where it cannot be had; reads no file."""
    if name not in TRACKERS:
        raise UserError(f'--tracker "{name}" is unknown.{did_you_mean(name, TRACKERS)}')
    if name == "lucas_kanade":
        if checkpoint is not None:
            raise UserError("--tracker lucas_kanade has no use for --tracker-checkpoint; leave one of them out.")
        return "lucas_kanade"
    if checkpoint is not None and not checkpoint.is_file():
        raise UserError(f"The tracker checkpoint {checkpoint} does not exist (or is not a file).")
    if name == "auto" and checkpoint is None:
        return "lucas_kanade"
    if importlib.util.find_spec("cotracker") is None:
        asked = "--tracker cotracker" if name == "cotracker" else "--tracker-checkpoint"
        raise UserError(
            f"{asked} needs the package cotracker: pip install git+https://github.com/facebookresearch/co-tracker "
            "(licence CC-BY-NC 4.0, code and weights: no commercial use). For optical flow give --tracker lucas_kanade alone."
        )
    if checkpoint is None:
        raise UserError(
            "The tracker cotracker needs its checkpoint: give the file scaled_offline.pth with --tracker-checkpoint "
            "(https://huggingface.co/facebook/cotracker3; licence CC-BY-NC 4.0: no commercial use)."
        )
    return "cotracker"
