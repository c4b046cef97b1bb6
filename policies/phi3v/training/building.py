"""The model that is trained: its weights, and which of them may change."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from policies.phi3v.config import Phi3VConfig
from policies.phi3v.model import Phi3V
from policies.phi3v.training.adapters import add_adapters
from policies.phi3v.training.scratch import new_model
from policies.phi3v.weights import load_model
from policies.training import Settings


def make_model(settings: Settings, base: Path, config: Phi3VConfig, device: torch.device, alone: bool) -> Phi3V:
    """A model in training.

    Args:
        settings: from scratch or not, with adapters, and what is frozen.
        base: folder that the training begins with.
        config: of that folder.
        device: where it shall be.
        alone: whether one process has all of it.
    """
    if settings.init is not None:
        model: Phi3V = new_model(settings.init, settings.seed).to(device)
        model.make_tables(device)
    else:
        frozen = settings.lora_rank is not None and device.type == "cuda" and alone
        model = load_model(base, config, device, torch.bfloat16 if frozen else torch.float32)
    model.requires_grad_(True)
    if settings.lora_rank is not None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            add_adapters(model, settings)
    elif settings.freeze_vision_model:
        for part in (model.vision, model.projection):
            part.requires_grad_(False)
        for mark in (model.row_end, model.global_mark):
            mark.requires_grad_(False)
    if settings.gradient_checkpointing:
        with warnings.catch_warnings():  # newer transformers call it otherwise
            warnings.simplefilter("ignore", FutureWarning)
            for network in (model.language, model.vision):
                network.gradient_checkpointing_enable({"use_reentrant": False})
    model.train()
    return model
