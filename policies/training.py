"""The contract between the harness and what trains a policy: demonstrations, settings, and who is told how it goes.

A policy that can be trained has an entry point of its name in the group ``simpler_eval.training``: a :data:`Train`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from eval.errors import UserError, did_you_mean, needs_extra
from policies.base import RobotName
from policies.device_names import check_device

GROUP = "simpler_eval.training"
BASE = "base"
"""In the folder of a training from scratch: what a checkpoint holds beside its weights, made anew at every start."""
STATE = "resume-"
"""Beside the checkpoints of a training: how the names of folders begin that hold what it needs to go on; a step follows."""
PACKAGES = ("torch", "transformers", "tokenizers", "safetensors")
"""Without which nothing is trained."""

Rotation = Literal["rotation_vector", "euler"]
"""How actions turn: the controller's axis times angle, or roll, pitch and yaw (extrinsic x, y, z); both in radians."""
GripperMeaning = Literal["command", "opening"]
"""What the last number of an action is: the robot's own command, or how far the hand shall be open (0 closed .. 1 open)."""


def is_state(folder: Path) -> bool:
    """Whether a folder is what a training keeps for going on, by its name."""
    return folder.name.startswith(STATE) and folder.name.removeprefix(STATE).isdecimal()


class StoppedEarly(UserError):
    """A training was told to stop before there was a model to save; all else that it made is kept."""


@dataclass(frozen=True)
class DemonstratedStep:
    """A moment of a demonstration."""

    image: NDArray[np.uint8]
    """(H, W, 3) of the camera, before the action."""
    traced: NDArray[np.uint8] | None
    """(256, 256, 3), the same as a policy sees it with a trace; None where none was drawn."""
    instruction: str
    action: NDArray[np.float64]
    """(7,) what shall be done there: translation [m], rotation, gripper."""


class Demonstrations(Protocol):
    """A dataset of one robot. It can be pickled, and every process opens it anew."""

    @property
    def name(self) -> str:
        """Where it lies, for messages and records."""

    @property
    def key(self) -> str:
        """Under which its ranges stand in ``dataset_statistics.json``; datasets of the same key share them."""

    @property
    def robot(self) -> RobotName:
        """Whose."""

    @property
    def rotation(self) -> Rotation:
        """How its actions turn."""

    @property
    def gripper(self) -> GripperMeaning:
        """What the last number of its actions is."""

    @property
    def fingerprint(self) -> str:
        """Another one for other content."""

    @property
    def lengths(self) -> Sequence[int]:
        """Steps of each episode."""

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        """Those of an episode, in order. Raises UserError for what cannot be read."""


class Settings(BaseModel):
    """How a training goes. Names and defaults are those of the original's ``train_args.py`` where it has them."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    checkpoint: str | None = Field(
        default=None, description="Checkpoint to fine-tune: a folder, or owner/name[@revision] on the Hugging Face Hub."
    )
    init: Literal["small", "tiny"] | None = Field(
        default=None, description="Train from scratch: small (27 million parameters) or tiny (for tests)."
    )
    tracevla: bool = Field(default=False, description="Train tracevla_phi3: two images, the second with a trace.")
    loss: Literal["action_token_only", "full"] = Field(
        default="action_token_only", description="action_token_only (over the 256 actions) or full (over the vocabulary)."
    )
    batch_size: int = Field(default=16, ge=1, le=2**20, description="Samples per optimizer step.")
    per_device_batch_size: int | None = Field(
        default=None, ge=1, description="Samples per forward pass, with gradient accumulation; default: the whole batch."
    )
    num_train_epochs: int = Field(default=1, ge=1, description="Number of epochs.")
    max_steps: int | None = Field(default=None, ge=1, description="Optimizer steps, instead of epochs.")
    stop_after: float | None = Field(default=None, gt=0, description="Stop after this many minutes; continue with --resume.")
    learning_rate: float = Field(default=4e-5, gt=0, le=10, description="Peak learning rate.")
    wd: float = Field(default=0.01, ge=0, description="Weight decay, for all parameters except biases and norms.")
    schedule: Literal["constant", "cosine"] = Field(default="constant", description="constant or cosine (down to 0).")
    warmup_steps: int = Field(default=0, ge=0, description="Warm-up steps, during which the learning rate rises from 0.")
    max_grad_norm: float = Field(default=1.0, gt=0, description="Maximum gradient norm (clipping).")
    image_aug: bool = Field(default=False, description="Random crop, brightness, contrast, saturation and hue, as released.")
    image_shift: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="Shift images at random by up to this fraction of their side; not in the release.",
    )
    trace_dropout: float = Field(
        default=0.2, ge=0, le=1, description="Fraction of the samples without a trace; with --tracevla."
    )
    lora_rank: int | None = Field(default=None, ge=1, description="Train adapters of this rank (LoRA), merged when saved.")
    lora_alpha_ratio: float = Field(default=2.0, gt=0, description="Alpha of LoRA in units of its rank.")
    lora_dropout: float = Field(default=0.0, ge=0, lt=1, description="Dropout of LoRA.")
    freeze_vision_model: bool = Field(default=False, description="Freeze the vision tower and its projection.")
    gradient_checkpointing: bool = Field(default=False, description="Recompute activations to save memory.")
    keep_statistics: bool = Field(
        default=False, description="Scale actions with the ranges of --checkpoint instead of the datasets'."
    )
    held_out: float = Field(default=0.05, ge=0, lt=1, description="Fraction of the episodes held out for validation.")
    save_steps: int = Field(default=1000, ge=1, description="Steps between checkpoints.")
    log_steps: int = Field(default=5, ge=1, description="Steps between log lines.")
    eval_every: int | None = Field(default=None, ge=1, description="Steps between evaluations, each of its own checkpoint.")
    seed: int = Field(
        default=0, ge=0, lt=2**32, description="Seed of initial weights, sample order, and everything else that is random."
    )
    device: str = Field(default="auto", description="auto (default), cpu, cuda or cuda:N; bfloat16 on a GPU, else float32.")
    gpus: int = Field(
        default=1, ge=1, description="Number of GPUs for FSDP, on one machine; with --device cpu: number of processes."
    )


RELEASED: Mapping[str, object] = {
    "loss": "action_token_only", "batch_size": 16, "per_device_batch_size": 1, "num_train_epochs": 1, "learning_rate": 4e-5,
    "wd": 0.01, "schedule": "constant", "warmup_steps": 0, "max_grad_norm": 1.0, "gradient_checkpointing": True,
    "trace_dropout": 0.2, "held_out": 0.0, "save_steps": 1000, "log_steps": 5,
}  # fmt: skip
"""The values of the original's ``train_phi3.py`` and ``train_args.py``."""
PRESETS: Mapping[str, Mapping[str, object]] = {
    "openvla_phi3": {**RELEASED, "tracevla": False},
    "tracevla_phi3": {**RELEASED, "tracevla": True},
    "small": {
        "batch_size": 256, "learning_rate": 6e-4, "wd": 0.05, "schedule": "cosine", "warmup_steps": 200,
        "num_train_epochs": 20, "save_steps": 100_000, "log_steps": 20,
    },
}  # fmt: skip
"""Settings by name, taken where nothing else is said; ``small`` is for ``--init small``."""


