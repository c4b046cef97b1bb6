"""``gymnasium.make`` of the original's ids, with the original's keywords."""

from __future__ import annotations

import functools
from typing import Any

import gymnasium
from gymnasium.envs import registration
from gymnasium.envs.registration import EnvSpec

from eval.simpler_api import env_ids, task_of_env
from eval.simpler_api.dropin.environment import ENTRY, SimplerEnv
from eval.simpler_api.keywords import read_keywords
from eval.tasks.loading import load_task

UNLIMITED = 100_000
"""Steps: the limit is Gymnasium's own wrapper where its own ``make`` was called."""


def register() -> None:
    """Make the ids known to Gymnasium; once.

    Gymnasium 1 hides an environment's own methods behind its wrappers, which the original's (below 1) showed, and takes
    ``max_episode_steps`` for itself. So ``gymnasium.make`` of these ids gives the environment itself, its limit within.
    """
    if hasattr(gymnasium.make, "simpler_eval"):
        return
    for env_id in env_ids():
        if env_id not in gymnasium.registry:
            task, kwargs = load_task(task_of_env(env_id)), {"env_id": env_id}
            limit = read_keywords(task, env_id, {}).max_steps or task.max_steps
            gymnasium.register(
                env_id, ENTRY, order_enforce=False, disable_env_checker=True, max_episode_steps=limit, kwargs=kwargs
            )
    gymnasium.make = registration.make = _made(gymnasium.make)


def make_again(env_id: str, **kwargs: Any) -> SimplerEnv:  # noqa: ANN401  the original's signature
    """The entry point that Gymnasium's own ``make`` calls before it wraps its step limit around."""
    return SimplerEnv(env_id, **{"max_episode_steps": UNLIMITED, **kwargs})


def _made(gymnasium_make: Any) -> Any:  # noqa: ANN401  overloaded
    known = frozenset(env_ids())

    @functools.wraps(gymnasium_make)
    def make(id: str | EnvSpec, max_episode_steps: int | None = None, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        given = id if isinstance(id, EnvSpec) else None
        name = given.id if given else str(id).rpartition(":")[2]
        if name not in known:  # without a version it is the newest
            name = max((env_id for env_id in known if env_id.rpartition("-v")[0] == name), default=name)
        if name not in known:
            return gymnasium_make(id, max_episode_steps, *args, **kwargs)
        kwargs = {**(given.kwargs if given else {}), **kwargs}
        for own in ("disable_env_checker", "env_id"):
            kwargs.pop(own, None)
        if max_episode_steps is None and given:
            max_episode_steps = given.max_episode_steps
        if max_episode_steps is not None:
            kwargs["max_episode_steps"] = UNLIMITED if max_episode_steps == -1 else max_episode_steps
        return SimplerEnv(name, **kwargs)

    make.simpler_eval = True  # type: ignore[attr-defined]
    return make
