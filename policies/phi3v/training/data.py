"""From datasets to samples: prepared frames, the ranges of their actions, and which episodes are only measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import JsonValue

from eval.errors import UserError
from policies.phi3v.image_processor import ImageSettings
from policies.phi3v.statistics import Range, read_ranges
from policies.phi3v.tokenizer import PromptTokenizer
from policies.phi3v.training.batches import Samples
from policies.phi3v.training.decoding import Decoder
from policies.phi3v.training.frames import Frames, held_out_episodes, of_episodes, prepare_frames
from policies.phi3v.training.kept import KeptImages, memory_to_spare
from policies.phi3v.training.labels import action_statistics, check_spread, pooled, token_ids
from policies.phi3v.training.recipe import Recipe
from policies.training import Demonstrations, Job


@dataclass(frozen=True)
class Data:
    """What is trained on."""

    train: Samples
    held_out: Samples
    """May be empty."""
    statistics: Mapping[str, JsonValue]
    """Content of ``dataset_statistics.json``."""


def prepare_data(
    job: Job,
    recipe: Recipe,
    base: Path,
    tokenizer: PromptTokenizer,
    images: ImageSettings,
    limit: int,
    device: torch.device,
    stopping: Callable[[], bool],
    say: Callable[[str], None],
) -> Data:
    """Samples of all datasets of a job.

    Args:
        job: of the training.
        recipe: of the policy.
        base: folder that the training began with.
        tokenizer: of the checkpoint.
        images: how they are prepared.
        limit: tokens that a prompt may have.
        device: helps to decode images.
        stopping: whether to stop before all is there.
        say: prints a line.

    Raises:
        UserError: a dataset cannot be read, has no traces although they are wanted, or nothing to learn from.
        StoppedEarly: it is to stop.
    """
    settings = job.settings
    kept = KeptImages(Decoder(device), memory_to_spare)
    frames = [prepare_frames(each, job.frames, stopping, say) for each in job.demonstrations]
    spans = _spans(job.demonstrations, frames, base if settings.keep_statistics else None)
    ids = []
    for demonstrations, each in zip(job.demonstrations, frames, strict=True):
        span = spans[demonstrations.key]
        ids.append(token_ids(each.values, span.range, span.constant, tokenizer.vocab_size))
    held = [
        held_out_episodes(len(each.lengths), settings.held_out, settings.seed + place)
        for place, each in enumerate(job.demonstrations)
    ]

    def samples(wanted: bool) -> Samples:
        chosen = of_episodes(frames, held, wanted)
        dropout = settings.trace_dropout
        return Samples(frames, ids, chosen, kept, recipe, tokenizer, images, dropout, limit, settings.seed)

    return Data(samples(False), samples(True), {key: span.entry for key, span in spans.items()})


@dataclass(frozen=True)
class _Span:
    range: Range
    constant: NDArray[np.bool_]
    entry: dict[str, JsonValue]


def _spans(demonstrations: Sequence[Demonstrations], frames: Sequence[Frames], base: Path | None) -> dict[str, _Span]:
    """By key: the range of its actions, from the data or from the checkpoint ``base``."""
    spans = {}
    for key in dict.fromkeys(each.key for each in demonstrations):
        of_key = [place for place, each in enumerate(demonstrations) if each.key == key]
        robots = {demonstrations[place].robot for place in of_key}
        if len(robots) > 1:
            raise UserError(
                f'Datasets of {" and ".join(sorted(robots))} have the same key "{key}"; give each its own, KEY=FOLDER.'
            )
        if base is not None:
            robot = robots.pop()
            span = read_ranges(base, f"{robot}={key}").ranges[robot]
            action: dict[str, JsonValue] = {"q01": span.q01.tolist(), "q99": span.q99.tolist(), "mask": span.mask.tolist()}
            spans[key] = _Span(span, span.q01 == span.q99, {"action": action})
            continue
        values = pooled([frames[place].values for place in of_key])
        entry = action_statistics(values, sum(len(demonstrations[place].lengths) for place in of_key))
        check_spread(key, entry)
        q01, q99 = np.quantile(values, 0.01, axis=0), np.quantile(values, 0.99, axis=0)
        mask = np.array([True] * 6 + [False])
        spans[key] = _Span(Range(q01, q99, mask), values.min(0) == values.max(0), entry)
    return spans
