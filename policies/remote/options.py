"""What a user may say about a policy server; from the command line it is text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast, get_args

from eval.errors import UserError, did_you_mean
from eval.wire.packing import ImageFormat
from policies.numbers import number, whole
from policies.remote.conventions import LARGEST_SIDE, Ensemble, EnsembleRule, Family, ImageRule, Rotation, Size

NONE = "none"
LONGEST_WAIT = 7 * 24 * 3600.0
CONNECTIONS = 64
MOST_CONNECTIONS = 4096
ENSEMBLES = (*get_args(Ensemble), NONE)


@dataclass(frozen=True)
class Wishes:
    """What departs from the family's row of the table, as it was given; None: nothing."""

    image_size: str | None = None
    rotation: str | None = None
    chunk: str | None = None
    ensemble: str | None = None
    unnorm_key: str | None = None

    def applied(self, family: Family) -> Family:
        """The row with the wishes in it. Raises UserError for what is no value, or has no effect."""
        changes: dict[str, object] = {}
        if self.image_size is not None:
            changes["image"] = ImageRule(size=read_size(self.image_size), resampling=family.image.resampling)  # type: ignore[arg-type]
        if self.rotation is not None:
            changes["rotation"] = _choice("rotation", self.rotation, get_args(Rotation))
        if self.ensemble is not None:
            chosen = _choice("ensemble", self.ensemble, ENSEMBLES)
            changes["ensemble"] = None if chosen == NONE else _rule(cast(Ensemble, chosen), family)
            if chosen == NONE and family.chunk is None and family.ensemble is not None and self.chunk is None:
                changes["chunk"] = 1
        if self.chunk is not None:
            changes["chunk"] = whole(
                "chunk", self.chunk, 1, 1000, "a server takes a number of actions to play, such as chunk=4"
            )
            if family.ensemble is not None and self.ensemble is None:
                changes["ensemble"] = None
            elif self.ensemble not in (None, NONE):
                raise UserError("chunk and ensemble exclude each other: averaging asks at every step. Give one of them.")
        if self.unnorm_key is not None:
            changes["unnorm_key"] = _keys(self.unnorm_key)
        return family.model_copy(update=changes)


def read_size(text: object) -> Size:
    """``224`` or ``256x320`` (height x width). Raises UserError for anything else."""
    parts = str(text).lower().split("x")
    if len(parts) > 2 or not all(part.strip().isdigit() for part in parts):
        raise UserError(f'image_size "{text!s:.40}" is no size; give pixels, such as 224, or height x width, such as 256x320.')
    sides = [whole("image_size", part, 1, LARGEST_SIDE, f"an image has 1 to {LARGEST_SIDE} pixels a side") for part in parts]
    return sides[0], sides[-1]


def seconds(name: str, value: object, low: float = 0.01) -> float:
    """A time. Raises UserError for what is none."""
    return number(name, value, low, LONGEST_WAIT, f"a server takes seconds, such as {name}=30")


def connections(value: object) -> int:
    """How many at most. Raises UserError for what is no number."""
    return whole("connections", value, 1, MOST_CONNECTIONS, "a server takes a number of connections, such as connections=16")


def image_format(value: str) -> ImageFormat:
    """How pictures are sent where the protocol has a choice. Raises UserError for anything else."""
    return cast(ImageFormat, _choice("image_format", value, get_args(ImageFormat)))


def _choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        raise UserError(f'{name} "{value!s:.40}" is not known.{did_you_mean(str(value), choices)}')
    return value


def _rule(weights: Ensemble, family: Family) -> EnsembleRule:
    if family.ensemble is not None and family.ensemble.weights == weights:
        return family.ensemble
    return EnsembleRule(weights=weights, alpha=0.1 if weights == "cosine" else 0.01)


def _keys(text: str) -> dict[str, str]:
    """``KEY`` for both robots, or ``widowx=KEY,google_robot=KEY``."""
    keys: dict[str, str] = {}
    for part in str(text).split(","):
        robot, equals, key = part.partition("=")
        named = {robot.strip(): key.strip()} if equals else dict.fromkeys(("google_robot", "widowx"), part.strip())
        if not all(named.values()) or not named.keys() <= {"google_robot", "widowx"}:
            raise UserError(f'unnorm_key "{text!s:.80}" is neither KEY nor widowx=KEY,google_robot=KEY.')
        keys |= named
    return keys
