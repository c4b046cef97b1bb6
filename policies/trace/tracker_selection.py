"""Choosing the tracker: the user's CoTracker where it is installed, else the built-in one."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from eval.errors import UserError
from policies.trace.trackers import Tracker, TrackerName


def make_tracker(name: TrackerName, checkpoint: Path | None, device: str) -> Tracker:
    """The tracker of that name; ``device`` and ``checkpoint`` (``scaled_offline.pth``) are for CoTracker alone.

    ``auto``: CoTracker if package and checkpoint are there, else the built-in Lucas-Kanade, whose description says why.
    """
    if name not in ("auto", "cotracker", "lucas_kanade"):
        raise UserError(f'Unknown tracker "{name}". Known: auto, cotracker, lucas_kanade.')
    if checkpoint is not None and not checkpoint.is_file():
        raise UserError(f"The tracker checkpoint {checkpoint} does not exist (or is not a file).")
    if name == "lucas_kanade":
        return _lucas_kanade("chosen by the user")
    installed = importlib.util.find_spec("cotracker") is not None
    if name == "auto" and checkpoint is None:
        return _lucas_kanade("no tracker checkpoint was given")
    if name == "auto" and not installed:
        return _lucas_kanade("the package cotracker is not installed")
    if not installed:
        raise UserError(
            "The tracker cotracker needs its package: pip install git+https://github.com/facebookresearch/co-tracker "
            "(licence CC-BY-NC 4.0, code and weights: no commercial use)."
        )
    if checkpoint is None:
        raise UserError(
            "The tracker cotracker needs its checkpoint: give the file scaled_offline.pth with --tracker-checkpoint "
            "(https://huggingface.co/facebook/cotracker3; licence CC-BY-NC 4.0: no commercial use)."
        )
    if importlib.util.find_spec("torch") is None:
        raise UserError("The tracker cotracker needs PyTorch: install simpler-eval with its extra vla.")
    from policies.trace.cotracker import load_cotracker

    return load_cotracker(checkpoint, device)


def _lucas_kanade(why: str) -> Tracker:
    from policies.trace.lucas_kanade import LucasKanadeTracker

    return LucasKanadeTracker(why)
