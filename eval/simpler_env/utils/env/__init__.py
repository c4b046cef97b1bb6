"""Building environments and reading their observations."""

from eval.simpler_env.utils.env import env_builder, observation_utils

__all__ = ["env_builder", "observation_utils"]
