"""Parquet files whose disk may refuse them: that is one OSError, raised where the file is written and nowhere else.

pyarrow's own writer, when it could not be closed, tries again as it is collected, and prints a traceback that nobody asked for.
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    import pyarrow as pa


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
