"""``parity model``: gather what a folder holds, choose, replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

from eval.errors import UserError
from eval.parity.report import ParityReport, select
from policies.phi3v.parity.check_list import CheckList
from policies.phi3v.parity.component_recordings import (
    actions_replays,
    image_path_replays,
    policies_replays,
    processor_replays,
    rotary_replays,
)
from policies.phi3v.parity.model_recordings import ModelFile

Replay = Callable[[CheckList], None]


def compare_model(folder: Path, only: Sequence[str] = ()) -> ParityReport:
    """Compare with every selected key of ``folder``; ``only``: patterns such as ``A/*``.

    Models without a checkpoint folder, whose weights are random first, are left out unless a pattern names them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    models = [ModelFile(path) for path in sorted(folder.glob("model_*.json"))]
    replays: dict[str, Replay] = {}
    for part in (processor_replays, rotary_replays, actions_replays, policies_replays, image_path_replays):
        replays |= part(folder)
    for model in models:
        replays |= model.replays()
    if not replays:
        raise UserError(f"{folder} holds no recordings of the model (model_*.json, processor.npz, rotary.npz, ...).")
    keys = select(replays, only)
    notes = []
    if not only:
        for model in (model for model in models if model.random):
            keys = [key for key in keys if not key.startswith(f"{model.name}/")]
            notes.append(f"{model.name} is left out, since making its weights takes long; --only '{model.name}*' replays it.")
    if not keys:
        raise UserError(f"Nothing is left to compare: {' '.join(notes)}")
    checks = CheckList()
    for key in keys:
        try:
            replays[key](checks)
        except (KeyError, OSError, BadZipFile) as error:
            raise UserError(f"{key} cannot be replayed, something is lacking: {type(error).__name__}: {error}") from error
    return ParityReport(tuple(checks.checks), tuple(notes))
