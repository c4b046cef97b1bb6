"""Users' modules beside ours: each folder's modules live under a private name, so that equal names never meet.

A module of a user's folder ``F`` is executed as ``simpler_eval.user_<hash of F>.<its name>``, with an ``import`` statement
of its own. That statement looks into the user's folders first, so a lab's own ``policies``, ``eval`` or ``task_configs`` is
what the lab's files get, while everybody else goes on getting ours. What theirs lacks (``policies.base``) is ours for them
too. Neighbours of a policy file win over installed packages for the files of that folder alone, never over the standard
library.
"""

from __future__ import annotations

import builtins
import functools
import hashlib
import importlib
import importlib.util
import json
import os
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType

import simpler_eval

NAMES, PREFIX, FOLDERS = simpler_eval.NAMES, simpler_eval.USER_PREFIX, simpler_eval.USER_FOLDERS
ROOT = Path(simpler_eval.ROOT)


# ---- folders ---------------------------------------------------------------------------------------------------------


def folders() -> dict[str, Path]:
    """Hash -> folder, of every folder that users' modules came from; kept in the environment for child processes."""
    return {key: Path(folder) for key, folder in json.loads(os.environ.get(FOLDERS, "{}")).items()}


def private_root(folder: Path) -> str:
    """The private name below which the modules of ``folder`` live; remembers the folder."""
    folder = folder.resolve()
    key = hashlib.blake2b(str(folder).encode(), digest_size=6).hexdigest()
    known = folders()
    if key not in known:
        os.environ[FOLDERS] = json.dumps({**{k: str(path) for k, path in known.items()}, key: str(folder)})
    return f"{PREFIX}{key}"


def is_ours(folder: Path) -> bool:
    """Whether ``folder`` holds simpler-eval itself, this copy or another one: nothing in it is a user's."""
    return (folder / "simpler_eval.py").is_file()


def user_places() -> list[Path]:
    """Entries of ``PYTHONPATH``, unless they are folders of installed packages, and the working folder."""
    entries = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    entries = [path for path in entries if path.name not in ("site-packages", "dist-packages")]
    return list(dict.fromkeys(path.resolve() for path in (*entries, Path.cwd())))


def is_installed(path: Path) -> bool:
    """Whether a file or folder belongs to Python, to an installed package, or to our own packages."""
    if {"site-packages", "dist-packages"} & {*path.parts}:
        return True
    libraries = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib")]
    ours = (*(ROOT / name for name in NAMES), ROOT / "simpler_eval.py")
    return any(path.is_relative_to(place) for place in (*libraries, *ours))


def shadowing_folders() -> Iterator[Path]:
    """Folders of the user's that hold a module which is called like one of ours.

    They are those of :func:`user_places`, and what a user's file has put into ``sys.path``.
    """
    searched = (Path(entry).resolve() for entry in sys.path if os.path.isdir(entry or "."))
    added = [folder for folder in searched if not is_installed(folder)]
    for folder in dict.fromkeys((*added, *user_places())):
        if not is_ours(folder) and any(holds(folder, name) for name in NAMES):
            yield folder


def holds(folder: Path, name: str) -> bool:
    """Whether ``name`` can be imported from ``folder``; a folder without ``__init__.py`` counts."""
    return holds_regular(folder, name) or (folder / name).is_dir()


def holds_regular(folder: Path, name: str) -> bool:
    """The same for a module, an extension module, or a folder with ``__init__.py``."""
    if (folder / f"{name}.py").is_file() or (folder / name / "__init__.py").is_file():
        return True
    return any((folder / f"{name}{suffix}").is_file() for suffix in importlib.machinery.EXTENSION_SUFFIXES)


# ---- names -----------------------------------------------------------------------------------------------------------


def user_folder_of(folder: Path, beside: Path, name: str) -> Path | None:
    """The user's folder that ``import name`` means in a file of ``folder``; None: ours, installed or standard library.

    ``beside`` is the folder that the file itself lies in, which differs from ``folder`` within a package.
    """
    top, _, rest = name.partition(".")
    if top in sys.stdlib_module_names or top == "simpler_eval":
        return None
    if top in NAMES:
        return _shadowing_folder_of(folder, top, rest.partition(".")[0])
    if holds_regular(folder, top):
        return folder
    shadowing = (other for other in shadowing_folders() if other != folder and holds(other, top))
    shadow = next((other for other in shadowing if not _is_importable_outside(other, top)), None)
    if shadow is not None:
        return shadow
    last = [folder] if holds(folder, top) else []  # as in Python: a folder without __init__.py is the last choice
    last += [place for place in (beside, Path.cwd()) if holds_regular(place, top) and not is_ours(place)]
    last += [Path.cwd()] if holds(Path.cwd(), top) and not is_ours(Path.cwd()) else []
    return last[0] if last and not _is_importable(top) else None


def _shadowing_folder_of(folder: Path, top: str, submodule: str) -> Path | None:
    for place in (folder, *shadowing_folders()):
        if not is_ours(place) and holds(place, top):
            only_ours = submodule and holds(ROOT / top, submodule) and not holds(place / top, submodule)
            return None if only_ours else place
    return None


def _is_importable(top: str) -> bool:
    """Whether ``top`` is a module already, or would be found without looking into users' folders."""
    if top in sys.modules:
        return not sys.modules[top].__name__.startswith(PREFIX)
    return _spec_of(top) is not None


