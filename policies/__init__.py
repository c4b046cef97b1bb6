"""Policies that simpler-eval can judge, and the one contract they share with the worlds (:mod:`policies.base`)."""
