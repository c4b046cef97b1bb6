"""YAML as it is written: the few types of YAML 1.2, no key twice, and nothing that could run away.

``yes``, ``010`` and ``2026-01-31`` are not turned into a boolean, an eight and a date, and ``1e-3`` is a number. What a file
says twice, what leads to itself, and what would grow beyond all sense is one line with its place in the file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Final

import yaml

from eval.errors import UserError
from task_configs.schema.files import read_text

MOST_BYTES: Final = 1 << 20
DEEPEST: Final = 40
"""Levels of lists and mappings in each other; the parser itself dies of very many."""
MOST_VALUES: Final = 200_000
"""Of a file with its aliases written out."""
LONGEST_NUMBER: Final = 40
"""Characters of a whole number."""

TAG = "tag:yaml.org,2002:"
_FLOAT = r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
_TYPES: Final = (
    (f"{TAG}bool", re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    (f"{TAG}int", re.compile(r"[-+]?[0-9]+"), "-+0123456789"),
    (f"{TAG}float", re.compile(rf"{_FLOAT}|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "-+.0123456789"),
    (f"{TAG}null", re.compile(r"~|null|Null|NULL|"), "~nN"),
    (f"{TAG}merge", re.compile(r"<<"), "<"),
)
"""(tag, the whole of the text, first characters): the core schema of YAML 1.2, and merge keys."""

_Base: type[yaml.SafeLoader | yaml.CSafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's, ten times as fast, where PyYAML was built with it."""


class _Loader(_Base):  # type: ignore[misc, valid-type]
    yaml_implicit_resolvers: ClassVar[dict[str | None, list[tuple[str, re.Pattern[str]]]]] = {}  # not those of YAML 1.1

    def whole_number(self, node: yaml.ScalarNode) -> int:
        if len(node.value) > LONGEST_NUMBER:
            raise _Refused(node, f"is a number of {len(node.value)} digits")
        return int(node.value)

    def number(self, node: yaml.ScalarNode) -> float:
        text = node.value.lower()
        value = float(text.replace(".inf", "inf").replace(".nan", "nan"))
        if not math.isfinite(value):
            raise _Refused(node, f"holds a number that is not finite ({node.value}); write a plain number")
        return value


for _tag, _whole, _first in _TYPES:
    _full = re.compile(rf"(?:{_whole.pattern})\Z")
    for _character in [*_first, *([""] if _tag.endswith("null") else [])]:
        _Loader.yaml_implicit_resolvers.setdefault(_character, []).append((_tag, _full))
_Loader.add_constructor(f"{TAG}int", _Loader.whole_number)
_Loader.add_constructor(f"{TAG}float", _Loader.number)


class _Dumper(yaml.SafeDumper):
    """Puts in quotes whatever YAML 1.1 or our reader would take for anything but a text."""


for _character, _entries in _Loader.yaml_implicit_resolvers.items():
    for _entry in _entries:
        _Dumper.add_implicit_resolver(_entry[0], _entry[1], [_character or ""])


class _Refused(Exception):
    """Something in a file that is not read; ``node`` is where it stands."""

    def __init__(self, node: yaml.Node | yaml.Event, said: str) -> None:
        super().__init__(said)
        self.mark = node.start_mark


def read_yaml(path: Path) -> Any:  # noqa: ANN401  YAML
    """Content of a YAML file; keys are texts as written. Raises UserError for a missing, unreadable or broken file."""
    text = read_text(path, MOST_BYTES)
    try:
        _refuse_deep(text)
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            _check(node)
            return loader.construct_document(node)
        finally:
            loader.dispose()
    except _Refused as refused:
        raise UserError(f"{path}: {_place(refused.mark)} {refused}.") from None
    except yaml.reader.ReaderError as error:
        raise UserError(f"{path}: broken YAML: {error.reason} (character {error.position + 1}).") from None
    except yaml.YAMLError as error:
        mark, problem = getattr(error, "problem_mark", None), getattr(error, "problem", None) or "cannot be parsed"
        if "another document" in problem:
            raise UserError(f"{path}: {_place(mark)} a second document begins; give each a file of its own.") from None
        at = f" {_place(mark)}" if mark else ""
        raise UserError(f"{path}:{at} broken YAML: {problem}; check indentation, brackets, quotes.") from None


def read_mapping(path: Path) -> dict[str, Any]:
    """A YAML file of keys and values. Raises UserError for anything else."""
    content = read_yaml(path)
    if isinstance(content, dict):
        return content
    found = "is empty" if content is None else f"holds {'a list' if isinstance(content, list) else 'only a text or a number'}"
    raise UserError(f"{path}: input should be an object, that is keys with values, but the file {found}.")


def to_yaml(content: object) -> str:
    """Plain data as YAML that :func:`read_yaml` reads as it was."""
    return str(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120))


def _place(mark: Any) -> str:  # noqa: ANN401  PyYAML has two kinds of marks
    return f"line {mark.line + 1}, column {mark.column + 1}:"


def _refuse_deep(text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Base):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > DEEPEST:
                raise _Refused(event, f"more than {DEEPEST} lists and mappings in each other")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check(root: yaml.Node) -> None:
    """Refuse keys that are given twice, what leads to itself, and aliases that multiply; make every key a text."""
    sizes: dict[int, int] = {}  # by node: values below it with aliases written out; 0 while it is under way

    def size_of(node: yaml.Node) -> int:
        known = sizes.get(id(node))
        if known == 0:
            raise _Refused(node, "leads to itself by an alias")
        if known is None:
            sizes[id(node)] = 0
            known = 1 + sum(size_of(child) for child in _children(node))
            if known > MOST_VALUES:
                raise _Refused(node, f"its aliases written out are more than {MOST_VALUES} values")
            sizes[id(node)] = known
        return known

    size_of(root)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _Refused(key, "a key must be a text")
            if key.value in lines:
                raise _Refused(key, f'the key "{key.value}" is given twice, first in line {lines[key.value]}; keep one of them')
            lines[key.value] = key.start_mark.line + 1
            if key.tag != f"{TAG}merge":
                key.tag = f"{TAG}str"
            yield value
