"""Collects comparisons under the limits that the recordings deserve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from eval.parity.report import Check

PIXELS, FEATURES, LOGITS, TEXT_LOGITS, ROTARY, EXACT = 1e-6, 1e-4, 1e-3, 1e-4, 1e-6, 1e-9
"""Limits for float32 on any CPU; other thread counts sum in other orders. ``EXACT`` is for float64 results."""


class CheckList:
    """The comparisons made so far.

    ``key`` is what was recorded, ``check`` what of it is compared; both stand in the report, as does ``unit``.
    """

    def __init__(self) -> None:
        self.checks: list[Check] = []

    def same(self, key: str, check: str, got: ArrayLike, recorded: ArrayLike, unit: str = "wrong") -> None:
        """Every value must be equal.

        Args:
            key: of the recording.
            check: what is compared.
            got: ours.
            recorded: the original's.
            unit: of the number that is reported: how many differ.
        """
        a, b = np.asarray(got), np.asarray(recorded)
        wrong = float((a != b).sum()) if a.shape == b.shape else float(max(a.size, b.size, 1))
        self.checks.append(Check(key, check, wrong, 0.0, unit, int(b.size)))

    def near(self, key: str, check: str, limit: float, *pairs: tuple[ArrayLike, ArrayLike], unit: str = "1") -> None:
        """No value may be off by more than a limit.

        Args:
            key: of the recording.
            check: what is compared.
            limit: the largest difference that passes.
            pairs: (ours, the original's).
            unit: of the values.
        """
        worst, n = 0.0, 0
        for got, recorded in pairs:
            worst = max(worst, deviation(got, recorded))
            n += int(np.asarray(recorded).size)
        self.checks.append(Check(key, check, worst, limit, unit, n))

    def value(self, key: str, check: str, worst: float, limit: float, unit: str, n: int) -> None:
        """Add a deviation that was worked out elsewhere.

        Args:
            key: of the recording.
            check: what is compared.
            worst: the largest deviation.
            limit: the largest that passes.
            unit: of both.
            n: values compared.
        """
        self.checks.append(Check(key, check, worst, limit, unit, n))


def deviation(got: ArrayLike, recorded: ArrayLike) -> float:
    """Largest difference; infinite for different shapes or what is no number."""
    a, b = np.asarray(got, dtype=np.float64), np.asarray(recorded, dtype=np.float64)
    if a.shape != b.shape:
        return float("inf")
    if not a.size:
        return 0.0
    worst = float(np.abs(a - b).max())
    return worst if np.isfinite(worst) else float("inf")


def stride(total: int, kept: int, known: Sequence[int] = ()) -> int:
    """Which stride leaves ``kept`` of ``total`` values; one of the ``known`` where several would."""
    fitting = [s for s in known if -(-total // s) == kept]
    return fitting[0] if fitting else max(-(-total // max(kept, 1)), 1)
