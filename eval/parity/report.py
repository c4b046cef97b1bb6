"""The result of a comparison with recordings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from typing import Any

from eval.errors import UserError


@dataclass(frozen=True)
class Check:
    """One comparison; smaller is better, a share is the share of misses."""

    key: str
    check: str
    worst: float
    limit: float
    unit: str
    n: int
    """Number of values compared."""

    @property
    def passed(self) -> bool:
        """Whether the worst value keeps the limit."""
        return self.worst <= self.limit


@dataclass(frozen=True)
class ImagePair:
    """Two images that should be equal, as small JPEG files for a page."""

    key: str
    frame: str
    ours: bytes
    original: bytes
    difference: bytes
    """Amplified."""
    apart: float
    """Mean absolute difference of the full images, of 255."""


@dataclass(frozen=True)
class ParityReport:
    """All checks of a run."""

    checks: tuple[Check, ...]
    notes: tuple[str, ...] = ()
    """Details beside the numbers: which sequences ended differently, what is reported without a limit."""
    images: tuple[ImagePair, ...] = ()
    """For a page; not part of the JSON."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """``{"passed": bool, "checks": [...]}``."""
        return {
            "passed": self.passed,
            "checks": [{**asdict(check), "passed": check.passed} for check in self.checks],
            "notes": list(self.notes),
        }


def select(names: Iterable[str], only: Iterable[str]) -> list[str]:
    """Names that match one of the patterns, all if there are none; a pattern without a match is an error."""
    known, patterns = sorted(names), list(only)
    if not patterns:
        return known
    for pattern in patterns:
        if not any(fnmatch(name, pattern) for name in known):
            raise UserError(f'no key matches "{pattern}". There are: {", ".join(known)}.')
    return [name for name in known if any(fnmatch(name, pattern) for pattern in patterns)]
