"""The keywords that moving near and putting on share in the original."""

from __future__ import annotations

from collections.abc import Mapping

DARKER_OR_BRIGHTER: Mapping[str, str] = {
    "original_lighting": "original",
    "slightly_darker_lighting": "slightly_darker",
    "slightly_brighter_lighting": "slightly_brighter",
    "ambient_only_lighting": "ambient_only",
}
"""Boolean keywords for the light of a table top, in the order in which they are looked at."""
