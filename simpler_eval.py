"""The front door: the command ``simpler-eval``, ``python -m simpler_eval``, and the public functions under one name.

Our packages have everyday names (``eval``, ``policies``, ``task_configs``), and a lab's folder may well hold others of the
same name. Whoever imports this module first gets ours, whatever the working folder and ``PYTHONPATH`` hold; a lab's own
reach its policy files all the same (:mod:`policies.isolation`). Nothing is imported here but the standard library.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eval import check_assets as check_assets
    from eval import compare_world as compare_world
    from eval import fetch_assets as fetch_assets
    from eval import load_run as load_run
    from eval import load_runs as load_runs
    from eval import make as make
    from eval import make_plan as make_plan
    from eval import reproduce as reproduce
    from eval import run as run
    from eval import run_doctor as run_doctor
    from eval import run_smoke as run_smoke
    from eval import write_tables as write_tables
    from eval.report.auditing import audit as audit
    from eval.report.comparing import compare as compare
    from eval.report.comparing import gate as gate
    from eval.report.reporting import report as report
    from policies.registry import describe as describe
    from policies.registry import load_policy as load_policy

NAMES = ("eval", "policies", "task_configs")
"""Our packages."""
ROOT = os.path.dirname(os.path.abspath(__file__))
"""Where they lie: beside this file, in a checkout as in an installation."""
USER_PREFIX = "simpler_eval.user_"
"""Modules of users' folders are called ``simpler_eval.user_<folder>.<name>``, so that they never meet ours."""
USER_FOLDERS = "SIMPLER_EVAL_USER_FOLDERS"
"""Environment variable with those folders, for processes that a policy starts."""
FINDERS = ("OurFinder", "LastFinder")
"""Names of the import hooks below; distinguished by name, since a spawned process may execute this file twice."""
_FROM_REGISTRY = ("describe", "load_policy")
_REPORTS = {
    "audit": "eval.report.auditing",
    "compare": "eval.report.comparing",
    "gate": "eval.report.comparing",
    "report": "eval.report.reporting",
}
"""Functions that are called like rooms of ``eval`` (``eval.report``, ``eval.audit``), or go with such; they are here alone."""

__path__: list[str] = []  # a package, so that users' modules can be named below it


class OurFinder:
    """Asked before ``sys.path``: our packages, and modules of users' folders."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Ours by their place beside this file; users' by :func:`policies.isolation.find_private`; Gymnasium gets our ids."""
        if fullname == "gymnasium":
            return _with_our_ids(fullname, path, target)
        if fullname in NAMES:
            folder = os.path.join(ROOT, fullname)
            init = os.path.join(folder, "__init__.py")
            return spec_from_file_location(fullname, init, submodule_search_locations=[folder])
        if fullname.startswith(USER_PREFIX):
            from policies.isolation import find_private

            return find_private(fullname, path)
        parent, _, child = fullname.rpartition(".")
        private = sys.modules[parent].__name__ if parent in sys.modules else ""
        if private.startswith(USER_PREFIX):  # a user's package that was imported by its plain name
            from policies.isolation import find_alias

            return find_alias(f"{private}.{child}")
        return None


def _with_our_ids(fullname: str, path: Sequence[str] | None, target: ModuleType | None) -> ModuleSpec | None:
    """As the other finders have it; once it is loaded, it knows the ids of :mod:`eval.interop.gym_ids`."""
    for finder in sys.meta_path:
        if type(finder).__name__ in FINDERS or not hasattr(finder, "find_spec"):
            continue
        spec: ModuleSpec | None = finder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            continue
        # of this one loader, which is Gymnasium's alone
        setattr(spec.loader, "exec_module", _registering(spec.loader.exec_module))  # noqa: B010
        return spec
    return None


def _registering(execute: Callable[[ModuleType], None]) -> Callable[[ModuleType], None]:
    def loaded(module: ModuleType) -> None:
        execute(module)
        _register_ids(module)

    return loaded


def _register_ids(gymnasium: ModuleType) -> None:
    importlib.import_module("eval.interop.gym_ids").register(gymnasium)


class LastFinder:
    """Asked when nobody else knows a module: one of a user's folder, imported by its plain name (pickles, importlib)."""

    @staticmethod
    def find_spec(fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> ModuleSpec | None:
        """By :func:`policies.isolation.find_plain`, once a policy came from a user's file."""
        if USER_FOLDERS not in os.environ or fullname.startswith(("simpler_eval", "policies.isolation")):
            return None
        isolation = importlib.import_module("policies.isolation")
        return isolation.find_plain(fullname) if hasattr(isolation, "find_plain") else None  # it may be half imported


def _stranger() -> str | None:
    """One line if a package of the same name as one of ours is imported already."""
    for name in NAMES:
        module = sys.modules.get(name)
        if module is None:
            continue
        origin = getattr(module, "__file__", None) or "a folder without __init__.py"
        if not os.path.isfile(origin) or not os.path.samefile(os.path.dirname(origin), os.path.join(ROOT, name)):
            return (
                f'another module "{name}" is imported already ({origin}); simpler-eval needs that name for its own: '
                'write "import simpler_eval" above all other imports'
            )
    return None


def _install() -> None:
    problem = _stranger()
    if problem:
        if __name__ == "__main__" or os.path.basename(sys.argv[0]) == "simpler-eval":
            print(f"simpler-eval: {problem}", file=sys.stderr)
            raise SystemExit(2)
        raise ImportError(problem)
    if not any(type(finder).__name__ in FINDERS for finder in sys.meta_path):  # once, also as __mp_main__
        sys.meta_path.insert(0, OurFinder())
        sys.meta_path.append(LastFinder())
        if "gymnasium" in sys.modules:
            _register_ids(sys.modules["gymnasium"])


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command ``simpler-eval`` and leave with its exit code."""
    try:
        from eval.cli import main as cli
    except KeyboardInterrupt:
        print("simpler-eval: stopped.", file=sys.stderr)
        raise SystemExit(130) from None
    cli(arguments)


def __getattr__(name: str) -> object:
    if name in _FROM_REGISTRY:
        return getattr(importlib.import_module("policies.registry"), name)
    if name in _REPORTS:
        function = getattr(importlib.import_module(_REPORTS[name]), name)
        return importlib.import_module("eval").with_hints(function)
    if not name.startswith("_") and name in importlib.import_module("eval").__all__:
        return getattr(importlib.import_module("eval"), name)
    raise AttributeError(f"module 'simpler_eval' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_FROM_REGISTRY, *_REPORTS, *importlib.import_module("eval").__all__])


_install()
if __name__ == "__main__":
    sys.modules.setdefault("simpler_eval", sys.modules["__main__"])
    main()
