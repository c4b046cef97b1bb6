"""Policies from users' own files: ``path/to/file.py:Class`` and ``module:Class``, apart from our own modules."""

from __future__ import annotations

import argparse
import ast
import contextlib
import functools
import hashlib
import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

from eval.errors import PolicyExited, PolicySilent, UserError, did_you_mean
from policies import isolation


class UnknownPolicyError(UserError):
    """No policy of that name, module or file."""


ERROR_TEXT = 500
"""Characters of what an exception of others says."""


@contextlib.contextmanager
def without_our_arguments(name: str) -> Iterator[None]:
    """While a user's file is loaded: ``sys.argv`` holds its name alone, and a parser that wants more says so in one line."""

    def refuse(_: argparse.ArgumentParser, message: str) -> None:
        raise SystemExit(f"argparse: {message}")

    arguments, error = sys.argv, argparse.ArgumentParser.error
    sys.argv = [name.rpartition(":")[0] or name]
    setattr(argparse.ArgumentParser, "error", refuse)  # noqa: B010  mypy lets no method be assigned
    try:
        yield
    finally:
        sys.argv = arguments
        setattr(argparse.ArgumentParser, "error", error)  # noqa: B010


def load_from_module(name: str) -> ModuleType:
    """The module of ``module:Class``: ours, an installed one, or one in the working folder or on ``PYTHONPATH``.

    Raises ``UnknownPolicyError``, one line, for whatever the module raises.
    """
    top = name.partition(".")[0]
    if "/" in name or not all(name.split(".")):
        raise UnknownPolicyError(f'"{name}" is no module; {file_hint(name)}.')
    folder = _folder_of_module(name)
    try:
        if folder is None:
            return importlib.import_module(name)
        return _import_private(folder, name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        plain = str(error).replace(f"{isolation.private_root(folder)}.", "") if folder else str(error)
        hint = f' "{top}" is a package of simpler-eval itself; for your own file write path/to/file.py:Class.'
        raise UnknownPolicyError(f'Cannot import "{name}": {plain}.{hint if top in isolation.NAMES else ""}') from error
    except BaseException as error:
        raise UnknownPolicyError(f'Cannot import "{name}": {one_line(error)}{place_of(error)}') from error


def load_from_file(path: Path) -> ModuleType:
    """The module in a file, which may lie in a package: then its relative imports work. One line for what it raises."""
    path = path.expanduser()
    if not path.is_file():
        raise UnknownPolicyError(f"Policy file {path} does not exist.")
    folder, name = _root_and_name(path.resolve())
    if "." in path.stem:
        raise UnknownPolicyError(f'Policy file {path} cannot be imported: rename it so that ".py" follows the only dot.')
    try:
        if folder.samefile(isolation.ROOT) and name.partition(".")[0] in isolation.NAMES:
            return importlib.import_module(name)
        return _import_private(folder, name)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise UnknownPolicyError(f"Policy file {path} cannot be loaded: {one_line(error)}{place_of(error)}") from error


def file_hint(name: str) -> str:
    """How a user who gave a folder or path names a class in it."""
    folder = Path(name).expanduser()
    files = sorted(path for path in folder.glob("*.py")) if folder.is_dir() else []
    return f"write {files[0] if files else 'path/to/file.py'}:ClassName"


def policy_in(module: ModuleType, place: str, name: str) -> Callable[..., object]:
    """The class ``name`` of a module that the user called ``place``."""
    try:
        factory: object = functools.reduce(getattr, name.split("."), module)
    except AttributeError:
        if getattr(module, "__file__", None) is None:  # a folder without a file of its own is a package without content
            raise UnknownPolicyError(f'"{place}" is a folder; {file_hint(place.replace(".", os.sep))}.') from None
        text = f'{place} ({module.__file__}) has no "{name}".{did_you_mean(name, policy_classes(module))}'
        raise UnknownPolicyError(text) from None
    if not callable(factory):
        classes = policy_classes(module)
        kind = type(factory).__qualname__
        hint = f"name its class: {place}:{kind}" if kind in classes or not classes else f"{place} has: {', '.join(classes)}"
        hint = hint if classes else "name a class that has the methods of a policy"
        raise UnknownPolicyError(f'"{name}" in {place} is {_a(factory)}; {hint}.')
    return factory


def policy_classes(module: ModuleType) -> list[str]:
    """Names of the classes with an ``act`` that a module has itself, or from another file of the user's."""
    classes = (value for value in vars(module).values() if inspect.isclass(value) and hasattr(value, "act"))
    own = [value for value in classes if value.__module__ == module.__name__ or value.__module__.startswith(isolation.PREFIX)]
    return [value.__name__ for value in sorted(own, key=lambda value: value.__module__ != module.__name__)]


def code_hash_of_module(module: ModuleType) -> str | None:
    """:func:`code_hash_of_file` of a user's module; None for installed modules, for ours, and where there is no file."""
    file = getattr(module, "__file__", None)
    if file is None or not Path(file).is_file() or isolation.is_installed(Path(file).resolve()):
        return None
    return code_hash_of_file(Path(file))


def code_hash_of_file(path: Path) -> str:
    """BLAKE2b over the contents of a file and of all modules of the user's folders that it imports.

    All ``import`` statements count, also those that have not run yet, and ``importlib.import_module("name")``; names play no
    part, so a moved folder has the same hash.
    """
    path = path.resolve()
    waiting, files = [(*_root_and_name(path), path)], set[Path]()
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
    """Kind and text of an exception of somebody else's code; never raises."""
    try:
        text = " ".join(str(error)[: 10 * ERROR_TEXT].split())[:ERROR_TEXT]
    except BaseException as odd:  # code of others, down to the text of its exceptions
        text = f"(its text cannot be read, that raised {type(odd).__name__})"
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    if isinstance(error, SystemExit):
        return (
            f"it ended the program (SystemExit{text and f': {text}'}); a policy must not read the command line or call sys.exit"
        )
    if isinstance(error, PolicyExited):
        return f"it ended the program ({text})"
    if isinstance(error, PolicySilent):
        return text
    return f"{type(error).__name__}: {text}"


def place_of(error: BaseException) -> str:
    """`` (file.py, line 3)``: the innermost line of a user's file that an exception came through; empty if there is none."""
    text, step = "", error.__traceback__
    while step is not None:
        file = Path(step.tb_frame.f_code.co_filename)
        if file.is_file() and not isolation.is_installed(file.resolve()):
            text = f" ({file.name}, line {step.tb_lineno})"
        step = step.tb_next
    return text


def _a(value: object) -> str:
    """``an instance of Mine``."""
    return "None" if value is None else f"an instance of {type(value).__qualname__}"


def _import_private(folder: Path, name: str) -> ModuleType:
    importlib.invalidate_caches()
    isolation.forget_changed(folder)
    return importlib.import_module(f"{isolation.private_root(folder)}.{name}")


def _root_and_name(path: Path) -> tuple[Path, str]:
    """The folder that a file's outermost package lies in, and the file's dotted name from there."""
    parts, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and "." not in folder.name:
        parts.insert(0, folder.name)
        folder = folder.parent
    return folder, ".".join(parts[:-1] if path.name == "__init__.py" and len(parts) > 1 else parts)


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
    places = [*isolation.user_places(), *isolation.shadowing_folders()]
    return home if home in places and not isolation.is_ours(home) else None


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
        relative = False
        if isinstance(node, ast.Import):
            imported = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            relative = node.level > 0
            base = _absolute("." * node.level + (node.module or ""), package)
            imported = [base, *(f"{base}.{alias.name}".lstrip(".") for alias in node.names)]
        elif isinstance(node, ast.Call) and (text := _looked_up(node)) is not None:
            relative = text.startswith(".")
            imported = [_absolute(text, package)]
        else:
            continue
        for module in filter(None, imported):
            place = folder if relative else isolation.user_folder_of(folder, path.parent, module)
            place = place or _folder_of_loaded(module, folder)
            if place is not None:
                yield from _files(place, module)


def _absolute(name: str, package: str) -> str:
    """``..net`` in the package ``a.b`` -> ``a.net``."""
    level = len(name) - len(name.lstrip("."))
    above = package.split(".")[: len(package.split(".")) - level + 1] if level else []
    return ".".join([*filter(None, above), *filter(None, [name[level:]])])


def _looked_up(call: ast.Call) -> str | None:
    """The name in ``importlib.import_module("name")``."""
    function = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", None)
    first = call.args[0] if call.args else None
    named = function in ("import_module", "__import__") and isinstance(first, ast.Constant) and isinstance(first.value, str)
    return str(first.value) if named and isinstance(first, ast.Constant) else None


def _folder_of_loaded(name: str, below: Path) -> Path | None:
    """Where a module came from that was found by ``sys.path``, if its file lies below a user's folder."""
    module = sys.modules.get(name.partition(".")[0])
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    file = next((Path(place).resolve() for place in places if place), None)
    if file is None or not file.is_relative_to(below) or isolation.is_installed(file):
        return None
    return file.parent.parent if file.name == "__init__.py" else file.parent


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
