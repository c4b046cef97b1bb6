"""The training itself: batches in, checkpoints out."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from eval.errors import UserError
from policies.phi3v.actions import action_ids
from policies.phi3v.checkpoint import content_hash, find_checkpoint
from policies.phi3v.config import read_config
from policies.phi3v.device import attention_kernels, explain_out_of_memory
from policies.phi3v.generation import ACTION_TOKENS
from policies.phi3v.leftovers import check_leftovers
from policies.phi3v.preprocessor import read_image_settings
from policies.phi3v.tokenizer import PromptTokenizer
from policies.phi3v.training.adapters import merged_state
from policies.phi3v.training.batches import Batch, ahead, changed, to_change
from policies.phi3v.training.building import make_model
from policies.phi3v.training.data import prepare_data
from policies.phi3v.training.files import disk_errors, tidy
from policies.phi3v.training.fusion import fuse_blocks
from policies.phi3v.training.group import Group
from policies.phi3v.training.loss import Measured, TargetLogits, measure
from policies.phi3v.training.optimisation import learning_rate, make_optimizer, shorten_gradients
from policies.phi3v.training.recipe import Recipe
from policies.phi3v.training.saving import save_checkpoint
from policies.phi3v.training.scratch import write_surroundings
from policies.phi3v.training.state import Progress, differing, load_state, read_progress, save_state, state_tensors
from policies.phi3v.training.window import Window
from policies.phi3v.weights import weight_files
from policies.training import BASE, Job, Monitor, Settings, Trained

MEASURED = 512
"""Held-out samples that are measured, spread over all of them."""
MEMORY = (
    "Give a smaller --per-device-batch-size, --gradient-checkpointing, --lora-rank, --gpus, or a GPU that nothing else uses; "
    "what was saved before is whole."
)
FREE = ("stop_after", "device", "gpus", "save_steps", "log_steps", "eval_every", "checkpoint")
"""Settings that change nothing of what comes out, so that a training may go on with others."""


def train(job: Job, monitor: Monitor, recipe: Recipe) -> Trained:
    """Train a policy, or go on with it.

    Raises:
        UserError: something that was given cannot be used, the disk refuses, memory is too small, or the loss is no longer a
            number.
        StoppedEarly: it was to stop before its first step.
    """
    with explain_out_of_memory(job.settings.device, MEMORY):
        training = Training(job, monitor, recipe)
        with attention_kernels(training.device):
            trained = training.run()
    training.group.close()
    return trained


class Training:
    """A training that has been set up: model, samples and optimizer, at the step where it is."""

    def __init__(self, job: Job, monitor: Monitor, recipe: Recipe) -> None:
        self._began = time.monotonic()
        self.job, self._monitor, self._recipe = job, monitor, recipe
        settings = self.settings = job.settings
        self.group = Group(job.place, settings.device)
        self.device = self.group.device
        with self.group.first_alone():
            self.base = self._base()
        self.config = read_config(self.base)
        self._hash = "" if settings.init else content_hash(weight_files(self.base))
        tokenizer = PromptTokenizer(self.base)
        check_leftovers(self.base, tokenizer)
        self.actions = action_ids(tokenizer.vocab_size)
        self._images = read_image_settings(self.base, 1)
        if job.resume and not self.group.rank:
            tidy(job.out)
        before = read_progress(job.out) if job.resume else None
        if before is not None:
            self._check(before)
        limit = self.config.short_context - ACTION_TOKENS - 1
        with self.group.first_alone():
            data = prepare_data(
                job, recipe, self.base, tokenizer, self._images, limit, self.device, self._stopping, monitor.say
            )
        self.samples, self._held_out, self._statistics = data.train, data.held_out, data.statistics
        self.steps = settings.max_steps or math.ceil(settings.num_train_epochs * len(self.samples) / settings.batch_size)
        self.model = make_model(settings, self.base, self.config, self.device, self.group.count == 1)
        self.network = TargetLogits(self.model)
        self.fused = self.group.count == 1 and fuse_blocks(self.model)
        self.group.divide(self.network, self.model)
        self.trainable = {name: each for name, each in self.model.named_parameters() if each.requires_grad}
        if not self.trainable:
            raise UserError("Nothing is left to train; leave out --freeze-vision-model.")
        self._optimizer = make_optimizer(self.trainable, settings)
        self.step = 0
        self._saved = -1
        if before is not None:
            load_state(job.out, before, self.trainable, self._optimizer)
            self.step = self._saved = before.step

    # ---- setting up ----------------------------------------------------------------------------------------------

    def _base(self) -> Path:
        """The folder of what is begun with; of a model from scratch, one without weights."""
        settings = self.settings
        if settings.init is None:
            if settings.checkpoint is None:
                raise UserError("Give --checkpoint (what is fine-tuned) or --init small (from scratch).")
            return find_checkpoint(settings.checkpoint)
        folder = self.job.out / BASE
        if not self.group.rank:
            with disk_errors(folder):
                write_surroundings(folder, settings.init)
        return folder

    def _check(self, before: Progress) -> None:
        changed = differing(before.settings, _deciding(self.settings))
        if changed:
            names = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
            raise UserError(
                f"{self.job.out} was begun with another {names}; leave it as it was, or begin anew with another --out."
            )
        if before.base != self._hash:
            raise UserError(f"{self.base} is not the checkpoint that {self.job.out} began with; begin anew with another --out.")
        if before.data != tuple(each.fingerprint for each in self.job.demonstrations):
            raise UserError(
                f"The datasets are not those that {self.job.out} began with; to go on with other data, begin anew with "
                "--checkpoint and the newest checkpoint there."
            )

    # ---- the loop ------------------------------------------------------------------------------------------------

    def run(self) -> Trained:
        """Train until the last step, or until it is told to stop."""
        settings = self.settings
        count = sum(parameter.numel() for parameter in self.trainable.values())
        compiled = ", blocks compiled" if self.fused else ""
        self._monitor.say(
            f"{self._recipe.policy}: {count / 1e6:.1f} million parameters on {self.group.name}{compiled}, samples: "
            f"{len(self.samples)} and {len(self._held_out)} held out, {settings.batch_size} a step, "
            f"steps {self.step} to {self.steps}"
        )
        self._monitor.begun(self.step)
        stopping = self._catch_up()
        first, parts = self.step, len(self._places(self.step))

        def batch(number: int) -> Batch:
            begin, end = self._places(first + number // parts)[number % parts]
            made = to_change(self.samples.batch(begin, end), begin, settings)
            return made.pinned() if self.device.type == "cuda" else made

        batches = ahead(batch, range((self.steps - first) * parts))
        window = Window(settings.batch_size, self.group.total)
        while self.step < self.steps and not stopping:
            self._advance(batches, window)
            self.step += 1
            last = self.step == self.steps
            stopping = not last and self.group.first_says(self._stopping())
            evaluating = self._evaluates()
            saving = last or stopping or evaluating or self.step % settings.save_steps == 0
            if saving or self.step % settings.log_steps == 0:
                self._log(self._finite(window.taken()))
            if saving:
                self._save()
            if evaluating and not stopping:
                stopping = self._evaluated()
            if saving:
                window.begin()
        if self.group.first_says(self._saved != self.step or not self._checkpoint.is_dir()):
            self._save()
        return Trained(self._recipe.policy, self._checkpoint, self.step, self.step == self.steps)

    def _evaluates(self) -> bool:
        """Whether what comes out of the present step is to be evaluated."""
        every = self.settings.eval_every
        return every is not None and (self.step == self.steps or self.step % every == 0)

    def _evaluated(self) -> bool:
        """Evaluates what was saved; whether to stop now, where the next call sees that it is not done."""
        self._log(self._monitor.evaluate(self.step, self._checkpoint))
        return self.group.first_says(self._stopping())

    def _catch_up(self) -> bool:
        """The same with what was saved last, if the training ended before that."""
        if not self.step or not self._evaluates() or not self.group.first_says(self._monitor.lacks_evaluation(self.step)):
            return False
        if self.group.first_says(not self._checkpoint.is_dir()):
            self._save()
        return self._evaluated()

    def _places(self, step: int) -> list[tuple[int, int]]:
        """(begin, end) in the order of samples of each part of this process's share of a step."""
        share = self.settings.batch_size // self.group.count
        begin = step * self.settings.batch_size + self.group.rank * share
        end = begin + share
        size = self.settings.per_device_batch_size or share
        return [(at, min(at + size, end)) for at in range(begin, end, size)]

    def _advance(self, batches: Iterator[Batch], window: Window) -> None:
        """One step of the optimizer."""
        rate = learning_rate(self.step, self.steps, self.settings)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self._optimizer.zero_grad(set_to_none=True)
        for begin, end in self._places(self.step):
            with window.waiting():
                batch = next(batches)
            batch = changed(batch, self.device)
            if self.settings.lora_dropout:
                torch.manual_seed((self.settings.seed << 32) + begin)
            measured = self.measured(batch)
            share = (end - begin) / self.settings.batch_size
            (measured.loss * share * self.group.count).backward()  # of what the processes have, the mean is taken
            window.add(measured, share)
        window.close(shorten_gradients(self.trainable.values(), self.settings.max_grad_norm), rate)
        self._optimizer.step()

    def _finite(self, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Nothing is saved of a training that went wrong; a GPU is not waited for at each step to know."""
        if not all(map(math.isfinite, metrics.values())):
            what = "Some gradients" if not math.isfinite(metrics.get("gradient_norm", 0.0)) else "Some losses"
            raise UserError(
                f"{what} up to step {self.step} are not finite; go on from what was saved before with a lower "
                "--learning-rate, in another --out."
            )
        return metrics

    def measured(self, batch: Batch) -> Measured:
        """Loss and accuracy of a batch, with gradients."""
        with self._precision():
            return measure(self.network, batch, self.settings.loss, self.actions)

    def _precision(self) -> AbstractContextManager[None]:
        """bfloat16 where it is not the weights that are touched, on a GPU."""
        if self.device.type != "cuda":
            return nullcontext()
        return cast(AbstractContextManager[None], torch.autocast("cuda", torch.bfloat16))

    def _stopping(self) -> bool:
        limit = self.settings.stop_after
        late = limit is not None and time.monotonic() - self._began > 60 * limit
        return late or self._monitor.stopping()

    # ---- what is left of it --------------------------------------------------------------------------------------

    def _log(self, metrics: Mapping[str, float]) -> None:
        if metrics:
            self._monitor.log(self.step, self.steps, metrics)

    def _held_out_metrics(self) -> dict[str, float]:
        """Of samples that were not trained on, spread over all of them; nothing if there are none."""
        count = min(MEASURED, len(self._held_out))
        if not count:
            return {}
        chosen = np.linspace(0, len(self._held_out) - 1, count).astype(np.int64)
        size = self.settings.per_device_batch_size or self.settings.batch_size // self.group.count
        totals = torch.zeros(3, dtype=torch.float64)
        self.model.eval()
        with torch.no_grad():
            for begin in range(0, count, size * self.group.count):
                mine = begin + size * self.group.rank
                part = chosen[mine : mine + size]
                used = part if len(part) else chosen[:1]  # where another process has the rest, this one takes part all the same
                made = self.measured(self._held_out.plain_batch(used))
                totals += len(part) * torch.tensor([float(each) for each in (made.loss, made.accuracy, made.l1)])
        self.model.train()
        names = ("held_out_loss", "held_out_token_accuracy", "held_out_l1")
        return dict(zip(names, (self.group.total(totals) / count).tolist(), strict=True))

    @property
    def _checkpoint(self) -> Path:
        return self.job.out / f"checkpoint-{self.step}"

    def _save(self) -> None:
        """A checkpoint for whoever plays it, and the state for going on."""
        held_out = self._finite(self._held_out_metrics())
        self._log(held_out)
        record = {
            **self.job.record,
            "policy": self._recipe.policy,
            "step": self.step,
            "steps": self.steps,
            "complete": self.step == self.steps,
            "samples": len(self.samples),
            "settings": self.settings.model_dump(mode="json"),
            "began_with": self._hash or f"--init {self.settings.init}, seed {self.settings.seed}",
            **held_out,
        }
        with torch.no_grad():
            weights = merged_state(self.model, self.group.whole)
        if not self.group.rank:
            save_checkpoint(self._checkpoint, weights, self.base, self._images, self._statistics, record)
        del weights
        data = tuple(each.fingerprint for each in self.job.demonstrations)
        progress = Progress(step=self.step, base=self._hash, data=data, settings=_deciding(self.settings))
        tensors = state_tensors(self.trainable, self._optimizer, self.group.whole)
        if not self.group.rank:
            save_state(self.job.out, progress, tensors)
        self._saved = self.step


def _deciding(settings: Settings) -> dict[str, Any]:
    """The settings that decide what comes out."""
    return settings.model_dump(mode="json", exclude=set(FREE))
