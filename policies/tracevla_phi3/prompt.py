"""The prompts that ``tracevla_phi3`` was trained with, word for word; "historial" is how it was spelt."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from policies.phi3v.camera_transforms import ImageArray
    from policies.phi3v.processor import Prompt

_TRACED = (
    "You are given two images: one with the original robot observation <|image_1|>, and another one marked with historial "
    "traces of the robot end effector and moving objects <|image_2|>."
)


def make_prompt(instruction: str, trace: bool = False) -> str:
    """The user's turn, with the places of both images in it; ``trace``: whether the second one carries a trace."""
    seen = _TRACED if trace else "<|image_1|><|image_2|>"
    return f"{seen}\nWhat action should the robot take to {instruction}?"


def model_prompt(instruction: str, plain: ImageArray, traced: ImageArray | None) -> Prompt:
    """What the model gets, in training and when it plays.

    Args:
        instruction: the task in words.
        plain: (336, 336, 3).
        traced: the same with its trace; None where there is none: then the plain image is shown twice.
    """
    from policies.phi3v.processor import Prompt

    return Prompt(make_prompt(instruction, traced is not None), [plain, plain if traced is None else traced])
