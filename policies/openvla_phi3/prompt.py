"""The prompt that ``openvla_phi3`` was trained with, word for word."""

from __future__ import annotations


def make_prompt(instruction: str) -> str:
    """The user's turn, with the place of the image in it."""
    return f"<|image_1|>\nWhat action should the robot take to {instruction}?"
