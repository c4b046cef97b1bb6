"""How a device and a number format are named, for the parts that run without torch, too."""

from __future__ import annotations

import re

from eval.errors import UserError

DTYPES = {
    "float32": "float32", "fp32": "float32",
    "bfloat16": "bfloat16", "bf16": "bfloat16",
    "float16": "float16", "fp16": "float16",
}  # fmt: skip
"""As a user writes it -> as torch does."""


def check_device(text: str) -> None:
    """That ``text`` is the name of a device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; whether it is there, torch knows.

    Raises:
        UserError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise UserError(f'--device "{text}" is unknown; use auto, cpu, cuda or cuda:N.')


def check_dtype(text: str) -> None:
    """That ``text`` is ``auto`` or the name of a number format.

    Raises:
        UserError: it is none.
    """
    if text != "auto" and text not in DTYPES:
        raise UserError(f'--dtype "{text}" is unknown; use auto, float32, bfloat16 or float16.')
