"""Decoded images that a training keeps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from policies.phi3v.training import kept
from policies.phi3v.training.kept import BETWEEN, KeptImages, memory_to_spare


class Decoding:
    """An image of each number, which it remembers to have been asked for."""

    def __init__(self) -> None:
        self.made: list[int] = []

    def __call__(self, files: Sequence[bytes]) -> list[np.ndarray]:
        self.made += [int(file) for file in files]
        return [np.full((4, 4, 3), int(file), np.uint8) for file in files]


def shown(images: KeptImages, *numbers: int) -> list[int]:
    return [int(image[0, 0, 0]) for image in images.get({number: str(number).encode for number in numbers})]


def test_an_image_is_made_once() -> None:
    decode = Decoding()
    images = KeptImages(decode, lambda: True)
    assert [shown(images, 1, 2), shown(images, 2), shown(images, 3, 1)] == [[1, 2], [2], [3, 1]]
    assert decode.made == [1, 2, 3]


def test_no_more_are_kept_once_memory_is_short_and_all_are_still_given() -> None:
    room = iter([True, False])
    decode = Decoding()
    images = KeptImages(decode, lambda: next(room))
    numbers = list(range(2 * BETWEEN + 5))
    assert shown(images, *numbers) == numbers
    assert len(images) == BETWEEN
    decode.made.clear()
    assert shown(images, 3, BETWEEN + 1, 4) == [3, BETWEEN + 1, 4]
    assert decode.made == [BETWEEN + 1]


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
