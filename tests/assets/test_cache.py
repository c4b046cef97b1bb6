"""The cache is a folder that can be written, whatever the home is like."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from eval.assets.cache import GeneratedFiles, cache_folder, write_whole


@pytest.fixture(autouse=True)
def afresh():
    cache_folder.cache_clear()
    yield
    cache_folder.cache_clear()


def test_the_cache_lies_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "simpler-eval"


def test_without_a_home_that_can_be_written_it_is_a_private_temporary_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cache_folder().parent == tmp_path
    assert cache_folder().stat().st_mode & 0o777 == 0o700


def test_a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    for content in (b"first", b"second"):
        write_whole(tmp_path / "folder/file", content)
    assert [path.name for path in (tmp_path / "folder").iterdir()] == ["file"]
    assert (tmp_path / "folder/file").read_bytes() == b"second"


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        write_whole(tmp_path / "taken", b"content")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_new_version_of_a_generator_does_not_meet_the_files_of_the_old_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    old, new = GeneratedFiles("things", "1"), GeneratedFiles("things", "2")
    old.write("a b.txt", b"content")
    assert old.is_intact("a b.txt")
    assert not new.is_intact("a b.txt")
    assert not old.is_intact("never written")
