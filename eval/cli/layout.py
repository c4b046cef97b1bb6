"""Tables on a terminal of any width: no word is ever split, and what is the same in all rows is said once.

In this order, until a table fits: text wraps between words, columns with few values become headings of tables of their own,
names wrap behind a slash, columns are spread over several tables. Below ``NARROW`` columns every row is a block of lines.
"""

from __future__ import annotations

import io
import os
import re
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from eval.records.escaping import visible

PIPED_WIDTH = 120
"""Columns of a table that goes into a file or a pipe; a file has no edge, so it may be wider if it must."""
NARROW = 60
TEXT_WIDTH = 16
"""Least columns of text that has to wrap."""
GAP = 2
PLAIN = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
WORDS = re.compile(r"^ *\S+|\S+", re.MULTILINE)
"""Each with the indentation of its line."""
NUMBERS = re.compile(r"[\d\s.,%+\-\[\]()?/x]*")


@dataclass(frozen=True)
class _Grid:
    heading: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def without(self, column: int, rows: Sequence[tuple[str, ...]], heading: str) -> _Grid:
        """Some of the rows without a column."""
        cut = tuple(row[:column] + row[column + 1 :] for row in rows)
        return _Grid(heading, self.columns[:column] + self.columns[column + 1 :], cut)

    def cells(self, column: int) -> list[str]:
        return [row[column] for row in self.rows]

    def is_text(self, column: int) -> bool:
        """Whether it holds words; else it holds numbers, which are never wrapped."""
        return not all(NUMBERS.fullmatch(cell) for cell in self.cells(column))

    def natural(self) -> list[int]:
        """Width of every column without wrapping."""
        return [max(map(len, (head, *self.cells(number)))) for number, head in enumerate(self.columns)]

    def least(self) -> list[int]:
        """Width below which a column would have a split word, or text too narrow to be read."""
        widths = []
        for number, natural in enumerate(self.natural()):
            head = self.columns[number].split()
            if not self.is_text(number):
                widths.append(max(map(len, (*head, *self.cells(number)))))
                continue
            words = [word for cell in self.cells(number) for word in WORDS.findall(cell)]
            widths.append(max([min(natural, TEXT_WIDTH), *map(len, (*head, *words))]))
        return widths


def show_rows(heading: str, columns: Sequence[str], rows: Sequence[Sequence[object]], said: Sequence[str] = ()) -> None:
    """Print a table.

    Args:
        heading: stands above it.
        columns: heads; the first column names the rows.
        rows: as many cells each.
        said: columns of numbers, or of yes and no, that also go into the heading where all rows have the same.
    """
    console, strict = _console()
    shown = tuple(tuple("" if cell is None else visible(str(cell)) for cell in row) for row in rows)
    grid = _Grid(visible(heading), tuple(map(visible, columns)), shown)
    grid = _constants_to_heading(grid, said)
    if strict and console.width < NARROW:
        _stack(console, grid)
    else:
        _show(console, grid, strict)


def show_text(text: str, indent: str = "") -> None:
    """Print a paragraph, wrapped between words on a terminal; further lines are indented."""
    console, strict = _console()
    _line(console, visible(text), indent, strict)


def _console() -> tuple[Console, bool]:
    """Where tables go, and whether its width must be kept."""
    width = os.environ.get("COLUMNS", "")
    if width.isdigit() and int(width) > 0:
        return Console(width=int(width), highlight=False), True
    terminal = Console(highlight=False)
    if sys.stdout.isatty():
        return terminal, True
    return Console(width=PIPED_WIDTH, highlight=False), False


def _constants_to_heading(grid: _Grid, said: Sequence[str]) -> _Grid:
    """The grid without the columns that are the same in all rows; the first that is left stays."""
    told = []
    for head in list(grid.columns):
        column = grid.columns.index(head)
        values = set(grid.cells(column))
        lifted = head in said or (len(grid.rows) > 1 and grid.is_text(column))
        if len(values) == 1 and "" not in values and lifted and len(grid.columns) > 2:
            told.append(f"{head} {values.pop()}")
            grid = grid.without(column, grid.rows, grid.heading)
    return replace(grid, heading="\n".join(filter(None, (grid.heading, ", ".join(told)))))


