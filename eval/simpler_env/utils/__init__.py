"""Helpers of evaluation loops, where the original has them."""

from eval.simpler_env.utils import env, visualization

__all__ = ["env", "visualization"]
