"""For code whose imports cannot be changed: our environments under the original's own name."""

from __future__ import annotations

import importlib
import sys

from eval.simpler_api import NotSupported

OWN = "eval.simpler_env"
ORIGINAL = "simpler_env"
SUBMODULES = ("utils", "utils.env", "utils.env.env_builder", "utils.env.observation_utils", "utils.visualization")


def install() -> None:
    """From now on ``import simpler_env`` in this process means ``eval.simpler_env``.

    Raises NotSupported if another ``simpler_env`` was imported before.
    """
    own = importlib.import_module(OWN)
    if sys.modules.get(ORIGINAL, own) is not own:
        raise NotSupported("simpler_env is imported already; call eval.simpler_env.install() before that.")
    sys.modules[ORIGINAL] = own
    for name in SUBMODULES:
        sys.modules[f"{ORIGINAL}.{name}"] = importlib.import_module(f"{OWN}.{name}")
