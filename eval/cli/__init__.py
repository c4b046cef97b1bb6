"""The command ``simpler-eval``: thin verbs over public functions."""

from eval.cli.entry import main

__all__ = ["main"]
