"""A loaded checkpoint that predicts actions from prompts and images."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from eval.errors import UserError
from policies.base import PolicyDescription, RobotName
from policies.phi3v.actions import action_ids, decode
from policies.phi3v.checkpoint import content_hash, find_checkpoint
from policies.phi3v.clock import Clock
from policies.phi3v.config import read_config
from policies.phi3v.device import (
    attention_kernels,
    check_memory,
    choose_device,
    choose_dtype,
    device_name,
    explain_out_of_memory,
    free_memory,
    in_batches_that_fit,
    known_name,
    say,
    threads_for,
)
from policies.phi3v.fast.engine import FastModel
from policies.phi3v.fast.memory import BUCKETS, fitting_batch
from policies.phi3v.generation import ACTION_TOKENS, Generated, generate, together
from policies.phi3v.image_processor import USUAL
from policies.phi3v.inference import Inference, check_rule, choose_inference
from policies.phi3v.leftovers import check_leftovers
from policies.phi3v.margins import Margins
from policies.phi3v.preprocessor import read_image_settings
from policies.phi3v.processor import Prompt, make_inputs, make_sequences
from policies.phi3v.provenance import training_remarks
from policies.phi3v.statistics import STATISTICS, parse_unnorm_key, read_ranges
from policies.phi3v.tokenizer import FILE, PromptTokenizer
from policies.phi3v.weights import load_model, stored_parameters, weight_files

SHORTEST_TEXT = 100
"""Tokens that must be left for the text of a prompt."""
MOST_BATCH = BUCKETS[-1]


@dataclass(frozen=True)
class Prediction:
    """What the model predicts for one question."""

    ids: NDArray[np.int64]
    """(7,) token ids."""
    values: NDArray[np.float64]
    """(7,) translation [m], roll pitch yaw [rad], gripper 0 closed .. 1 open."""


class VLA:
    """Checkpoint, tokenizer, ranges and model. Options are texts as a user writes them."""

    def __init__(
        self,
        checkpoint: str,
        device: str = "auto",
        dtype: str = "auto",
        generation: str = "restricted",
        unnorm_key: str | None = None,
        num_crops: str | int | None = None,
        images: int = 1,
        inference: str = "auto",
        deterministic: str | bool = False,
        batch: str | int | None = None,
    ) -> None:
        """Load a checkpoint. Arguments and errors: as of :class:`policies.phi3v.policy.Phi3VPolicy`.

        ``images``: how many a prompt has.
        """
        parse_unnorm_key(unnorm_key)  # before anything slow
        self.rule = check_rule(generation)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device)
        self.inference: Inference = choose_inference(inference, deterministic, batch, self.device)
        self.checkpoint = checkpoint
        folder = find_checkpoint(checkpoint)
        self.config = read_config(folder)
        files = weight_files(folder)
        self.ranges = read_ranges(folder, unnorm_key)
        self.image_settings = read_image_settings(folder, num_crops)
        self.tokenizer = PromptTokenizer(folder)
        self.action_ids = action_ids(self.tokenizer.vocab_size)
        if self.tokenizer.highest_id >= self.config.text["vocab_size"]:
            raise UserError(f"{folder}: {FILE} has more ids than the model (vocab_size in config.json).")
        self.unused = check_leftovers(folder, self.tokenizer)
        self._training = training_remarks(folder)
        self.limit = self.config.short_context - ACTION_TOKENS  # beyond, one long sequence would change all others of a batch
        if images * self.image_settings.most_tokens + SHORTEST_TEXT > self.limit:
            raise UserError(
                f"{folder}: {images} image(s) of {self.image_settings.num_crops} crops are "
                f"{images * self.image_settings.most_tokens} tokens, but the model takes at most {self.limit}."
            )
        self.size = stored_parameters(files)
        check_memory(self.device, self.size * self.dtype.itemsize)
        with explain_out_of_memory(self.device):
            self.model = load_model(folder, self.config, self.device, self.dtype)
        parts = [folder / name for name in ("config.json", FILE, STATISTICS) if (folder / name).is_file()]
        self.hash = content_hash([*parts, *files])
        self.margins = Margins(self.dtype)
        self.tokens = 0
        self.outside = 0
        self.batch = self.inference.batch or self._fitting_batch(images)
        self.fast: FastModel | None = None
        self.clock = Clock(self.device)
        if self.inference.fast:
            self.fast = FastModel(self.model, self.action_ids, self.rule, self.batch, self.inference.deterministic)
            self.clock = self.fast.clock
        self._said: list[str] = []
        self._say_notes()
        if self.device.type == "cuda":
            most = "always" if self.inference.deterministic else "at most"
            say(f"inference {self.inference.name} on {known_name(self.device)}, {most} {_observations(self.batch)} a batch")

    def _fitting_batch(self, images: int) -> int:
        if self.device.type != "cuda":
            return MOST_BATCH
        tokens = images * self.image_settings.most_tokens + SHORTEST_TEXT
        return fitting_batch(self.config, tokens, self.dtype.itemsize, free_memory(self.device))

    def predict(self, prompts: Sequence[Prompt], robots: Sequence[RobotName]) -> list[Prediction]:
        """One prediction a prompt, whatever robots and prompts are mixed."""
        with threads_for(self.size, self.device):
            made = in_batches_that_fit(lambda: self._generate(prompts), self._smaller_batch, self.device)
        self._say_notes()
        self.margins.add(made.margins)
        self.tokens += made.ids.numel()
        self.outside += made.outside
        ids = made.ids.numpy()
        values = decode(ids, self.tokenizer.vocab_size)
        return [
            Prediction(each, self.ranges.ranges[robot].unnormalise(value))
            for each, value, robot in zip(ids, values, robots, strict=True)
        ]

    def _generate(self, prompts: Sequence[Prompt]) -> Generated:
        if self.fast is not None:
            with self.clock.host("prompts"):
                sequences = make_sequences(self.tokenizer, prompts, self.image_settings, self.limit)
            return self.fast.generate(sequences)
        parts = [prompts[begin : begin + self.batch] for begin in range(0, len(prompts), self.batch)]
        with self.clock.host("model"):
            return together([self.generate_eagerly(part) for part in parts])

    def generate_eagerly(self, prompts: Sequence[Prompt]) -> Generated:
        """By the reference path, all at once."""
        inputs = make_inputs(self.tokenizer, prompts, self.image_settings, self.limit)
        with attention_kernels(self.device):
            return generate(self.model, inputs, self.action_ids, self.rule)

    def _smaller_batch(self) -> bool:
        """Halve the batch after an out of memory; False if that is not possible."""
        if self.fast is not None:
            self.fast.free()
        if self.batch == 1 or self.inference.deterministic:
            return False
        self.batch //= 2
        if self.fast is not None:
            self.fast.batch = self.batch
        say(f"out of memory on {self.device}: from here on at most {_observations(self.batch)} a batch")
        return True

    def _say_notes(self) -> None:
        """One line for what of the fast path is not as it should be, once."""
        for note in self.fast.notes if self.fast is not None else ():
            if note not in self._said:
                self._said.append(note)
                say(f"fast inference {note}")

    def describe(self, policy: str) -> PolicyDescription:
        """What the run record carries about the model; ``policy`` is the name of the policy that uses it."""
        details: dict[str, JsonValue] = {
            "checkpoint": self.checkpoint,
            "device": device_name(self.device),
            "num_crops": self.image_settings.num_crops,
            "tokens": self.tokens,
            "tokens_whose_likeliest_id_is_no_action": self.outside,
            "batch": self.batch,
            **self.margins.details(),
            "timings": {part: round(seconds, 3) for part, seconds in self.clock.seconds.items()},
        }
        if self.fast is not None:
            details["fast"] = {
                "operations": self.fast.operations.name,
                "cuda_graphs": self.fast.graphs is not None,
                "notes": list(self.fast.notes),
            }
        if self.device.type == "cuda":
            details["gpu_peak_gib"] = round(torch.cuda.max_memory_allocated(self.device) / 2**30, 2)
        return PolicyDescription(
            name=policy,
            weights=self.hash,
            dtype=str(self.dtype).removeprefix("torch."),
            generation=self.rule,
            inference=self.inference.name,
            unnorm_keys={str(robot): key for robot, key in self.ranges.keys.items()},
            settings=self._settings(),
            details=details,
        )

    @property
    def remarks(self) -> list[str]:
        """What about the checkpoint a reader of a table does not expect."""
        settings = self.image_settings
        remarks = [f"{settings.num_crops} crops an image"] if settings.num_crops != USUAL.num_crops else []
        if (settings.mean, settings.std) != (USUAL.mean, USUAL.std):
            remarks.append("images normalised as the checkpoint says")
        unused = [f"not used of the checkpoint: {', '.join(self.unused)}"] if self.unused else []
        return [*self._training, *self.ranges.remarks, *remarks, *unused]

    def _settings(self) -> dict[str, JsonValue]:
        """What of the image settings is not the usual: files beside the weights decide it, which their hash leaves out."""
        settings = self.image_settings
        changed: dict[str, JsonValue] = {}
        if self.inference.deterministic:
            changed["deterministic_batch"] = self.batch
        if settings.num_crops != USUAL.num_crops:
            changed["num_crops"] = settings.num_crops
        if (settings.mean, settings.std) != (USUAL.mean, USUAL.std):
            changed |= {"image_mean": list(settings.mean), "image_std": list(settings.std)}
        return changed

    def close(self) -> None:
        """Free the model."""
        if self.fast is not None:
            self.fast.free()
        self.fast = None
        del self.model
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def _observations(number: int) -> str:
    return "1 observation" if number == 1 else f"{number} observations"
