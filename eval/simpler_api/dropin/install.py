"""For code whose imports cannot be changed: our environments under the original's own names."""

from __future__ import annotations

import importlib
import pkgutil
import shutil
import sys
import warnings
from pathlib import Path

import imageio_ffmpeg
import mediapy
import numpy as np
import sapien.core

from eval.simpler_api import NotSupported
from eval.simpler_api.dropin import gym_ids
from eval.simpler_api.dropin import rest as checkout
from eval.simpler_api.dropin.render_config import RenderConfig

OWN = "eval.simpler_env"
ALIASES = {
    "simpler_env": OWN,
    "mani_skill2_real2sim": f"{OWN}.mani_skill2_real2sim",
}
SUBMODULES = {
    "simpler_env": ("utils", "utils.env", "utils.env.env_builder", "utils.env.observation_utils", "utils.visualization"),
    "mani_skill2_real2sim": ("envs",),
}
ABSENT = {
    "simpler_env": checkout.HOW,
    "mani_skill2_real2sim": "not built: the simulator is our own (docs/dropin.md).",
}
SHARED_NAMES = ("eval", "policies", "task_configs")
"""Our packages whose names a lab's own may have."""


def install(rest: str | Path | None = None) -> None:
    """From now on ``import simpler_env`` in this process means ``eval.simpler_env``.

    ``mani_skill2_real2sim.envs`` can be imported, ``gymnasium.make`` knows the original's ids, ``sapien.core`` has a
    ``render_config``, and mediapy an ffmpeg. Code that has a package ``eval``, ``policies`` or ``task_configs`` of its own on
    ``sys.path`` gets its modules wherever ours has none of the name.

    Args:
        rest: a checkout of SimplerEnv, or of a fork: its evaluators, policies and helpers that we do not have come from there.

    Raises:
        NotSupported: another ``simpler_env`` or ``mani_skill2_real2sim`` was imported before.
        UserError: ``rest`` is no such checkout.
    """
    for name, own in ALIASES.items():
        ours = importlib.import_module(own)
        if sys.modules.get(name, ours) is not ours:
            raise NotSupported(f"{name} is imported already; call eval.simpler_env.install() before that.")
    for name, own in ALIASES.items():
        sys.modules[name] = sys.modules[own]
        for part in SUBMODULES[name]:
            sys.modules[f"{name}.{part}"] = importlib.import_module(f"{own}.{part}")
    if rest is not None:
        checkout.add(rest, OWN)
    if not any(isinstance(finder, checkout.Absent) for finder in sys.meta_path):
        sys.meta_path.append(checkout.Absent(ABSENT))
    for name in SHARED_NAMES:
        package = importlib.import_module(name)
        package.__path__ = pkgutil.extend_path(package.__path__, name)
    gym_ids.register()
    if not hasattr(sapien.core, "render_config"):
        sapien.core.render_config = RenderConfig()
    if shutil.which("ffmpeg") is None:
        mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    _look_at_transforms3d()


def _look_at_transforms3d() -> None:
    """Evaluators give ``quat2euler`` a rotation in single precision, which its newest release cannot take under NumPy 2."""
    try:
        import transforms3d.euler

        transforms3d.euler.mat2euler(np.eye(3, dtype=np.float32))
    except ImportError:
        return
    except ValueError:
        warnings.warn(
            f"transforms3d {transforms3d.__version__} fails with NumPy {np.__version__} on single precision (quat2euler, as "
            'SimplerEnv\'s evaluator calls it): pip install "numpy<2".',
            stacklevel=3,
        )
