"""The prompt that ``openvla_phi3`` was trained with, word for word."""

from __future__ import annotations


def prompt(instruction: str) -> str:
    """The user's turn, with the place of the picture in it."""
    return f"<|image_1|>\nWhat action should the robot take to {instruction}?"
