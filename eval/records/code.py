"""Hashes over our own code that decides numbers, so that results stay usable for as long as that code stays what it was.

Comments, docstrings and layout between tokens do not count: they decide nothing.
"""

from __future__ import annotations

import ast
import hashlib
import io
import sys
import token
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

POLICIES = Path(__file__).resolve().parents[2] / "policies"
CONTRACT = ("policies", "policies.base", "policies.registry", "policies.description", "policies.loading", "policies.training")
"""What every policy is written against. A change of it that matters changes the policies, too."""
TRAINING = "training"
"""Modules and folders of policies that are not part of how they play."""
LAYOUT = (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, token.ENDMARKER)
BEGINS = (token.NEWLINE, token.INDENT, token.DEDENT)
"""Tokens after which a statement begins."""


def code_hash(files: Iterable[Path]) -> str:
    """16 hex digits over the code in these files, in whatever order; their names and places play no part.

    Raises OSError, SyntaxError or UnicodeDecodeError if one cannot be read.
    """
    parts = sorted(hashlib.blake2b("\0".join(_code(path.read_text("utf-8"))).encode()).digest() for path in set(files))
    return hashlib.blake2b(b"".join(parts), digest_size=8).hexdigest()


def shipped_code_hash(policy: object) -> str | None:
    """Of a policy that is shipped with simpler-eval: its package and what that imports of other policies.

    None for others (:func:`policies.registry.code_hash` is of users' files), and where the source is not there.
    """
    file = getattr(sys.modules.get(type(policy).__module__), "__file__", None)
    path = Path(file).resolve() if file else POLICIES
    if POLICIES not in path.parents:
        return None
    try:
        return code_hash(_with_imports(path))
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None


def _with_imports(path: Path) -> set[Path]:
    found: set[Path] = set()
    waiting = _whole(path)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _imported(path) for file in _files_of(name)]
    return found


def _whole(path: Path) -> list[Path]:
    """The file, with the whole package it is in, if it is in one; but what trains a policy has no part in how it plays."""
    if path.parent == POLICIES:
        return [path]
    package = path.parent
    return sorted(file for file in package.rglob("*.py") if TRAINING not in file.relative_to(package).with_suffix("").parts)


def _imported(path: Path) -> Iterator[str]:
    """Modules of ``policies`` but its contract."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.partition(".")[0] == "policies" and name not in CONTRACT)


def _files_of(module: str) -> list[Path]:
    stem = POLICIES.joinpath(*module.split(".")[1:])
    return [path for path in (stem.with_name(f"{stem.name}.py"), stem / "__init__.py") if path.is_file()]


def _code(text: str) -> Iterator[str]:
    """The tokens that decide something; blocks and ends of statements are among them."""
    tokens = [part for part in _whole_strings(text) if part[0] not in LAYOUT]
    before, docstring = token.NEWLINE, False
    for n, (kind, content) in enumerate(tokens):
        after = tokens[n + 1][0] if n + 1 < len(tokens) else token.NEWLINE
        ended, docstring = docstring, kind == token.STRING and before in BEGINS and after == token.NEWLINE
        if not (docstring or ended):
            yield token.tok_name[kind] if kind in BEGINS else content
        before = kind


def _whole_strings(text: str) -> Iterator[tuple[int, str]]:
    """(kind, text) of all tokens; an f-string is one, as it was before Python 3.12."""
    lines = io.StringIO(text).readlines()
    depth, begun = 0, (0, 0)
    for part in tokenize.generate_tokens(io.StringIO(text).readline):
        kind = token.tok_name[part.type]
        if kind == "FSTRING_START":
            begun = begun if depth else part.start
            depth += 1
        elif kind == "FSTRING_END":
            depth -= 1
            if not depth:
                yield token.STRING, _between(lines, begun, part.end)
        elif not depth:
            yield part.type, part.string


def _between(lines: list[str], start: tuple[int, int], end: tuple[int, int]) -> str:
    """From (line from 1, column) to another, exclusively."""
    if start[0] == end[0]:
        return lines[start[0] - 1][start[1] : end[1]]
    whole = lines[start[0] : end[0] - 1]
    return "".join([lines[start[0] - 1][start[1] :], *whole, lines[end[0] - 1][: end[1]]])
