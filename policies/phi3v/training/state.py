"""What a training needs to go on exactly where it was: weights in full precision, the optimizer's moments, and how far it is.

Order, dropout and augmentation follow from the seed and the step, so no generator has a state worth keeping.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from eval.errors import UserError
from policies.phi3v.training.files import whole_folder
from policies.phi3v.training.group import divided_as
from policies.training import STATE, is_state

FILE, PROGRESS = "state.safetensors", "progress.json"
MOMENTS = ("exp_avg", "exp_avg_sq")


class Progress(BaseModel):
    """How far a training is, and of what it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: int
    base: str
    """Hash of what it began with."""
    data: tuple[str, ...]
    """Fingerprints of the datasets."""
    settings: dict[str, Any]
    """Those that decide what comes out."""


def state_tensors(
    trainable: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer, whole: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Weights and moments, by the names that they are stored under; ``whole`` puts each of them together."""
    tensors = {}
    for name, parameter in trainable.items():
        tensors[f"parameter/{name}"] = whole(parameter.detach())
        for moment in MOMENTS:
            if moment in optimizer.state.get(parameter, {}):
                tensors[f"{moment}/{name}"] = whole(optimizer.state[parameter][moment])
    return tensors


def save_state(out: Path, progress: Progress, tensors: Mapping[str, Tensor]) -> None:
    """Write a state; the one before it goes when the new one is whole. Raises UserError if the disk refuses."""
    target = out / f"{STATE}{progress.step}"
    with whole_folder(target) as folder:
        save_file({name: tensor.to("cpu").contiguous() for name, tensor in tensors.items()}, folder / FILE)
        (folder / PROGRESS).write_text(progress.model_dump_json(indent=1) + "\n")
    for path in _states(out):
        if path != target:
            shutil.rmtree(path, ignore_errors=True)


def read_progress(out: Path) -> Progress | None:
    """How far the training in a folder is, by the newest state that can be read; None: nothing was saved yet.

    Raises UserError if there are states and none of them can be read.
    """
    refusal: UserError | None = None
    for folder in reversed(_states(out)):
        path = folder / PROGRESS
        try:
            return Progress.model_validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            refusal = refusal or UserError(f"{path} cannot be read ({_reason(error)}); begin anew with another --out.")
    if refusal is not None:
        raise refusal
    return None


def load_state(out: Path, progress: Progress, trainable: Mapping[str, nn.Parameter], optimizer: torch.optim.Optimizer) -> None:
    """Put the newest state into a model and its optimizer. Raises UserError if it belongs to another model."""
    path = out / f"{STATE}{progress.step}" / FILE
    try:
        with safe_open(path, framework="pt") as file:
            names = set(file.keys())
            if {name.removeprefix("parameter/") for name in names if name.startswith("parameter/")} != set(trainable):
                raise UserError(f"{path} is the state of another model; begin anew with another --out.")
            for name, parameter in trainable.items():
                kinds = ("parameter", *(MOMENTS if f"{MOMENTS[0]}/{name}" in names else ()))
                stored = {kind: file.get_tensor(f"{kind}/{name}") for kind in kinds}
                if wrong := [tensor for tensor in stored.values() if tensor.shape != parameter.shape]:
                    shape = list(wrong[0].shape)
                    raise UserError(
                        f"{path} is the state of another model: {name} has shape {shape}; begin anew with another --out."
                    )
                parameter.data.copy_(divided_as(parameter.data, stored.pop("parameter")))
                if stored:
                    moments = {moment: divided_as(parameter.data, tensor) for moment, tensor in stored.items()}
                    where = parameter.device if optimizer.defaults.get("fused") else "cpu"
                    optimizer.state[parameter] = {"step": torch.tensor(float(progress.step), device=where), **moments}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path} cannot be read ({error}); begin anew with another --out.") from error


def differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Names of the settings that are not as they were."""
    return [name for name in now if json.dumps(before.get(name)) != json.dumps(now[name])]


def _reason(error: Exception) -> str:
    return str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)


def _states(out: Path) -> list[Path]:
    found = [path for path in out.glob(f"{STATE}*") if is_state(path) and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name.removeprefix(STATE)))
