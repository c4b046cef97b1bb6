"""The original's API: environment ids, constructor keywords, reset options and seeds, to and from an EpisodeSpec."""

from eval.simpler_api.from_reset import env_ids, spec_from_reset, task_of_env
from eval.simpler_api.keywords import NotSupported
from eval.simpler_api.seeds import CONSTRUCTION_SEED, FRESH_ENVIRONMENT_SEED, SeedChain

__all__ = [
    "CONSTRUCTION_SEED",
    "FRESH_ENVIRONMENT_SEED",
    "NotSupported",
    "SeedChain",
    "env_ids",
    "spec_from_reset",
    "task_of_env",
]
