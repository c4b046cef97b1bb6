"""Parquet files: read without threads of Arrow's, and written such that a disk that refuses is one OSError.

``pyarrow.parquet.read_table`` and ``pandas.read_parquet`` read in native threads, which outlive the call, and pandas gives them
a Python file. Where the last thing that a command does is to read, such a thread may need the interpreter while that ends, and
the process dies of ``terminate called without an active exception`` (code 134) after all its work is done (apache/arrow #33975
and #34314). The files here are read in the thread that asks, in about the same time.

pyarrow's own writer, when it could not be closed, tries again as it is collected, and prints a traceback that nobody asked for.
The file here is refused where it is written and nowhere else.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq


def read_parquet(path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
    """A file, or some of its columns. Raises OSError or ArrowException for what cannot be read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.read(columns, use_threads=False)


class RowsFile:
    """A file of which rows are asked for by what they have in a column of whole numbers, most often one after the other.

    It stays open, and the part that was read last stays in memory: there are datasets with all episodes in one part of a file,
    and others with a part for each, whose list alone takes long to read. Whoever forgets it closes it.

    Args:
        path: of the file.
        column: its name.

    Raises:
        OSError or ArrowException: for what cannot be read.
        KeyError: there is no such column.
    """

    def __init__(self, path: Path | str, column: str) -> None:
        import pyarrow.parquet as pq

        self._column, self._file = column, pq.ParquetFile(path, pre_buffer=False)
        place = next((n for n in range(len(self._file.schema)) if self._file.schema.column(n).path == column), None)
        if place is None:
            raise KeyError(column)
        known = [_range(self._file.metadata.row_group(n).column(place)) for n in range(self._file.num_row_groups)]
        self._least, self._most = np.array(known, np.int64).reshape(-1, 2).T
        self._read: tuple[int, pa.Table, NDArray[np.generic]] | None = None

    def rows(self, value: int) -> pa.Table:
        """Those with this value; parts of the file without it are not read. Raises OSError or ArrowException."""
        import pyarrow as pa

        groups = np.flatnonzero((self._least <= value) & (value <= self._most))
        found = [self._rows_in(int(group), value) for group in groups]
        return pa.concat_tables(found) if found else self._file.schema_arrow.empty_table()

    def _rows_in(self, group: int, value: int) -> pa.Table:
        if self._read is None or self._read[0] != group:
            self._read = None  # before the next one needs the memory
            table = self._file.read_row_group(group, use_threads=False)
            self._read = group, table, table[self._column].to_numpy()
        _, table, values = self._read
        places = np.flatnonzero(values == value)
        begin, count = (int(places[0]), len(places)) if len(places) else (0, 0)
        together = not count or int(places[-1]) == begin + count - 1
        return table.slice(begin, count) if together else table.take(places)


def _range(chunk: pq.ColumnChunkMetaData) -> tuple[int, int]:
    """What is the least and the most that a part of a column may hold."""
    known = chunk.statistics
    if known is None or not known.has_min_max:
        return np.iinfo(np.int64).min, np.iinfo(np.int64).max
    return known.min, known.max


class TableFile:
    """A file that is written table by table. Use as a context manager, or close it.

    Args:
        path: of the file, whose folder is made.
        schema: of every table.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        import pyarrow.parquet as pq

        path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = pq.ParquetWriter(path, schema, compression="snappy")

    def write(self, table: pa.Table) -> None:
        """Append a table. Raises OSError if the disk refuses."""
        self._writer.write_table(table)

    def close(self) -> None:
        """Complete the file. Raises OSError if the disk refuses."""
        try:
            self._writer.close()
        finally:
            self._writer.is_open = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None) -> None:
        try:
            self.close()
        except OSError:
            if error is None:  # else that says why
                raise


def write_parquet(path: Path, table: pa.Table) -> None:
    """Write one table. Raises OSError if the disk refuses."""
    with TableFile(path, table.schema) as file:
        file.write(table)
