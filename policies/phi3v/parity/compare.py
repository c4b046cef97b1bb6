"""``parity model``: gather what a folder holds, choose, replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from zipfile import BadZipFile

from eval.errors import UserError
from eval.parity.report import ParityReport, select
from policies.phi3v.parity.cases import ModelFile
from policies.phi3v.parity.checks import Checks
from policies.phi3v.parity.parts import actions_part, pictures_part, policies_part, processor_part, rotary_part

Replay = Callable[[Checks], None]


def compare_model(folder: Path, only: Sequence[str] = ()) -> ParityReport:
    """Compare with every selected key of ``folder``; ``only``: patterns such as ``A/*``.

    Models without a checkpoint folder, whose weights are drawn first, are left out unless a pattern names them.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder.")
    models = [ModelFile(path) for path in sorted(folder.glob("model_*.json"))]
    replays: dict[str, Replay] = {}
    for part in (processor_part, rotary_part, actions_part, policies_part, pictures_part):
        replays |= part(folder)
    for model in models:
        replays |= model.replays()
    if not replays:
        raise UserError(f"{folder} holds no recordings of the model (model_*.json, processor.npz, rotary.npz, ...).")
    keys = select(replays, only)
    notes = []
    if not only:
        for model in (model for model in models if model.drawn):
            keys = [key for key in keys if not key.startswith(f"{model.name}/")]
            notes.append(f"{model.name} is left out, since its weights are drawn first; --only '{model.name}*' replays it.")
    if not keys:
        raise UserError(f"Nothing is left to compare: {' '.join(notes)}")
    checks = Checks()
    for key in keys:
        try:
            replays[key](checks)
        except (KeyError, OSError, BadZipFile) as error:
            raise UserError(f"{key} cannot be replayed, something is lacking: {type(error).__name__}: {error}") from error
    return ParityReport(tuple(checks.found), tuple(notes))
