"""Proof that the world is the original's: comparisons with recordings of it."""

from eval.parity.report import Check, ParityReport

__all__ = ["Check", "ParityReport"]
