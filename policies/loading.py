"""Policies from users' own files: ``path/to/file.py:Class`` and ``module:Class``, apart from our own modules."""

from __future__ import annotations

import ast
import hashlib
import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from eval.errors import UserError, did_you_mean
from policies import isolation


class UnknownPolicyError(UserError):
    """No policy of that name, module or file."""


def load_from_module(name: str) -> ModuleType:
    """The module of ``module:Class``: ours, an installed one, or one in the working folder or on ``PYTHONPATH``.

    Raises ``UnknownPolicyError``, one line, for whatever the module raises.
    """
    top = name.partition(".")[0]
    folder = _folder_of_module(name)
    try:
        if folder is None:
            return importlib.import_module(name)
        return _import_private(folder, name)
    except ModuleNotFoundError as error:
        plain = str(error).replace(f"{isolation.private_root(folder)}.", "") if folder else str(error)
        hint = f' "{top}" is a package of simpler-eval itself; for your own file write path/to/file.py:Class.'
        raise UnknownPolicyError(f'Cannot import "{name}": {plain}.{hint if top in isolation.NAMES else ""}') from error
    except (Exception, SystemExit) as error:
        raise UnknownPolicyError(f'Cannot import "{name}": {one_line(error)}') from error


def load_from_file(path: Path) -> ModuleType:
    """The module in a file, which may lie in a package: then its relative imports work. One line for what it raises."""
    if not path.is_file():
        raise UnknownPolicyError(f"Policy file {path} does not exist.")
    folder, name = _root_and_name(path.resolve())
    try:
        if folder.samefile(isolation.ROOT) and name.partition(".")[0] in isolation.NAMES:
            return importlib.import_module(name)
        return _import_private(folder, name)
    except (Exception, SystemExit) as error:
        raise UnknownPolicyError(f"Policy file {path} cannot be loaded: {one_line(error)}") from error


def policy_in(module: ModuleType, place: str, name: str) -> Callable[..., object]:
    """The class ``name`` of a module that the user called ``place``."""
    factory: object = getattr(module, name, None)
    if not callable(factory):
        raise UnknownPolicyError(f'{place} ({module.__file__}) has no "{name}".{did_you_mean(name, policy_classes(module))}')
    return factory


def policy_classes(module: ModuleType) -> list[str]:
    """Names of the module's classes that have an ``act``."""
    classes = (value for value in vars(module).values() if inspect.isclass(value) and hasattr(value, "act"))
    return [value.__name__ for value in classes if value.__module__ == module.__name__]


def code_hash_of_file(module: ModuleType) -> str | None:
    """BLAKE2b over the contents of a user's module and of all modules of the user's folders that it imports.

    All ``import`` statements count, also those that have not run yet; names play no part, so a moved folder has the same
    hash. None for a module that is not a user's.
    """
    if not module.__name__.startswith(isolation.PREFIX) or module.__file__ is None:
        return None
    key, _, name = module.__name__.removeprefix(isolation.PREFIX).partition(".")
    waiting, files = [(isolation.folders()[key], name, Path(module.__file__))], set[Path]()
    while waiting:
        folder, name, path = waiting.pop()
        if path not in files:
            files.add(path)
            waiting += _imports(folder, name, path)
    whole = hashlib.blake2b(digest_size=16)
    for part in sorted(isolation.digest(path) for path in files):
        whole.update(part.encode())
    return whole.hexdigest()


def class_name(policy: object) -> str:
    """``file.py:Class`` of a policy from a user's file, wherever the file lies; else ``module:Class``."""
    module, kind = type(policy).__module__, type(policy).__qualname__
    file = getattr(sys.modules.get(module), "__file__", None) if module.startswith(isolation.PREFIX) else None
    return f"{Path(file).name if file else module}:{kind}"


def one_line(error: BaseException) -> str:
    """Kind and text of an exception of somebody else's code."""
    if isinstance(error, SystemExit):
        return f"it ended the program (SystemExit: {error.code}); a policy must not read the command line or call sys.exit"
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _import_private(folder: Path, name: str) -> ModuleType:
    importlib.invalidate_caches()
    isolation.forget_changed(folder)
    return importlib.import_module(f"{isolation.private_root(folder)}.{name}")


def _root_and_name(path: Path) -> tuple[Path, str]:
    """The folder that a file's outermost package lies in, and the file's dotted name from there."""
    if "." in path.stem:
        raise UnknownPolicyError(f'Policy file {path} cannot be imported: rename it so that ".py" follows the only dot.')
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file():
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts[:-1] if path.name == "__init__.py" else parts)


def _folder_of_module(name: str) -> Path | None:
    """The user's folder that ``name`` is imported from; None for ours and for installed packages."""
    top, _, rest = name.partition(".")
    if top in isolation.NAMES:
        if isolation.holds(isolation.ROOT / top, rest.partition(".")[0]):
            return None
        return next((folder for folder in isolation.shadowing_folders() if isolation.holds(folder, top)), None)
    if top in sys.modules:
        return None
    spec = importlib.util.find_spec(top)
    if spec is None:
        return Path.cwd() if isolation.holds(Path.cwd(), top) else None
    origin = spec.origin or next(iter(spec.submodule_search_locations or []), None)
    if origin is None:
        return None
    home = Path(origin).resolve().parent
    home = home.parent if spec.origin and spec.submodule_search_locations else home  # a package's __init__.py
    return home if home in isolation.user_places() and not isolation.is_ours(home) else None


def _imports(folder: Path, name: str, path: Path) -> Iterator[tuple[Path, str, Path]]:
    """(folder, name, file) of every module of a user's folder that a file imports, packages around it included."""
    if path.suffix != ".py":
        return
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        return  # it cannot be imported either
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*filter(None, above), *filter(None, [node.module])])
            imported = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
        else:
            continue
        relative = isinstance(node, ast.ImportFrom) and node.level > 0
        for module in filter(None, imported):
            place = folder if relative else isolation.user_folder_of(folder, path.parent, module)
            if place is not None:
                yield from _files(place, module)


def _files(folder: Path, module: str) -> Iterator[tuple[Path, str, Path]]:
    """The files that are executed when ``module`` is imported from ``folder``: packages first, as far as they exist."""
    parts = module.split(".")
    for n in range(1, len(parts) + 1):
        stem, name = folder.joinpath(*parts[:n]), ".".join(parts[:n])
        candidates = [stem / "__init__.py", stem.with_name(f"{stem.name}.py")]
        candidates += [stem.with_name(f"{stem.name}{suffix}") for suffix in importlib.machinery.EXTENSION_SUFFIXES]
        for path in candidates:
            if path.is_file():
                yield folder, name, path
                break
