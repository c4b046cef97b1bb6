"""How a device is named, for the parts that run without torch, too."""

from __future__ import annotations

import re

from eval.errors import UserError


def check_device(text: str) -> None:
    """That ``text`` is the name of a device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; whether it is there, torch knows.

    Raises:
        UserError: it is none.
    """
    if not re.fullmatch(r"auto|cpu|cuda(:\d{1,3})?", text):
        raise UserError(f'--device "{text}" is unknown; use auto, cpu, cuda or cuda:N.')