class Monitor(Protocol):
    """Who is told how it goes."""

    def begun(self, step: int) -> None:
        """All is set up, and the step after ``step`` comes next; what was told of later ones before no longer holds."""

    def say(self, line: str) -> None:
        """A line for the user."""

    def log(self, step: int, steps: int, metrics: Mapping[str, float]) -> None:
        """Numbers of the steps since the last call, or of a measurement after ``step`` of ``steps``."""

    def lacks_evaluation(self, step: int) -> bool:
        """Whether nothing is known of an evaluation at this step."""

    def evaluate(self, step: int, checkpoint: Path) -> Mapping[str, float]:
        """Play a complete checkpoint; what is found becomes part of the log. Never raises."""

    def stopping(self) -> bool:
        """Whether to save and stop as soon as the step is over."""


@dataclass(frozen=True)
class Place:
    """Which process this is of those that train together."""

    rank: int
    """From 0."""
    count: int
    meeting: Path
    """A file that does not exist yet, by which they find each other."""


@dataclass(frozen=True)
class Job:
    """A training."""

    settings: Settings
    demonstrations: Sequence[Demonstrations]
    out: Path
    """Folder of the training; checkpoints and all that is needed to go on are written there."""
    frames: Path
    """Folder for prepared images, which trainings may share."""
    record: Mapping[str, JsonValue]
    """What every checkpoint's ``training.json`` says besides: datasets, code."""
    resume: bool
    place: Place | None = None
    """None: this process trains alone."""


@dataclass(frozen=True)
class Trained:
    """What came out."""

    policy: str
    checkpoint: Path
    step: int
    complete: bool
    """False: stopped before its last step."""


Train = Callable[[Job, Monitor], Trained]
"""Raises UserError for what cannot be used, and StoppedEarly."""


def check_settings(settings: Settings) -> None:
    """Raises UserError, before any data are read, for settings that cannot be used."""
    if settings.init is None and settings.checkpoint is None:
        raise UserError("Give --checkpoint (what is fine-tuned) or --init small (from scratch).")
    check_device(settings.device)


def check_packages(policy: str, settings: Settings) -> None:
    """Raises UserError if a package is missing that such a training needs in the end."""
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise needs_extra(f"Training {policy}", package, "vla,train")
    if settings.lora_rank is not None and importlib.util.find_spec("peft") is None:
        raise needs_extra("--lora-rank", "peft", "train")


def find_trainer(policy: str) -> Train:
    """What trains a policy. Raises UserError if it cannot be trained, or something that it needs is missing."""
    points = {point.name: point for point in importlib.metadata.entry_points(group=GROUP)}
    if policy not in points:
        hint = did_you_mean(policy, points) or " Install simpler-eval again (pip install -e .)."
        raise UserError(f'Policy "{policy}" cannot be trained here.{hint}')
    try:
        train: Train = points[policy].load()
    except ModuleNotFoundError as error:
        raise needs_extra(f"Training {policy}", error.name, "vla,train") from error
    return train