def _is_importable_outside(folder: Path, top: str) -> bool:
    """Whether ``import`` would find ``top`` somewhere else first."""
    spec = _spec_of(top)
    return spec is not None and spec.origin is not None and not Path(spec.origin).resolve().is_relative_to(folder)


def _spec_of(top: str) -> ModuleSpec | None:
    finders = (finder for finder in sys.meta_path if type(finder).__name__ not in simpler_eval.FINDERS)
    specs = (finder.find_spec(top, None) for finder in finders)
    return next((spec for spec in specs if spec is not None), None)


# ---- importing -------------------------------------------------------------------------------------------------------


@functools.cache
def statement_for(folder: Path, beside: Path) -> Callable[..., object]:
    """The function behind the ``import`` statements of the files in ``beside``, whose outermost package is in ``folder``."""
    known: dict[str, Path | None] = {}  # a statement within ``act`` runs every step

    def import_statement(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        direct = level or isinstance(fromlist, list)  # C code, such as a pickle's, looks the plain name up afterwards
        if not direct and name not in known:
            known[name] = user_folder_of(folder, beside, name)
        place = None if direct else known[name]
        if place is None:
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        root = private_root(place)
        try:
            if fromlist:
                return importlib.__import__(f"{root}.{name}", globals, locals, fromlist, 0)
            importlib.import_module(f"{root}.{name}")
        except ModuleNotFoundError as error:
            if error.name is None or not error.name.startswith(f"{root}."):
                raise
            plain = error.name.removeprefix(f"{root}.")
            raise ModuleNotFoundError(f"No module named {plain!r} in {place}", name=plain) from None
        return sys.modules[f"{root}.{name.partition('.')[0]}"]

    return import_statement


class UserLoader(SourceFileLoader):
    """Executes a user's module with the ``import`` statement of its folder."""

    def exec_module(self, module: ModuleType) -> None:
        """Execute it."""
        key, _, rest = module.__name__.removeprefix(PREFIX).partition(".")
        statement = statement_for(folders()[key], Path(self.path).parent)
        vars(module)["__builtins__"] = {**vars(builtins), "__import__": statement}
        if rest in NAMES and not hasattr(module, "__path__"):
            module.__path__ = []  # theirs is a file: what it lacks is still looked for in ours
        vars(module)["__simpler_eval_digest__"] = digest(Path(self.path))
        super().exec_module(module)


class _AliasLoader(Loader):
    """Gives a module that exists a second name."""

    def __init__(self, name: str) -> None:
        self._name = name

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._name)  # the import system goes on with this one


def find_private(fullname: str, path: Sequence[str] | None) -> ModuleSpec | None:
    """The spec of a module by its private name; ``path`` is its parent's."""
    key, _, rest = fullname.removeprefix(PREFIX).partition(".")
    if not rest:
        folder = folders().get(key)
        if folder is None:
            return None
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec
    plain = PathFinder.find_spec(fullname, path)
    if plain is None:
        *packages, name = rest.split(".")
        if packages and packages[0] in NAMES and holds(ROOT.joinpath(*packages), name):
            return ModuleSpec(fullname, _AliasLoader(rest))
        return None
    if type(plain.loader) is SourceFileLoader:
        plain.loader = UserLoader(fullname, plain.loader.path)
    return plain


def find_plain(fullname: str) -> ModuleSpec | None:
    """The spec of a user's module by its plain name, for ``importlib.import_module`` and pickles; the last resort.

    Raises ``ImportError`` where two folders hold it: names that are looked up at run time say not whose they are.
    """
    *packages, name = fullname.split(".")
    places = [
        folder
        for key, folder in folders().items()
        if holds_regular(folder.joinpath(*packages), name) or f"{PREFIX}{key}.{fullname}" in sys.modules
    ]
    if len(places) > 1:
        raise ImportError(
            f'"{fullname}" is in {" and in ".join(map(str, places))}; import it with an import statement, not by its name.',
            name=fullname,
        )
    return ModuleSpec(fullname, _AliasLoader(f"{private_root(places[0])}.{fullname}")) if places else None


def find_alias(private: str) -> ModuleSpec | None:
    """The spec of a submodule of a user's package that was imported by its plain name: the private module itself."""
    return ModuleSpec(private, _AliasLoader(private)) if importlib.util.find_spec(private) is not None else None


def forget_changed(folder: Path) -> None:
    """Drop the modules of ``folder`` if a file of one of them has changed since: the next import reads all anew."""
    statement_for.cache_clear()  # a module that is loaded now may find other files than an earlier one
    root = private_root(folder)
    loaded = {name: module for name, module in sys.modules.items() if name.startswith(f"{root}.")}
    for module in loaded.values():
        known, file = vars(module).get("__simpler_eval_digest__"), getattr(module, "__file__", None)
        if known is not None and file and (not Path(file).is_file() or digest(Path(file)) != known):
            gone = {id(module) for module in loaded.values()}
            for name in [name for name, module in sys.modules.items() if id(module) in gone]:  # plain names of them, too
                del sys.modules[name]
            return


def digest(path: Path) -> str:
    """BLAKE2b of a file's content."""
    return hashlib.blake2b(path.read_bytes(), digest_size=16).hexdigest()
