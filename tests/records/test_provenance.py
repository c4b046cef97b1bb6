"""The command that a record keeps is one that a reader can type."""

from __future__ import annotations

import sys

import pytest

from eval.records.provenance import provenance


@pytest.mark.parametrize(
    ("program", "typed"),
    [
        ("/x/simpler_eval.py", "simpler-eval"),
        ("/x/eval/__main__.py", "simpler-eval"),
        ("/usr/bin/simpler-eval", "simpler-eval"),
        ("/home/me/train.py", "train.py"),
        ("/home/me/other/__main__.py", "__main__.py"),
    ],
)
def test_however_it_was_called_the_command_can_be_typed(monkeypatch, program: str, typed: str) -> None:
    monkeypatch.setattr(sys, "argv", [program, "run", "--variant", "standing/*"])
    assert provenance().command == f"{typed} run --variant 'standing/*'"
