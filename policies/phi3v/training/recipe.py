"""What a policy adds to its training: how a step becomes a prompt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from policies.phi3v.camera_transforms import ImageArray
from policies.phi3v.processor import Prompt


@dataclass(frozen=True)
class Recipe:
    """Of one policy."""

    policy: str
    images: int
    """Of a prompt."""
    prompt: Callable[[str, ImageArray, ImageArray | None], Prompt]
    """Instruction, image and image with a trace (336, 336, 3), None where there is none -> what the model gets. The policy
    calls the same function when it plays."""
