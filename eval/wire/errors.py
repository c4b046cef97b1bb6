"""What is wrong with a message."""

from __future__ import annotations


class WireError(ValueError):
    """A message cannot be read or written; one line, which quotes nothing that the other side chose but numbers."""
