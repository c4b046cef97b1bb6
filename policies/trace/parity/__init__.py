"""Proof that the trace is the original's: comparisons with recorded runs of it."""

from policies.trace.parity.compare import compare_trace

__all__ = ["compare_trace"]
