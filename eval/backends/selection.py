"""The worlds that episodes can be played in: ours, the original simulator, or a module of the user's."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path

from eval.assets.resolver import Assets
from eval.backends.base import Backend, OwnBackend, OwnWorker, WorldOptions
from eval.backends.render_devices import find_render_device
from eval.backends.simpler_env.backend import open_original
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.records.header import RenderingRecord, WorldIdentity
from eval.sim import ray_tracing
from policies.registry import code_hash_of_file

OWN, ORIGINAL = "simpler-eval", "simpler-env"
SAPIEN_WORLD = "eval.backends.sapien3"
"""Module of our own world."""


def find_backend(
    name: str,
    python: str | None,
    assets: str | None,
    rt: str,
    plan: Sequence[EpisodeSpec],
    render_device: str | None = None,
) -> Backend:
    """The world called ``name``, ready to play ``plan``.

    Args:
        name: ``simpler-eval`` (ours), ``simpler-env`` (the original), or a module as in :mod:`eval.backends.base`.
        python: interpreter of the original; None: of SIMPLER_ENV_PYTHON, else our own.
        assets: packs of our world, as ``--assets``.
        rt: how episodes are rendered for which the original traces rays, as ``--rt``.
        plan: the episodes; what the world cannot play is an error before anything is played.
        render_device: what renders, as ``--render-device``; None: the first. It decides nothing.

    Returns:
        The backend; its ``identity`` is what two runs must share to be pooled.

    Raises:
        UserError: the world is not known, cannot run here, cannot play an episode of the plan, or there is no such device.
    """
    traced = any(spec.shader == "rt" for spec in plan)
    if name == ORIGINAL:
        if rt == ray_tracing.FAST:
            raise UserError(f"--rt fast is a way of our own world; with --world {ORIGINAL} use trace or raster.")
        rendering = ray_tracing.choose(rt, render_device) if traced else None
        return open_original(ORIGINAL, python, assets, rendering, plan, render_device)
    if python is not None:
        raise UserError(f"Only --world {ORIGINAL} has an interpreter of its own; leave --world-python out or add that.")
    if name == OWN:
        if assets is not None:
            Assets.from_option(assets)  # a wrong folder is reported before anything starts
        device = None if render_device is None else find_render_device(render_device)
        handle, alias = (None, None) if device is None else (device.handle, device.alias)
        rendering = ray_tracing.choose(rt, handle) if traced else ray_tracing.RASTER
        record = RenderingRecord.model_validate(ray_tracing.record(rendering)) if traced else None
        versions = {"sapien": importlib.metadata.version("sapien")}
        identity = WorldIdentity(name=OWN, versions=versions, rendering=record)
        return OwnBackend(identity, OwnWorker(SAPIEN_WORLD, WorldOptions(assets, rendering, handle)), alias)
    module = _module(name)
    if module is None:
        raise UserError(f'There is no world "{name}".{did_you_mean(name, (OWN, ORIGINAL))}')
    identity = WorldIdentity(name=name, code=_code_of(module))
    return OwnBackend(identity, OwnWorker(name, WorldOptions(assets, render_device=render_device)), render_device)


def _module(name: str) -> ModuleSpec | None:
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None


def _code_of(module: ModuleSpec) -> str | None:
    """Hash of a module's file and of what it imports from its folder; None where it has none."""
    return code_hash_of_file(Path(module.origin)) if module.has_location and module.origin is not None else None
