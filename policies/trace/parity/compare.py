"""``parity trace``: processor, drawing and tracker against recorded runs of the original."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

from eval.errors import UserError
from eval.parity.report import Check, ParityReport, select
from policies.trace.parity.recordings import Recorded, read, recorded_runs
from policies.trace.parity.run_replay import replay_checks
from policies.trace.parity.tracker_replay import call_checks, run_checks

CALLS = "cotracker_calls"


def compare_trace(folder: Path, only: Sequence[str] = ()) -> ParityReport:
    """Compare with the recordings of ``folder``: every run under ``runs/``, and single calls of the tracker.

    ``only``: patterns of names. Tracks of a run that was made with a real network are compared too when a pattern names
    it (minutes), and ``cotracker_calls`` always, both only where the package ``cotracker`` is installed.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder. Give a folder of recorded trace runs (with runs/*.npz).")
    runs = recorded_runs(folder)
    calls = [CALLS] if (folder / f"{CALLS}.npz").is_file() else []
    if not runs and not calls:
        raise UserError(f"{folder} holds no recorded trace runs (runs/*.npz).")
    checks: list[Check] = []
    notes: list[str] = []
    without = _tracker_lacks()
    for key in select([*runs, *calls], only):
        if key == CALLS and without:
            notes.append(f"{key}: the tracker was not compared, {without}")
        elif key == CALLS:
            checks += call_checks(read(folder / f"{key}.npz"))
        else:
            run = read(folder / "runs" / f"{key}.npz")
            checks += replay_checks(run)
            checks += _network_part(run, bool(only), without, notes)
    if not checks:
        raise UserError(f"nothing could be compared. {'; '.join(notes)}.")  # a pass without a check would be a lie
    return ParityReport(tuple(checks), tuple(notes))


def _network_part(run: Recorded, selected: bool, without: str, notes: list[str]) -> list[Check]:
    """The tracker's part of a run, or a note why it was left out."""
    if run.weights_seed() is None:
        return []  # its tracks were scripted
    if without:
        notes.append(f"{run.name}: processor and drawing only; the tracker was not compared, {without}")
        return []
    if not selected:
        notes.append(f"{run.name}: processor and drawing only; --only '{run.name}' compares the tracker too (some minutes)")
        return []
    return run_checks(run)


def _tracker_lacks() -> str:
    """Why CoTracker cannot be run here; empty if it can."""
    for package in ("torch", "cotracker"):
        if importlib.util.find_spec(package) is None:
            return f"the package {package} is not installed"
    return ""
