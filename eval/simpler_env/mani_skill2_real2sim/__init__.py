"""Stands in for ``mani_skill2_real2sim`` after ``install()``: code imports its ``envs`` so that Gymnasium knows the ids."""

from __future__ import annotations

from typing import NoReturn


def __getattr__(name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)
    raise ImportError(f"mani_skill2_real2sim.{name} is not built: the simulator is our own (docs/dropin.md).")
