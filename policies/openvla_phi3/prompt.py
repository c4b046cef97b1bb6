"""The prompt that ``openvla_phi3`` was trained with, word for word."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.phi3v.camera_transforms import ImageArray
    from policies.phi3v.processor import Prompt


def make_prompt(instruction: str) -> str:
    """The user's turn, with the place of the image in it."""
    return f"<|image_1|>\nWhat action should the robot take to {instruction}?"


def model_prompt(instruction: str, image: ImageArray) -> Prompt:
    """What the model gets, in training and when it plays; ``image`` (336, 336, 3)."""
    from policies.phi3v.processor import Prompt

    return Prompt(make_prompt(instruction), [image])
