"""How clear the choices of the tokens were."""

from __future__ import annotations

import torch
from pydantic import JsonValue
from torch import Tensor

from policies.phi3v.generation import ACTION_TOKENS

SEEN_TO_DIFFER = {torch.float32: 1e-4, torch.float16: 0.02, torch.bfloat16: 0.2}
"""Below this margin another batch or path may choose another token. bfloat16: up to 0.19 was seen
(``results/benchmarks/speed.md``); the others are what their rounding leaves room for."""


class Margins:
    """Margins (best minus second logit) of all tokens of a run."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.bound = SEEN_TO_DIFFER[dtype]
        self._smallest = torch.full((ACTION_TOKENS,), torch.inf)
        self._below = 0

    def add(self, margins: Tensor) -> None:
        """Count (B, 7) margins."""
        self._smallest = torch.minimum(self._smallest, margins.amin(0))
        self._below += int((margins < self.bound).sum())

    def details(self) -> dict[str, JsonValue]:
        """For the run record."""
        return {
            "smallest_margins": [round(float(x), 6) if torch.isfinite(x) else None for x in self._smallest],
            "tokens_whose_margin_is_below": {"bound": self.bound, "tokens": self._below},
        }
