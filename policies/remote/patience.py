"""How long a server may take to answer."""

from __future__ import annotations

from dataclasses import dataclass

SECONDS = 60.0
FIRST_SECONDS = 600.0
"""Until a first answer has come: models are compiled in it."""


@dataclass
class Patience:
    """Seconds that one answer may take."""

    given: float | None = None
    """By the user; None: :data:`SECONDS`, and :data:`FIRST_SECONDS` for the first."""
    warm: bool = False

    @property
    def seconds(self) -> float:
        """As of now."""
        return self.given if self.given is not None else SECONDS if self.warm else FIRST_SECONDS

    def answered(self) -> None:
        """A first answer has come."""
        self.warm = True
