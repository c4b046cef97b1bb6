"""Gymnasium's ids of our tasks, ``simpler_eval/<task>-v0``. Cheap: it is done whenever Gymnasium is imported beside us."""

from __future__ import annotations

import os
from types import ModuleType

NAMESPACE, VERSION = "simpler_eval", "v0"
ENTRY = "eval.interop.gymnasium_env:SimplerEvalEnv"
ANY = f"{NAMESPACE}/task-{VERSION}"
"""Any task, by the keyword ``task``: a name or a task file."""
TASKS = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "task_configs", "tasks")


def register(gymnasium: ModuleType) -> None:
    """Make our ids known to Gymnasium; what is there already stays."""
    tasks = sorted(name.removesuffix(".yaml") for name in os.listdir(TASKS) if name.endswith(".yaml"))
    for env_id, kwargs in [(ANY, {}), *((f"{NAMESPACE}/{task}-{VERSION}", {"of_id": task}) for task in tasks)]:
        if env_id not in gymnasium.registry:
            gymnasium.register(env_id, ENTRY, kwargs=kwargs)
