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

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(path: Path | str, columns: Sequence[str] | None = None) -> pa.Table:
    """A file, or some of its columns. Raises OSError or ArrowException for what cannot be read."""
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        return file.read(columns, use_threads=False)


def read_rows(path: Path | str, column: str, value: int) -> pa.Table:
    """The rows with this value in a column of whole numbers; parts of the file without it are not read.

    Raises OSError or ArrowException for what cannot be read, KeyError if there is no such column.
    """
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    with pq.ParquetFile(path, pre_buffer=False) as file:
        place = next((n for n in range(len(file.schema)) if file.schema.column(n).path == column), None)
        if place is None:
            raise KeyError(column)
        groups = []
        for group in range(file.num_row_groups):
            known = file.metadata.row_group(group).column(place).statistics
            if known is None or not known.has_min_max or known.min <= value <= known.max:
                groups.append(group)
        table = file.read_row_groups(groups, use_threads=False)
    return table.filter(pc.equal(table[column], value))


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
