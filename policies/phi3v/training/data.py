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
from policies.base import RobotName
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
    robots = _robots(job.demonstrations)
    ranges = _kept_ranges(robots, base) if settings.keep_statistics else {}
    kept = KeptImages(Decoder(device), memory_to_spare)
    frames = [prepare_frames(each, job.frames, stopping, say) for each in job.demonstrations]
    spans = {key: _span_of(key, job.demonstrations, frames, ranges.get(key)) for key in robots}
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


def _robots(demonstrations: Sequence[Demonstrations]) -> dict[str, RobotName]:
    """By key: whose actions are scaled with it. Raises UserError for several robots."""
    robots: dict[str, RobotName] = {}
    for each in demonstrations:
        if (first := robots.setdefault(each.key, each.robot)) != each.robot:
            names = " and ".join(sorted((first, each.robot)))
            raise UserError(f'Datasets of {names} have the same key "{each.key}"; give each its own, KEY=FOLDER.')
    return robots


def _kept_ranges(robots: Mapping[str, RobotName], base: Path) -> dict[str, Range]:
    """By key: the range that the checkpoint has. Raises UserError where it has none."""
    ranges = {}
    for key, robot in robots.items():
        try:
            ranges[key] = read_ranges(base, f"{robot}={key}").ranges[robot]
        except UserError as error:
            said = str(error).removeprefix("--unnorm-key: ")
            raise UserError(f"--keep-statistics: {said} Give --dataset KEY=FOLDER, or omit --keep-statistics.") from error
    return ranges


def _span_of(key: str, demonstrations: Sequence[Demonstrations], frames: Sequence[Frames], kept: Range | None) -> _Span:
    """The range of the actions with this key: what is kept, else from the data."""
    if kept is not None:
        action: dict[str, JsonValue] = {"q01": kept.q01.tolist(), "q99": kept.q99.tolist(), "mask": kept.mask.tolist()}
        return _Span(kept, kept.q01 == kept.q99, {"action": action})
    of_key = [place for place, each in enumerate(demonstrations) if each.key == key]
    values = pooled([frames[place].values for place in of_key])
    entry = action_statistics(values, sum(len(demonstrations[place].lengths) for place in of_key))
    check_spread(key, entry)
    q01, q99 = np.quantile(values, 0.01, axis=0), np.quantile(values, 0.99, axis=0)
    return _Span(Range(q01, q99, np.array([True] * 6 + [False])), values.min(0) == values.max(0), entry)
