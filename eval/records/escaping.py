"""Texts from outside (instructions, names of policies, errors, paths) in files that other programs read.

A control character, a line break or one that turns the direction of writing has no place in a table: it becomes a space.
LaTeX has its own rules (:func:`eval.records.latex.escaped`), and so has HTML, whose templates escape by themselves.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

FORMULA = ("=", "+", "-", "@")
"""What a spreadsheet takes for the beginning of a formula."""


def printable(text: str) -> str:
    """One line without control characters, and without characters that turn the reading direction: they become escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in " ".join(text.split()))


def one_line(text: str) -> str:
    """One line of characters that can be seen; others become spaces."""
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def visible(text: str) -> str:
    """A text for a terminal, which obeys no character of it: but for line breaks and tabs they are written as ``\\x1b``."""
    return "".join(one if one.isprintable() or one in "\n\t" else one.encode("unicode_escape").decode() for one in text)


def plain_markdown(text: str) -> str:
    """A text that Markdown shows as it is: no markup, no HTML, no link, no cell of a table ends in it."""
    line = one_line(text).replace("\\", "\\\\")
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    line = re.sub(r"([`*|~$])", r"\\\1", line)
    line = re.sub(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])", r"\\_", line)  # inside a word it means nothing
    line = re.sub(r"\](?=[(\[:])", r"\\]", line)  # only so is it a link
    line = re.sub(r"^(\d+)([.)])(?=\s|$)", r"\1\\\2", line)
    return re.sub(r"^(#{1,6}(\s|$)|[-+](\s|$)|=+$|-+$)", r"\\\1", line)


def spreadsheet_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula: an apostrophe before what would be one, as they write it themselves."""
    line = one_line(text)
    return f"'{line}" if line.startswith(FORMULA) else line


def csv_of(table: pd.DataFrame) -> str:
    """A table of results as CSV; numbers are untouched."""
    safe = table.apply(lambda column: column.map(lambda value: spreadsheet_text(value) if isinstance(value, str) else value))
    text: str = (table if table.empty else safe.astype(table.dtypes.to_dict())).to_csv(index=False)
    return text
