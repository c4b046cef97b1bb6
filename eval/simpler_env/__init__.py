"""Stands in for the package ``simpler_env``: ``import eval.simpler_env as simpler_env`` (docs/dropin.md)."""

from eval.initial.names import ENVIRONMENT_MAP, ENVIRONMENTS
from eval.simpler_env import utils
from eval.simpler_env.environment import SimplerEnv
from eval.simpler_env.installing import install
from eval.simpler_env.making import make

__all__ = ["ENVIRONMENTS", "ENVIRONMENT_MAP", "SimplerEnv", "install", "make", "utils"]
