"""Decoded images that a training keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from policies.phi3v.training import kept
from policies.phi3v.training.kept import BETWEEN, KeptImages, memory_to_spare


def image(number: int) -> np.ndarray:
    return np.full((4, 4, 3), number, np.uint8)


def test_an_image_is_made_once() -> None:
    images, made = KeptImages(lambda: True), []

    def make(number: int) -> np.ndarray:
        made.append(number)
        return image(number)

    for number in (1, 2, 1, 2, 1):
        assert (images.get(("a", number), lambda number=number: make(number)) == number).all()
    assert made == [1, 2]


def test_no_more_are_kept_once_memory_is_short_and_all_are_still_given() -> None:
    room = iter([True, False])
    images = KeptImages(lambda: next(room))
    for number in range(2 * BETWEEN + 5):
        assert (images.get(number, lambda number=number: image(number)) == number).all()
    assert len(images) == BETWEEN
    assert (images.get(3, lambda: image(99)) == 3).all()
    assert (images.get(BETWEEN + 1, lambda: image(99)) == 99).all()


@pytest.mark.parametrize(
    ("available", "limit", "used", "spare"),
    [(50, "max", 0, True), (20, "max", 0, False), (50, "1000", 900, False), (50, "1000", 100, True), (20, "1000", 100, False)],
)
def test_memory_of_the_machine_and_of_the_container_counts(
    available: int, limit: str, used: int, spare: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "meminfo").write_text(f"MemTotal: 100 kB\nMemFree: 1 kB\nMemAvailable: {available} kB\n")
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{used + 80}\n")
    (tmp_path / "memory.stat").write_text("anon 5\ninactive_file 80\n")
    monkeypatch.setattr(kept, "MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(kept, "CONTAINER", tmp_path)
    assert memory_to_spare() is spare


def test_where_nothing_tells_how_much_memory_there_is_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MACHINE", tmp_path / "none")
    monkeypatch.setattr(kept, "CONTAINER", tmp_path)
    assert not memory_to_spare()
