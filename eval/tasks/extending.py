"""``extends`` of a task file: what it takes from another task, and what wins.

What is written in the file wins over everything that is inherited, in this order: the file's own ``settings``; its own
``setup`` and keys; the settings of the base; the setup of the base. Where that cannot be, because the episodes or an axis
of an inherited setting vary what the file fixes, that setting is not taken over, and whoever asks for it learns why.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from eval.errors import UserError
from eval.tasks.checks import PLACED, SAMPLED_WITH
from eval.tasks.user_tasks import ENDINGS
from task_configs.schema.files import is_file
from task_configs.schema.yaml_files import read_mapping

Content = dict[str, object]

FIXED_BY_KEY = {
    "max_steps": "max_steps",
    "targets": "targets",
    "drawers": "drawer",
    "source": "object_set",
    "goal": "object_set",
    "object_table": "object_set",
}
"""Key of a task -> field of a setup that would decide instead of it."""

INSTEAD = {"squares": "pairs", "pairs": "squares"}
"""Key of a task -> another that says the same in another way: an inherited one gives way to the file's own."""


class Extended(NamedTuple):
    """A task file that needs no other."""

    content: Content
    left_out: dict[str, str]
    """Inherited setting that contradicts the file -> why."""
    files: tuple[Path, ...]
    """The file, and those that it takes from."""


def read_extended(path: Path, find: Callable[[str, Path], Path], extending: tuple[Path, ...] = ()) -> Extended:
    """A task file with what it takes from others.

    Args:
        path: the file.
        find: name of a task and the file that extends it -> the task's file.
        extending: the files that led here.

    Raises:
        UserError: a file cannot be read, extends itself, or contradicts its base.
    """
    content = read_mapping(path)
    if "extends" not in content:
        return Extended(content, {}, (path,))
    named = content.pop("extends")
    if not isinstance(named, str):
        raise UserError(f"{path}: extends: is no text; write the name of a task, or the path of its file.")
    base_path = (path.parent / named).resolve() if named.endswith(ENDINGS) else find(named, path)
    if not is_file(base_path):
        raise UserError(f"{path}: extends: {base_path}: there is no such task file.")
    chain = (*extending, path)
    if base_path in chain:
        raise UserError(f"{path}: extends: {' -> '.join(file.stem for file in (*chain, base_path))} goes round in a circle.")
    base = read_extended(base_path, find, chain)
    if "family" in content and content["family"] != base.content.get("family"):
        raise UserError(
            f"{path}: family: {named} is of the family {base.content.get('family')!s}; leave family out, or do not extend it."
        )
    return _merged(content, base, named, path)


def _merged(own: Content, base: Extended, named: str, path: Path) -> Extended:
    ours, theirs = _mapping(own.get("setup"), "setup", path), _mapping(base.content.get("setup"), "setup", path)
    by_key = {field: key for key, field in FIXED_BY_KEY.items() if key in own}
    sampled = {field: f"setup.{key}" for key, fields in SAMPLED_WITH.items() if ours.get(key) for field in sorted(fields)}
    fixed = {**by_key, **sampled, **{key: f"setup.{key}" for key in ours}}
    inherited = {key: value for key, value in base.content.items() if INSTEAD.get(key) not in own}
    merged: Content = {**inherited, **own}
    merged["setup"] = {**{key: value for key, value in theirs.items() if key not in by_key}, **ours}
    files = (path, *base.files)
    if "settings" in own:
        return Extended(merged, {}, files)
    kept: Content = {}
    left_out = dict(base.left_out)
    for name, setting in _mapping(base.content.get("settings"), "settings", path).items():
        clash = _clash(setting, fixed, _mapping(merged["setup"], "setup", path)) if isinstance(setting, dict) else None
        if clash:
            left_out[name] = f"{path}: {clash[0]} is fixed here, but {clash[1]} of settings.{name} of {named} varies it"
        else:
            kept[name] = _without(setting, fixed)
    if left_out and not kept:
        raise UserError(f"{next(iter(left_out.values()))}; write settings of your own in {path.name}.")
    merged["settings"] = kept
    return Extended(merged, left_out, files)


def _clash(setting: Content, fixed: Mapping[str, str], setup: Content) -> tuple[str, str] | None:
    """(what the file says, what of an inherited setting varies it), if anything does."""
    axes = setting.get("axes")
    for number, axis in enumerate(axes if isinstance(axes, list) else []):
        for label, choice in axis.items() if isinstance(axis, dict) else ():
            for field in choice if isinstance(choice, dict) else ():
                if field in fixed:
                    return fixed[field], f'the axis {number} ("{label}")'
    episodes, own_setup = setting.get("episodes"), setting.get("setup")
    sampled = {**setup, **own_setup} if isinstance(own_setup, dict) else setup
    deciders = [("episodes", key, fields, episodes) for key, fields in PLACED.items()]
    deciders += [("setup", key, fields, sampled) for key, fields in SAMPLED_WITH.items() if key not in fixed]
    for where, key, fields, given in deciders:
        decided = [field for field in fixed if field in fields]
        if decided and isinstance(given, dict) and given.get(key):
            return fixed[decided[0]], f"{where}.{key}"
    return None


def _without(setting: object, fixed: Mapping[str, str]) -> object:
    """An inherited setting without what the file fixes."""
    if not isinstance(setting, dict) or not isinstance(setting.get("setup"), dict):
        return setting
    return {**setting, "setup": {key: value for key, value in setting["setup"].items() if key not in fixed}}


def _mapping(value: object, key: str, path: Path) -> Content:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UserError(f"{path}: {key}: input should be an object, that is keys with values.")
    return value
