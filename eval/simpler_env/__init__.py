"""Stands in for the package ``simpler_env``: ``import eval.simpler_env as simpler_env`` (docs/dropin.md)."""

from eval.simpler_api.dropin.environment import SimplerEnv
from eval.simpler_api.dropin.install import install
from eval.simpler_api.dropin.make import make
from eval.simpler_api.names import ENVIRONMENT_MAP, ENVIRONMENTS
from eval.simpler_env import utils

__all__ = ["ENVIRONMENTS", "ENVIRONMENT_MAP", "SimplerEnv", "install", "make", "utils"]
