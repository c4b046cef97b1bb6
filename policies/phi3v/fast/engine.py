"""Action tokens of a batch by the fast path.

Letters: B sequences, T tokens, H width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from policies.phi3v.clock import Clock
from policies.phi3v.device import attention_kernels
from policies.phi3v.fast.decoder import Cache, Decoder
from policies.phi3v.fast.graphs import Function, Graphs
from policies.phi3v.fast.memory import CHUNK_TOKENS, CROPS_AT_ONCE, bucket, places
from policies.phi3v.fast.operations import Operations
from policies.phi3v.fast.tower import CELLS_A_CROP, Tower, image_layout
from policies.phi3v.generation import ACTION_TOKENS, Generated, margin_of
from policies.phi3v.image_processor import ImageBatch, normalised
from policies.phi3v.inference import Rule
from policies.phi3v.model import Phi3V
from policies.phi3v.processor import Sequences
from policies.phi3v.tokenizer import PAD

Ints = NDArray[np.int64]
Prompts = tuple[Sequence[Ints], Sequence[Ints]]
"""Token ids, negative where an image token belongs, and where the image tokens are found among all cells and marks."""
STEP, GRAPH_STEP, FIXED_STEP = 8, 32, 64
"""Prompts are filled up to a multiple of so many tokens: where they are read as they come; where a graph is replayed; and, for
their text alone, where shapes are fixed."""
GRAPHED_TOKENS = 4096
"""A batch of no more tokens is read by a graph: launching its kernels one by one would take longer than they do."""

GRAPHED_CROPS = 16
"""No more crops than these are seen by a graph, for the same reason."""


class FastModel:
    """The fast path over a loaded model. ``notes`` says what of it is not as it should be."""

    def __init__(
        self,
        model: Phi3V,
        action_ids: range,
        rule: Rule,
        batch: int = 32,
        fixed: bool = False,
        operations: Operations | None = None,
    ) -> None:
        """Lay out a model.

        Args:
            model: whose weights are used.
            action_ids: the ids that are actions.
            rule: which ids may be chosen.
            batch: most sequences at a time.
            fixed: always ``batch`` sequences, and lengths that depend on the own prompt alone.
            operations: what is used between the products; default: Triton on a GPU where it works, else PyTorch.
        """
        self.notes: list[str] = []
        self.clock = Clock(model.device)
        self.model = model
        self.action_ids = action_ids
        self.rule = rule
        self.batch = batch
        self.fixed = fixed
        self.operations = operations or self._operations()
        self.decoder = Decoder(model.language, self.operations)
        self.tower = Tower(model, self.operations)
        self.graphs = Graphs() if model.device.type == "cuda" else None
        self._memory = torch.empty(0)
        self._marks: Tensor | None = None
        self._head: Tensor = model.language.lm_head.weight
        self._embedding: Tensor = model.language.model.embed_tokens.weight

    def _operations(self) -> Operations:
        if self.model.device.type != "cuda":
            return Operations()
        try:
            from policies.phi3v.fast.kernels import Kernels, check_kernels

            with torch.cuda.device(self.model.device):
                check_kernels(self.model.device, self.model.dtype)
            return Kernels()
        except Exception as error:  # no Triton, no compiler, a card that it does not know, other numbers
            self.notes.append(f"without Triton kernels ({type(error).__name__}: {' '.join(str(error).split())[:120]})")
            return Operations()

    def free(self) -> None:
        """Give back the cache and the graphs."""
        if self.graphs is not None:
            self.graphs.clear()
        self._memory = torch.empty(0)

    # ---- a batch -------------------------------------------------------------------------------------------------

    def generate(self, sequences: Sequences, keep_logits: bool = False) -> Generated:
        """As :func:`policies.phi3v.generation.generate`; logits are returned only if they are asked for."""
        device = self.model.device
        with torch.inference_mode(), ExitStack() as stack:
            if device.type == "cuda":
                stack.enter_context(torch.cuda.device(device))
            stack.enter_context(attention_kernels(device))
            return self._generate(sequences, keep_logits)

    def _generate(self, sequences: Sequences, keep_logits: bool) -> Generated:
        self.clock.drop()
        prompts = (sequences.ids, _sources(sequences))
        self.clock.mark("begin")
        cells = self._cells(sequences.images)
        self.clock.mark("clip")
        parts: list[tuple[list[int], tuple[Tensor, ...]]] = []
        for rows, padded in self._groups(sequences.ids):
            parts.append((rows, self._batch(prompts, rows, padded, cells)))
        total = len(sequences.ids)
        ids = torch.zeros(total, ACTION_TOKENS, dtype=torch.int64)
        margins = torch.zeros(total, ACTION_TOKENS)
        logits = torch.zeros(total, ACTION_TOKENS, len(self._head)) if keep_logits else None
        outside = 0
        for rows, (made, margin, strange, states) in parts:
            ids[rows], margins[rows] = made[: len(rows)].cpu(), margin[: len(rows)].cpu()
            outside += int(strange[: len(rows)].sum())
            if logits is not None:
                logits[rows] = F.linear(states[: len(rows)], self._head).float().cpu()
        self.clock.collect()
        return Generated(ids, logits, margins, outside)

    def _groups(self, sequences: Sequence[Ints]) -> Iterator[tuple[list[int], int]]:
        """(sequences that are worked on at once, tokens that they are filled up to). Like lengths come together."""
        order = sorted(range(len(sequences)), key=lambda row: (self._padded(sequences[row]), row))
        begin = 0
        while begin < len(order):
            rows = order[begin : begin + self.batch]
            if self.fixed:  # no sequence may change the length of another
                padded = self._padded(sequences[rows[0]])
                rows = [row for row in rows if self._padded(sequences[row]) == padded]
            yield rows, max(self._padded(sequences[row]) for row in rows)
            begin += len(rows)

    def _padded(self, sequence: Ints) -> int:
        if not self.fixed:
            return _round_up(len(sequence), STEP)
        seen = int((sequence < 0).sum())
        return _round_up(seen + _round_up(len(sequence) - seen, FIXED_STEP), STEP)

    def _batch(self, prompts: Prompts, rows: Sequence[int], padded: int, cells: Tensor | None) -> tuple[Tensor, ...]:
        """(ids, margins, outside, states) of at least ``len(rows)`` sequences, those of ``rows`` first."""
        count = self.batch if self.fixed else bucket(len(rows))
        filled = [*rows, *[rows[0]] * (count - len(rows))]
        longest = max(len(prompts[0][row]) for row in rows)
        cache = self._cache(count, places(padded + ACTION_TOKENS))
        at_once = _divisor(count, CHUNK_TOKENS // padded) if self.fixed else _share(len(rows), CHUNK_TOKENS // padded)
        graphed = self.graphs is not None and count * padded <= GRAPHED_TOKENS and longest + ACTION_TOKENS <= self._short
        if graphed and not self.fixed:
            padded, at_once = min(_round_up(padded, GRAPH_STEP), cache.keys.shape[2]), count
        wanted = count if self.fixed or graphed else len(rows)
        states = self._embedding.new_zeros(count, self._embedding.shape[1])
        lengths = self._put(torch.tensor([len(prompts[0][row]) for row in filled]))
        for begin in range(0, wanted, at_once):
            end = min(begin + at_once, wanted)
            part = cache.rows(begin, end)
            table = self.decoder.table(longest)

            def read(x: Tensor, n: Tensor, table: Tensor = table, part: Cache = part) -> tuple[Tensor, ...]:
                return (self.decoder.prefill(x, n, table, part),)

            embeddings = self._embed(prompts, filled[begin:end], padded, cells)
            key = ("read", begin, *embeddings.shape[:2], *cache.keys.shape[1:3])
            states[begin:end] = self._run(key if graphed else None, read, embeddings, lengths[begin:end])[0]

        self.clock.mark("prefill")

        def write(states: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
            return self._choose_all(states, lengths, longest, cache)

        fits = self.graphs is not None and longest + ACTION_TOKENS <= self._short
        made = self._run(("write", *cache.keys.shape[1:3]) if fits else None, write, states, lengths)
        made = tuple(each.clone() for each in made)
        self.clock.mark("decode")
        return made

    @property
    def _short(self) -> int:
        return self.model.config.short_context

    def _run(self, key: tuple[Any, ...] | None, function: Function, *inputs: Tensor) -> tuple[Tensor, ...]:
        if key is None or self.graphs is None:
            return function(*inputs)
        try:
            return self.graphs.call(key, function, *inputs)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:
            self.graphs = None
            self.notes.append(f"without CUDA graphs ({' '.join(str(error).split())[:120]})")
            return function(*inputs)

    def _cache(self, count: int, size: int) -> Cache:
        """A cache in the memory of the last one, if that is large enough: graphs hold its address."""
        decoder = self.decoder
        shape = (2, len(decoder.layers), count, size, decoder.shared, decoder.width)
        needed = int(np.prod(shape))
        if self._memory.numel() < needed:
            self.free()
            self._memory = torch.zeros(needed, dtype=self.model.dtype, device=self.model.device)
        keys, values = self._memory[:needed].view(shape)
        return Cache(keys, values)

    # ---- prompts -------------------------------------------------------------------------------------------------

    def _cells(self, images: ImageBatch | None) -> Tensor | None:
        """(N * 144 + 2, H) cells of all distinct crops, and the two marks."""
        if images is None:
            return None
        size = self.batch if self.fixed else CROPS_AT_ONCE
        if self._marks is None:
            self._marks = self.tower.marks()
        parts = []
        for begin in range(0, len(images.views), size):
            views = images.views[begin : begin + size]
            some = len(views)
            graphed = self.graphs is not None and some <= GRAPHED_CROPS
            filled = size if self.fixed else bucket(some) if graphed else some
            if some < filled:
                views = torch.cat([views, views[:1].expand(filled - some, *views.shape[1:])])
            crops = normalised(self._put(views), images.settings)
            made = self._run(("see", filled) if graphed else None, self._see, crops)[0]
            parts.append(
                made.unflatten(0, (filled, -1))[:some].flatten(0, 1).clone() if graphed else made[: some * CELLS_A_CROP]
            )
        return torch.cat([*parts, self._marks])

    def _see(self, crops: Tensor) -> tuple[Tensor, ...]:
        return (self.tower.cells(crops),)

    def _embed(self, prompts: Prompts, rows: Sequence[int], padded: int, cells: Tensor | None) -> Tensor:
        """(B, T, H) embeddings of these prompts, padding behind them."""
        ids = np.full((len(rows), padded), PAD, dtype=np.int64)
        for place, row in enumerate(rows):
            ids[place, : len(prompts[0][row])] = prompts[0][row]
        embeddings = F.embedding(self._put(torch.from_numpy(np.maximum(ids, 0))), self._embedding)
        if cells is not None:
            places_ = self._put(torch.from_numpy(np.flatnonzero(ids < 0)))
            sources = self._put(torch.from_numpy(np.concatenate([prompts[1][row] for row in rows])))
            embeddings.view(-1, embeddings.shape[-1]).index_copy_(0, places_, cells.index_select(0, sources))
        return embeddings

    def _put(self, tensor: Tensor) -> Tensor:
        """Onto the device, without waiting for it."""
        if self.model.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.model.device, non_blocking=True)

    # ---- tokens --------------------------------------------------------------------------------------------------

    def _choose_all(self, states: Tensor, lengths: Tensor, longest: int, cache: Cache) -> tuple[Tensor, ...]:
        """The seven tokens after prompts that were read.

        Args:
            states: (B, H) at the last token of each.
            lengths: (B,).
            longest: the largest of them.
            cache: of the B sequences.

        Returns:
            (B, 7) ids; (B, 7) margins; (B, 7) whether the likeliest id of all is no action; (B, 7, H) states.
        """
        kept, ids, margins = [states], [], []
        for number in range(ACTION_TOKENS):
            best, margin = self._choose(kept[-1])
            ids.append(best)
            margins.append(margin)
            if number + 1 < ACTION_TOKENS:
                table = self.decoder.table(longest + number + 1)
                kept.append(self.decoder.step(F.embedding(best, self._embedding), lengths + number, table, cache))
        all_states = torch.stack(kept, dim=1)
        likeliest = F.linear(all_states, self._head).argmax(-1)
        outside = (likeliest < self.action_ids.start) | (likeliest >= self.action_ids.stop)
        return torch.stack(ids, dim=1), torch.stack(margins, dim=1), outside, all_states

    def _choose(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """(B, H) -> (B,) ids and (B,) margins."""
        start, stop = (0, len(self._head)) if self.rule == "full" else (self.action_ids.start, self.action_ids.stop)
        scores = F.linear(states, self._head[start:stop]).float()
        best = scores.argmax(-1)
        return best + start, margin_of(scores, best)


def _sources(sequences: Sequences) -> list[Ints]:
    """Of every sequence, where its image tokens are found among all cells and marks."""
    images, sources, first = sequences.images, [], 0
    for ids in sequences.ids:
        layouts = [np.zeros(0, dtype=np.int64)]
        if images is not None:
            rows, last = images.crop_rows.numpy(), first + max(0, -int(ids.min()))
            layouts += [image_layout(rows[i], images.image_sizes[i], len(images.views)) for i in range(first, last)]
            first = last
        sources.append(np.concatenate(layouts))
    return sources


def _round_up(number: int, step: int) -> int:
    return -(-number // step) * step


def _divisor(number: int, most: int) -> int:
    """The largest divisor that is no more than ``most``; at least 1."""
    return max(size for size in range(1, number + 1) if number % size == 0 and (size <= most or size == 1))


def _share(number: int, most: int) -> int:
    """The size of equal parts, none of them larger than ``most``; at least 1."""
    parts = -(-number // max(most, 1))
    return -(-number // parts)
