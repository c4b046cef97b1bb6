"""The prompts that ``tracevla_phi3`` was trained with, word for word; "historial" is how it was spelt."""

from __future__ import annotations

_TRACED = (
    "You are given two images: one with the original robot observation <|image_1|>, and another one marked with historial "
    "traces of the robot end effector and moving objects <|image_2|>."
)


def make_prompt(instruction: str, trace: bool = False) -> str:
    """The user's turn, with the places of both images in it; ``trace``: whether the second one carries a trace."""
    seen = _TRACED if trace else "<|image_1|><|image_2|>"
    return f"{seen}\nWhat action should the robot take to {instruction}?"
