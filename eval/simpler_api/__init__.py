"""Initial states: what a reset of the original fixes, as pure functions of task, setup, seed and options."""

from eval.plan.axes import resets_of
from eval.simpler_api.build import build_spec
from eval.simpler_api.drawn import instruction_name
from eval.simpler_api.options import ResetOptions, read_options
from eval.simpler_api.original import NotSupported, spec_from_reset, task_of_env
from eval.simpler_api.seeds import CONSTRUCTION_SEED, FRESH_ENVIRONMENT_SEED, SeedChain

__all__ = [
    "CONSTRUCTION_SEED",
    "FRESH_ENVIRONMENT_SEED",
    "NotSupported",
    "ResetOptions",
    "SeedChain",
    "build_spec",
    "instruction_name",
    "read_options",
    "resets_of",
    "spec_from_reset",
    "task_of_env",
]
