"""How the model is run: the options ``inference``, ``deterministic`` and ``batch``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from eval.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import torch

Rule = Literal["restricted", "full"]
"""``--generation``. ``restricted``: among the action ids alone, which are all that the published training loss knows; ``full``:
among the whole vocabulary."""
NAMES = ("auto", "fast", "eager")
FIXED_BATCH = 8
"""Sequences of every batch where shapes are fixed: a card is nearly full, and little is lost where fewer wait."""
LARGEST_BATCH = 256


@dataclass(frozen=True)
class Inference:
    """What was chosen."""

    name: Literal["fast", "eager"]
    """``eager`` is transformers' own model: the reference."""
    deterministic: bool
    """An observation gives the same bits in whatever batch it is: fixed shapes, or, if eager, every one alone."""
    batch: int | None
    """Most observations at a time; None: what fits."""

    @property
    def fast(self) -> bool:
        """Whether it is the fast path."""
        return self.name == "fast"


def choose_inference(text: str, deterministic: str | bool, batch: str | int | None, device: torch.device) -> Inference:
    """The options as a user writes them; ``auto`` is fast on a GPU or where shapes are to be fixed, else eager."""
    fixed, count = check_inference(text, deterministic, batch)
    fast = text == "fast" or (text == "auto" and (device.type == "cuda" or fixed))
    if fixed and not fast:
        return Inference("eager", True, 1)
    return Inference("fast" if fast else "eager", fixed, count or (FIXED_BATCH if fixed else None))


def check_inference(text: str, deterministic: str | bool, batch: str | int | None) -> tuple[bool, int | None]:
    """Whether shapes are fixed, and the size of a batch. Raises UserError for options that cannot be used on any device."""
    if text not in NAMES:
        raise UserError(f'--inference "{text}" is unknown.{did_you_mean(text, NAMES)}')
    fixed = _truth(deterministic)
    count = None if batch is None else _count(batch)
    if fixed and text == "eager" and count not in (None, 1):
        raise UserError(f"batch={count} is not possible with --inference eager --deterministic, where each is alone.")
    return fixed, count


def check_rule(text: str) -> Rule:
    """The rule of that name. Raises UserError if there is none."""
    for rule in get_args(Rule):
        if text == rule:
            return rule  # type: ignore[no-any-return]
    raise UserError(f'--generation "{text}" is unknown.{did_you_mean(text, get_args(Rule))}')


def _truth(value: str | bool) -> bool:
    if isinstance(value, bool):
        return value
    if value.lower() not in ("true", "false"):
        raise UserError(f'deterministic "{value}" is not possible; use true or false.')
    return value.lower() == "true"


def _count(value: str | int) -> int:
    if isinstance(value, bool) or not str(value).isdecimal() or not 1 <= int(value) <= LARGEST_BATCH:
        raise UserError(f'batch "{value}" is not possible; give a number from 1 to {LARGEST_BATCH}.')
    return int(value)
