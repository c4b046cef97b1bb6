"""Tasks, suites, tables and published numbers as data, and their common parsing (``schema``).

The tables are read when first asked for, so that a command line that needs none of them starts at once.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from task_configs.schema.tables import lights, objects, robot_places, robots, scenes

__all__ = ["lights", "objects", "robot_places", "robots", "scenes"]


def __getattr__(name: str) -> Any:  # noqa: ANN401  module attributes have any type
    if name in __all__:
        return getattr(importlib.import_module("task_configs.schema.tables"), name)
    raise AttributeError(f"module 'task_configs' has no attribute {name!r}")
