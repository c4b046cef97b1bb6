"""How a training is begun or gone on with, as one object."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, Literal

from pydantic import ConfigDict, Field

from eval.errors import UserError, did_you_mean
from eval.options import Excludes, Needs, Options, Rule
from policies.training import PRESETS, Settings

EVALUATION = ("eval_tasks", "eval_episodes")


class TrainOptions(Settings, Options):
    """Settings of the model, and what goes in and out. The descriptions of the fields are the help texts."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)
    rules: ClassVar[tuple[Rule, ...]] = (
        Excludes("init", ("checkpoint", "lora_rank", "keep_statistics"), "a model from scratch has no weights to begin with"),
        Needs("lora_alpha_ratio", ("lora_rank",), "nothing else has it"),
        Needs("lora_dropout", ("lora_rank",), "nothing else has it"),
        Needs("trace_dropout", ("tracevla", "preset"), "there is no trace to leave out"),
        Excludes("max_steps", ("num_train_epochs",), "it says how long the training is"),
        *(Needs(name, ("eval_every", "resume"), "nothing is evaluated") for name in EVALUATION),
    )

    preset: str | None = Field(
        default=None,
        description=f"Defaults for all other settings: {', '.join(PRESETS)} (as released, or for --init).",
    )
    datasets: tuple[str, ...] = Field(
        default=(),
        description="LeRobot dataset (v3.0): a folder, or KEY=FOLDER for its own action ranges; may be repeated.",
    )
    allow_test_placements: bool = Field(
        default=False, description="Allow training on placements used for evaluation; every title says so."
    )
    frames: str | None = Field(
        default=None, description="Cache folder for preprocessed images, which trainings may share; default: in --out."
    )
    eval_tasks: tuple[str, ...] = Field(
        default=(), description="Task for --eval-every, on held-out placements; may be repeated."
    )
    eval_episodes: int = Field(default=8, ge=1, description="Episodes per task in an evaluation.")
    report_to: Literal["none", "wandb", "trackio"] = Field(
        default="none", description="Tracker for losses and evaluations: none (default), wandb or trackio."
    )

    def settled(self) -> TrainOptions:
        """With the values of the preset where nothing else is said. Raises UserError for an unknown preset, or no datasets."""
        if not self.datasets:
            raise UserError("Give --dataset FOLDER: a LeRobot dataset, as `simpler-eval record` makes it.")
        if self.eval_every is not None and not self.eval_tasks:
            raise UserError("--eval-every needs --eval-task, such as widowx_carrot_on_plate.")
        settled = self.model_copy(
            update={name: value for name, value in self._preset().items() if name not in self.model_fields_set}
        )
        if settled.batch_size % settled.gpus:
            raise UserError(
                f"--gpus {settled.gpus} cannot share a --batch-size of {settled.batch_size} equally; choose a multiple of it."
            )
        return settled

    def _preset(self) -> Mapping[str, object]:
        if self.preset is None:
            return {}
        if self.preset not in PRESETS:
            raise UserError(f'--preset "{self.preset}" is unknown.{did_you_mean(self.preset, PRESETS)}')
        preset = dict(PRESETS[self.preset])
        if "max_steps" in self.model_fields_set:
            preset.pop("num_train_epochs", None)
        return preset

    @property
    def settings(self) -> Settings:
        """Those of the model alone."""
        return Settings(**{name: getattr(self, name) for name in Settings.model_fields})

    @property
    def policy(self) -> str:
        """Which policy is trained."""
        return "tracevla_phi3" if self.tracevla else "openvla_phi3"
