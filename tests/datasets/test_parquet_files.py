"""Parquet files are read in the thread that asks: threads of Arrow's outlive the call, and may meet the end of the program."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("pyarrow", reason="the extra datasets is not installed")

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from eval.datasets.parquet_files import RowsFile, read_parquet

REPO = Path(__file__).parents[2]
PROGRAM = """
import os, sys
import pandas, pyarrow.compute
import pyarrow.parquet as pq
from eval.datasets.parquet_files import RowsFile, read_parquet

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
read_parquet(sys.argv[1]).to_pandas(use_threads=False)
read_parquet(sys.argv[1], ["name"]).to_pylist()
assert RowsFile(sys.argv[1], "number").rows(3)["number"].to_pylist() == [3, 3]
print(threads() - before)
pq.read_table(sys.argv[1])
print(threads() - before)
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Four groups of five rows, of which one is nested as images are; ``number`` is no longer in order in the last one."""
    numbers = [n // 2 for n in range(15)] + [3, 30, 40, 50, 1]
    image = [{"bytes": bytes([n]), "number": n} for n in range(20)]
    table = pa.table({"image": image, "number": numbers, "name": [f"row {n}" for n in range(20)]})
    pq.write_table(table, tmp_path / "rows.parquet", row_group_size=5)
    return tmp_path / "rows.parquet"


def test_what_is_read_is_what_pyarrow_itself_reads(file: Path) -> None:
    assert read_parquet(file) == pq.read_table(file)
    assert read_parquet(str(file), ["name"]) == pq.read_table(file, columns=["name"])
    rows = RowsFile(file, "number")
    for number in (0, 2, 3, 40, 99, 1):
        assert rows.rows(number) == pq.read_table(file, filters=[("number", "=", number)])
    with pytest.raises(KeyError):
        RowsFile(file, "episode")
    frame = pd.DataFrame({"task_index": [0, 1]}, index=pd.Index(["lift", "push"], name="task"))
    frame.to_parquet(file)
    pd.testing.assert_frame_equal(read_parquet(file).to_pandas(use_threads=False), pd.read_parquet(file))


def test_no_thread_of_arrows_is_left_that_could_meet_the_end_of_the_program(file: Path) -> None:
    if not Path("/proc/self/task").is_dir():
        pytest.skip("this system does not say which threads a process has")
    small = file.with_name("small.parquet")
    pq.write_table(pq.read_table(file, columns=["number", "name"]).slice(5, 5), small)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(small)], env={**os.environ, "PYTHONPATH": str(REPO)}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    ours, arrows = map(int, done.stdout.split())
    assert ours == 0
    assert arrows > 0, "the count would show them"


def test_datasets_are_read_by_no_other_way() -> None:
    others = [
        str(path.relative_to(REPO))
        for room in ("eval", "policies")
        for path in (REPO / room).rglob("*.py")
        if any(call in path.read_text(encoding="utf-8") for call in ("pq.read_table(", "pd.read_parquet(", ".to_table("))
    ]
    assert not others, f"{', '.join(others)}: use eval.datasets.parquet_files"
