"""The command ``simpler-eval``: thin verbs over public functions."""

from eval.cli.app import main

__all__ = ["main"]
