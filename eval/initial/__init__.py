"""Initial states: what a reset of the original fixes, as pure functions of task, setup, seed and options."""

from eval.initial.build import build_spec
from eval.initial.drawn import instruction_name
from eval.initial.options import ResetOptions, read_options
from eval.initial.original import NotSupported, spec_from_reset, task_of_env
from eval.initial.seeds import CONSTRUCTION_SEED, FRESH_ENVIRONMENT_SEED, SeedChain
from eval.initial.sweep import resets_of

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
