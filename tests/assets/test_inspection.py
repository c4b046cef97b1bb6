"""Files are read once: what is known of them is kept by path, size and time of modification."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from eval.assets import inspection
from eval.assets.inspection import Inspection, StoredInspections

OBJ = "mtllib a.mtl\nv 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n"
LONG_AGO = 1_600_000_000_000_000_000
"""ns."""


@pytest.fixture
def mesh(tmp_path: Path) -> Path:
    path = tmp_path / "a.obj"
    path.write_text(OBJ)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return path


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were read."""
    read: list[Path] = []

    def inspect(path: Path) -> Inspection:
        read.append(path)
        return real(path)

    real = inspection.inspect
    monkeypatch.setattr(inspection, "inspect", inspect)
    return read


def test_the_checksum_is_that_of_git(mesh: Path) -> None:
    by_git = subprocess.check_output(["git", "hash-object", "--no-filters", str(mesh)], text=True).strip()
    assert inspection.inspect(mesh) == Inspection(checksum=by_git, problem=None, references=("a.mtl",))


def test_a_second_process_does_not_read_the_file_again(mesh: Path, looks: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "store.json"
    first = StoredInspections(store)
    seen = first(mesh)
    first.save()
    assert StoredInspections(store)(mesh) == seen
    assert looks == [mesh]


def test_a_changed_file_is_read_again(mesh: Path, looks: list[Path], tmp_path: Path) -> None:
    store = tmp_path / "store.json"
    first = StoredInspections(store)
    seen = first(mesh)
    first.save()
    mesh.write_text(OBJ.replace("1 0 0", "2 0 0"))
    assert StoredInspections(store)(mesh).checksum != seen.checksum
    os.utime(mesh, ns=(LONG_AGO + 1, LONG_AGO + 1))
    assert StoredInspections(store)(mesh).checksum != seen.checksum
    assert len(looks) == 3


def test_a_file_that_was_written_just_now_is_not_stored(mesh: Path, looks: list[Path], tmp_path: Path) -> None:
    """Its next change may come within the same tick of the clock."""
    os.utime(mesh, ns=(time.time_ns(), time.time_ns()))
    for _ in range(2):
        stored = StoredInspections(tmp_path / "store.json")
        stored(mesh)
        stored.save()
    assert looks == [mesh, mesh]


@pytest.mark.parametrize("content", ["", "{", '{"a": 1}', "[]"])
def test_a_damaged_store_is_begun_anew(mesh: Path, tmp_path: Path, content: str) -> None:
    store = tmp_path / "store.json"
    store.write_text(content)
    stored = StoredInspections(store)
    stored(mesh)
    stored.save()
    assert str(mesh) in store.read_text()


def test_a_store_that_cannot_be_written_costs_only_another_look(mesh: Path, looks: list[Path]) -> None:
    for _ in range(2):
        stored = StoredInspections(mesh / "store.json")  # below a file
        assert stored(mesh).references == ("a.mtl",)
        stored.save()
    assert looks == [mesh, mesh]


def test_many_may_save_at_once(tmp_path: Path) -> None:
    store, files = tmp_path / "store.json", []
    for number in range(16):
        files.append(tmp_path / f"{number}.obj")
        files[-1].write_text(OBJ)
        os.utime(files[-1], ns=(LONG_AGO, LONG_AGO))

    def save(path: Path) -> None:
        stored = StoredInspections(store)
        stored(path)
        stored.save()

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(save, files))
    assert StoredInspections(store)(files[0]) == inspection.inspect(files[0])
    assert not list(tmp_path.glob("*.part"))
