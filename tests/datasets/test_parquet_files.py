"""A Parquet file on a full disk."""

from __future__ import annotations

import errno
import gc

import pytest

pa = pytest.importorskip("pyarrow", reason="the extra datasets is not installed")

from eval.datasets.parquet_files import TableFile, write_parquet


def test_a_full_disk_is_one_error_where_it_is_written_and_none_later(tmp_path, capsys):
    full = tmp_path / "full.parquet"
    full.symlink_to("/dev/full")
    table = pa.table({"number": list(range(20_000))})
    for write in (lambda: write_parquet(full, table), lambda: TableFile(full, table.schema).close()):
        with pytest.raises(OSError, match="No space left on device") as refused:
            write()
        assert refused.value.errno == errno.ENOSPC
        del refused
        gc.collect()
    assert capsys.readouterr().err == ""


def test_tables_come_back_one_behind_the_other(tmp_path):
    import pyarrow.parquet as pq

    with TableFile(tmp_path / "deep/down.parquet", pa.schema({"a": pa.int64()})) as file:
        for number in (1, 2):
            file.write(pa.table({"a": [number]}))
    assert pq.read_table(tmp_path / "deep/down.parquet")["a"].to_pylist() == [1, 2]
