"""Which samples a step sees, and what the model gets of them. Everything at random follows from the seed and the sample's place
in the order, so a training that goes on sees what it would have seen.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from eval.errors import UserError
from policies.phi3v.device import brought
from policies.phi3v.image_processor import ImageBatch, ImageSettings
from policies.phi3v.processor import Prompt, make_sequences
from policies.phi3v.tokenizer import PAD, PromptTokenizer
from policies.phi3v.training.augmentation import augment, random_numbers, shift
from policies.phi3v.training.frames import PLAIN, TRACED, Frames
from policies.phi3v.training.kept import KeptImages
from policies.phi3v.training.recipe import Recipe
from policies.training import Settings

Ints = NDArray[np.int64]

END = PAD
"""Ends the answer; the id that fills up, too."""
ORDER, DROPPED, AUGMENTED, SHIFTED = 1, 2, 3, 4
"""Streams of random numbers."""


def generator(seed: int, stream: int, number: int) -> np.random.Generator:
    """Random numbers of a purpose that do not depend on any drawn before."""
    return np.random.Generator(np.random.PCG64([seed, stream, number]))


@dataclass(frozen=True)
class Changes:
    """How n images are changed at random."""

    views: Tensor
    """(n,) int64, which view each is made of."""
    numbers: Tensor | None
    """(6, n) by :func:`policies.phi3v.training.augmentation.random_numbers`; None: they are not augmented."""
    shares: Tensor | None
    """(2, n) by which they are shifted."""
    crop_rows: Tensor
    """As those of the images, of what comes out."""


@dataclass(frozen=True)
class Batch:
    """B samples, padded on the right: no token sees what fills up behind it, so attention needs no mask."""

    input_ids: Tensor
    """(B, T) int64, prompt, seven actions and fill; negative: place of an image token."""
    images: ImageBatch
    targets: Tensor
    """(B, 8) int64: seven action ids and the end."""
    at: Tensor
    """(B, 8) int64: the place whose logits are for each target."""
    changes: Changes | None = None
    """Of the images, not yet made; None: they stay as they are."""

    def pinned(self) -> Batch:
        """The same with its images where a GPU fetches them from while other work goes on."""
        return replace(self, images=replace(self.images, views=self.images.views.pin_memory()))


class Samples:
    """All samples that are trained on, or all that are held out.

    Args:
        frames: of every dataset.
        ids: (n, 7) action ids of every dataset.
        chosen: (m, 2) dataset and frame of each sample.
        kept: decoded images, of all that are made of the same frames.
        recipe: of the policy.
        tokenizer: of the checkpoint.
        settings: how images are prepared.
        trace_dropout: share of the traces that are left out.
        limit: tokens that a prompt may have.
        seed: of order and dropout.
    """

    def __init__(
        self,
        frames: Sequence[Frames],
        ids: Sequence[Ints],
        chosen: Ints,
        kept: KeptImages,
        recipe: Recipe,
        tokenizer: PromptTokenizer,
        settings: ImageSettings,
        trace_dropout: float,
        limit: int,
        seed: int,
    ) -> None:
        self._frames, self._ids, self._chosen, self._kept, self._recipe = frames, ids, chosen, kept, recipe
        self._tokenizer, self._settings, self._limit = tokenizer, settings, limit
        self._trace_dropout, self._seed = trace_dropout, seed
        self._order: tuple[int, Ints] = (-1, np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self._chosen)

    def order(self, begin: int, end: int) -> Ints:
        """Samples at the places ``begin`` to ``end`` of the endless order, in which each pass is shuffled anew."""
        places = np.arange(begin, end)
        found = np.empty(len(places), np.int64)
        for epoch in np.unique(places // len(self)):
            here = places // len(self) == epoch
            found[here] = self._shuffled(int(epoch))[places[here] % len(self)]
        return found

    def _shuffled(self, epoch: int) -> Ints:
        """All samples in the order of a pass; that of the last one asked for is kept, for whichever thread comes next."""
        kept = self._order
        if kept[0] != epoch:
            kept = self._order = epoch, generator(self._seed, ORDER, epoch).permutation(len(self))
        return kept[1]

    def prompts(self, samples: Sequence[int], dropped: Sequence[bool]) -> list[Prompt]:
        """What the model gets of samples; instructions are in small letters, as in the original's training.

        Args:
            samples: which.
            dropped: of each, whether its trace is left out.
        """
        steps = [(int(which), int(index)) for which, index in self._chosen[list(samples)]]
        traced = [
            self._recipe.images > 1 and not drop and self._frames[which].has(index, TRACED)
            for (which, index), drop in zip(steps, dropped, strict=True)
        ]
        files: dict[Hashable, Callable[[], bytes]] = {}
        for (which, index), with_trace in zip(steps, traced, strict=True):
            for view in (PLAIN, TRACED) if with_trace else (PLAIN,):
                files[which, index, view] = partial(self._frames[which].file, index, view)
        try:
            images = dict(zip(files, self._kept.get(files), strict=True))
        except ValueError as error:  # of the library that reads JPEG
            known = ", ".join(sorted({str(self._frames[which].index) for which, _ in steps}))
            raise UserError(
                f"A prepared image cannot be decoded ({error}); delete {known}, and all images are prepared anew."
            ) from error
        prompts = []
        for (which, index), with_trace in zip(steps, traced, strict=True):
            text = self._frames[which].texts[self._frames[which].text[index]].lower()
            trace = images[which, index, TRACED] if with_trace else None
            prompts.append(self._recipe.prompt(text, images[which, index, PLAIN], trace))
        return prompts

    def batch(self, begin: int, end: int) -> Batch:
        """The samples at these places of the order."""
        samples = self.order(begin, end)
        if self._recipe.images == 1:  # no trace to leave out
            return self.plain_batch(samples)
        dropped = [generator(self._seed, DROPPED, place).random() < self._trace_dropout for place in range(begin, end)]
        return self._made(samples, dropped)

    def plain_batch(self, samples: Ints) -> Batch:
        """These samples, no trace left out."""
        return self._made(samples, [False] * len(samples))

    def _made(self, samples: Ints, dropped: Sequence[bool]) -> Batch:
        prompts = self.prompts(samples.tolist(), dropped)
        made = make_sequences(self._tokenizer, prompts, self._settings, self._limit)
        assert made.images is not None
        targets = np.stack([np.append(self._ids[which][index], END) for which, index in self._chosen[samples]])
        ids, at = pad_right([np.append(ids, row[:-1]) for ids, row in zip(made.ids, targets, strict=True)], targets.shape[1])
        return Batch(ids, made.images, torch.from_numpy(targets), at)


def to_change(batch: Batch, begin: int, settings: Settings) -> Batch:
    """The batch with what its images are to be changed by, each sample's by its place in the order, of which ``begin`` is the
    first."""
    if not settings.image_aug and not settings.image_shift:
        return batch
    rows = batch.images.crop_rows[:, 0].reshape(len(batch.targets), -1).numpy()  # (B, images a sample); one may come twice
    views, numbers, shares, places, count = [], [], [], [], 0
    for place, row in enumerate(rows, begin):
        distinct, which = np.unique(row, return_inverse=True)
        views.append(distinct)
        if settings.image_aug:
            numbers.append(random_numbers(len(distinct), generator(settings.seed, AUGMENTED, place)))
        if settings.image_shift:
            share = settings.image_shift * generator(settings.seed, SHIFTED, place).uniform(-1, 1, (2, 1)).astype(np.float32)
            shares.append(share.repeat(len(distinct), axis=1))
        places.append(which + count)
        count += len(distinct)
    changes = Changes(
        views=torch.from_numpy(np.concatenate(views)),
        numbers=torch.from_numpy(np.concatenate(numbers, axis=1)) if numbers else None,
        shares=torch.from_numpy(np.concatenate(shares, axis=1)) if shares else None,
        crop_rows=torch.from_numpy(np.concatenate(places))[:, None].expand(-1, batch.images.crop_rows.shape[1]),
    )
    return replace(batch, changes=changes)


def changed(batch: Batch, device: torch.device) -> Batch:
    """The batch with its images changed, on the device."""
    changes = batch.changes
    if changes is None:
        return batch
    views = brought(batch.images.views, device)[brought(changes.views, device)]
    if changes.shares is not None:
        views = shift(views, brought(changes.shares, device))
    if changes.numbers is not None:
        views = augment(views, brought(changes.numbers, device))
    return replace(batch, images=replace(batch.images, views=views, crop_rows=changes.crop_rows), changes=None)


def pad_right(sequences: Sequence[Ints], answers: int) -> tuple[Tensor, Tensor]:
    """(B, T) ids, and (B, answers) the places whose logits are for the last ``answers - 1`` of each, and for what follows."""
    lengths = np.array([len(sequence) for sequence in sequences])
    ids = np.full((len(sequences), lengths.max()), PAD)
    for row, sequence in zip(ids, sequences, strict=True):
        row[: len(sequence)] = sequence
    return torch.from_numpy(ids), torch.from_numpy(lengths[:, None] - answers + np.arange(answers))


def ahead(make: Callable[[int], Batch], numbers: Sequence[int]) -> Iterator[Batch]:
    """``make`` of each number, in their order; the next ones while the last one is used. It is called by two threads."""
    with ThreadPoolExecutor(2) as pool:
        waiting: list[Future[Batch]] = []
        for number in numbers:
            waiting.append(pool.submit(make, number))
            if len(waiting) > 2:
                yield waiting.pop(0).result()
        yield from (each.result() for each in waiting)
