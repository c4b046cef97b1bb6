"""The parts of the original that we do not have, taken from a checkout of it: its evaluators, policies and helpers."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from eval.errors import UserError

PACKAGES = ("", ".utils", ".utils.env")
"""Packages of ours that a checkout may add modules to, below ``simpler_env``."""
HOW = "not part of simpler-eval; with a checkout of SimplerEnv, install(rest=FOLDER) takes it from there (docs/dropin.md)."
KNOWN = frozenset({"plot_pred_and_gt_action_trajectory", "FONT_PATH"})
"""Names of the original's modules that ours lack."""

_folders: list[Path] = []


def add(folder: str | Path, own: str) -> None:
    """Let what ``own`` (``eval.simpler_env``) lacks come from a checkout, or from its ``simpler_env`` folder.

    Raises UserError if there is no such package.
    """
    given = Path(folder).expanduser().resolve()
    package = next((place for place in (given / "simpler_env", given) if (place / "__init__.py").is_file()), None)
    if package is None or package.name != "simpler_env":
        raise UserError(f"{folder} holds no package simpler_env; give install(rest=...) a checkout of SimplerEnv.")
    if package in _folders:
        return
    _folders.append(package)
    for name in PACKAGES:
        place = package.joinpath(*name.split("."))
        if place.is_dir():
            importlib.import_module(own + name).__path__.append(str(place))
    importlib.invalidate_caches()


def attribute(module: str, name: str) -> Any:  # noqa: ANN401  whatever the original has there
    """What ``simpler_env.<module>`` of a checkout calls ``name``. For module ``__getattr__``: raises AttributeError, or
    ImportError for a name that the original has.
    """
    if not name.startswith("__"):
        for folder in _folders:
            if hasattr(theirs := _load(folder, module), name):
                return getattr(theirs, name)
    if name in KNOWN:
        raise ImportError(f"simpler_env.{module}.{name}: {HOW}")
    raise AttributeError(f"module 'simpler_env.{module}' has no attribute {name!r}")


def _load(folder: Path, module: str) -> ModuleType | None:
    private = f"simpler_env._rest{_folders.index(folder)}.{module}"
    path = folder.joinpath(*module.split(".")).with_suffix(".py")
    if private not in sys.modules and path.is_file():
        spec = importlib.util.spec_from_file_location(private, path)
        assert spec is not None
        assert spec.loader is not None
        loaded = sys.modules[private] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(loaded)
        except BaseException:
            del sys.modules[private]
            raise
    return sys.modules.get(private)


class Absent:
    """The last finder: says in one line why a module of the original cannot be imported."""

    def __init__(self, why: dict[str, str]) -> None:
        self.why = why
        """Name of a package -> why what is below it is absent."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Raises ModuleNotFoundError for modules below the packages."""
        for package, why in self.why.items():
            if name.startswith(f"{package}."):
                raise ModuleNotFoundError(f"No module named {name!r}: {why}", name=name)
        return None