def _show(console: Console, grid: _Grid, strict: bool) -> None:
    room = console.width
    if _needs(grid.least()) <= room or not grid.rows:
        _print(console, grid, room, strict)
    elif groups := _groups(grid, room):
        _line(console, f"{grid.heading}\n", "", strict)
        for group in groups:
            _print(console, group, room, strict)
    elif not strict:
        _print(console, grid, _needs(grid.least()), strict)
    elif _needs((slashed := _behind_slashes(grid)).least()) <= room:
        _print(console, slashed, room, strict)
    elif _needs([slashed.least()[0], max(slashed.least()[1:])]) <= room:
        _print_parts(console, slashed, room)
    else:
        _stack(console, grid)


def _needs(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _groups(grid: _Grid, room: int) -> list[_Grid]:
    """Tables that fit (their names perhaps wrapped), each with what its rows have in common above it; none if there are none.

    Columns of text with the fewest values go first.
    """
    values = {column: len({*grid.cells(column)}) for column in range(len(grid.columns) - 1) if grid.is_text(column)}
    groups = [replace(grid, heading="")]
    for column in sorted(values, key=lambda column: (values[column], column))[: max(0, len(values) - 1)]:
        head = grid.columns[column]
        split = []
        for group in groups:
            place = group.columns.index(head)
            for value in dict.fromkeys(group.cells(place)):
                rows = [row for row in group.rows if row[place] == value]
                split.append(group.without(place, rows, ", ".join(filter(None, (group.heading, value)))))
        groups = split
        if 2 * len(groups) > len(grid.rows):
            return []
        for candidate in (groups, [_behind_slashes(group) for group in groups]):
            if all(_needs(group.least()) <= room for group in candidate):
                return candidate
    return []


def _behind_slashes(grid: _Grid) -> _Grid:
    """Names of rows that are longer than the longest part of one wrap behind their slashes."""
    wrapped = [re.sub(r"/(?=\S)", "/\n  ", name) for name in grid.cells(0)]
    longest = max((len(line) for name in wrapped for line in name.splitlines()), default=0)
    names = [name if len(name) <= longest else other for name, other in zip(grid.cells(0), wrapped, strict=True)]
    return replace(grid, rows=tuple((name, *row[1:]) for name, row in zip(names, grid.rows, strict=True)))


def _print_parts(console: Console, grid: _Grid, room: int) -> None:
    """Several tables, each with the names of the rows and as many of the other columns as fit."""
    least = grid.least()
    parts: list[list[int]] = [[0]]
    for column in range(1, len(grid.columns)):
        if len(parts[-1]) > 1 and _needs([least[number] for number in (*parts[-1], column)]) > room:
            parts.append([0])
        parts[-1].append(column)
    for number, part in enumerate(parts):
        rows = tuple(tuple(row[column] for column in part) for row in grid.rows)
        heading = grid.heading if number == 0 else ""
        _print(console, _Grid(heading, tuple(grid.columns[column] for column in part), rows), room, True)


def _print(console: Console, grid: _Grid, room: int, strict: bool) -> None:
    widths, least = grid.natural(), grid.least()
    if any("\n" in row[0] for row in grid.rows):
        widths[0] = least[0]
    while _needs(widths) > room and widths != least:
        widest = max(range(len(widths)), key=lambda number: (widths[number] > least[number], widths[number]))
        widths[widest] -= 1
    table = Table(box=PLAIN, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    for number, (head, width) in enumerate(zip(grid.columns, widths, strict=True)):
        numbers = not grid.is_text(number) and not any("[" in cell for cell in grid.cells(number)) and number > 0
        table.add_column(Text(head), width=width, justify="right" if numbers else "left", vertical="top")
    for row in grid.rows:
        table.add_row(*map(Text, row))
    _line(console, grid.heading, "", strict)
    if grid.rows:
        drawn = io.StringIO()
        Console(width=_needs(widths), file=drawn, color_system=None).print(table)
        console.print(Text("\n".join(line.rstrip() for line in drawn.getvalue().splitlines())), soft_wrap=True)
    console.print()


def _stack(console: Console, grid: _Grid) -> None:
    """A block a row."""
    _line(console, grid.heading, "", True)
    for row in grid.rows:
        console.print()
        for head, cell in zip(grid.columns, row, strict=True):
            if cell:
                _line(console, f"{head}: {cell.strip()}", "  ", True)
    console.print()


def _line(console: Console, text: str, indent: str, strict: bool) -> None:
    """Text between words alone; in a file each paragraph is one line."""
    for paragraph in text.split("\n") if text else ():
        lines = [paragraph]
        if strict:
            lines = textwrap.wrap(
                paragraph, console.width, break_long_words=False, break_on_hyphens=False, subsequent_indent=indent
            )
        console.print(Text("\n".join(lines)), soft_wrap=True)
