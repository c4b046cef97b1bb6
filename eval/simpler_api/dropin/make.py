"""``make``: an environment by the original's task name or environment id."""

from __future__ import annotations

import warnings
from typing import Any

from eval.errors import did_you_mean
from eval.simpler_api import NotSupported, env_ids
from eval.simpler_api.dropin.environment import SimplerEnv
from eval.simpler_api.names import ENVIRONMENT_MAP, ENVIRONMENTS


def make(name: str, *, assets: str | None = None, rt: str = "auto", **kwargs: Any) -> SimplerEnv:  # noqa: ANN401  the original's signature
    """An environment with the original's interface.

    Args:
        name: a task name of ``ENVIRONMENTS`` (built as ``simpler_env.make`` builds it: RGB-D observations, prepackaged
            setting), or an environment id such as ``GraspSingleOpenedCokeCanInScene-v0`` (built as ``gymnasium.make``).
        assets: asset folders, separated by commas; None: those of the environment variable SIMPLER_EVAL_ASSETS, else
            the built-in stand-ins.
        rt: how images are rendered for which the original traces rays: "auto" (traced on a GPU), "trace",
            "fast" (fewer rays and a denoiser) or "raster".
        kwargs: constructor keywords of the original.

    Raises:
        NotSupported: the name, a keyword or its value is not built.
    """
    if name not in ENVIRONMENT_MAP:
        if name not in env_ids():
            raise NotSupported(f'Environment "{name}" is not built.{did_you_mean(str(name), [*ENVIRONMENTS, *env_ids()])}')
        return SimplerEnv(name, assets, rt, **kwargs)
    env_id, own = ENVIRONMENT_MAP[name]
    defaults = {**own, "obs_mode": ("rgbd",), "prepackaged_config": True}
    for key in defaults.keys() & kwargs.keys():
        warnings.warn(f"default value [{defaults[key]}] for Key {key} changes to value [{kwargs[key]}]", stacklevel=2)
    return SimplerEnv(env_id, assets, rt, **defaults | kwargs)
