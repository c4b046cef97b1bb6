"""The policy's image: foreground over the photo, colours cut to whole numbers. The renders are made by hand."""

from __future__ import annotations

import contextlib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from eval.sim.camera import PolicyCamera, load_photo

TABLE = 2


class Rendered:
    """A camera component that shows the robot on the left and the table on the right."""

    height, width = 4, 6

    def __init__(self, robot: int = 3) -> None:
        self.robot = robot

    def take_picture(self) -> None:
        pass

    def get_picture(self, name: str) -> NDArray[Any]:
        if name == "Color":
            return np.full((self.height, self.width, 4), 0.5, dtype=np.float32)
        ids = np.zeros((self.height, self.width, 4), dtype=np.int32)
        ids[..., 1] = TABLE
        ids[:, :2, 1] = self.robot
        return ids


def image(photo: NDArray[np.uint8] | None, robot_id: int = 3) -> NDArray[np.uint8]:
    table, robot = (SimpleNamespace(per_scene_id=number) for number in (TABLE, robot_id))
    scene: Any = SimpleNamespace(update_render=lambda: None, entities=[table, robot])
    camera: Any = Rendered(robot_id)
    out = np.zeros((4, 6, 3), dtype=np.uint8)
    foreground: Any = [robot]
    PolicyCamera(scene, camera, foreground, photo).take(out)
    return out


def test_the_turn_is_held_from_the_update_to_the_last_read_and_no_longer() -> None:
    happened: list[str] = []

    class Watched(Rendered):
        def take_picture(self) -> None:
            happened.append("take")

        def get_picture(self, name: str) -> NDArray[Any]:
            happened.append(name)
            return super().get_picture(name)

    class Turn(contextlib.AbstractContextManager[object]):
        def __enter__(self) -> None:
            happened.append("begin")

        def __exit__(self, *_: object) -> None:
            happened.append("end")

    scene: Any = SimpleNamespace(update_render=lambda: happened.append("update"), entities=[])
    camera: Any = Watched()
    photo = np.zeros((4, 6, 3), dtype=np.uint8)
    policy_camera = PolicyCamera(scene, camera, [], photo, Turn())
    for render in (lambda: policy_camera.take(photo.copy()), policy_camera.raw):
        happened.clear()
        render()
        assert happened == ["begin", "update", "take", "Color", "Segmentation", "end"]


def test_colours_are_cut_not_rounded() -> None:
    assert (image(None) == 127).all()  # 127.5


@pytest.mark.parametrize("robot_id", [3, 255, 256 + TABLE, 300])
def test_the_photo_shows_wherever_nothing_of_the_foreground_is(robot_id: int) -> None:
    shown = image(np.full((4, 6, 3), 9, dtype=np.uint8), robot_id)
    assert (shown[:, :2] == 127).all()
    assert (shown[:, 2:] == 9).all()


def test_a_photo_is_scaled_and_its_alpha_dropped(tmp_path: Path) -> None:
    blue_green_red_alpha = np.zeros((8, 12, 4), dtype=np.uint8)
    blue_green_red_alpha[...] = (10, 20, 30, 0)
    cv2.imwrite(str(tmp_path / "photo.png"), blue_green_red_alpha)
    photo = load_photo(tmp_path / "photo.png", 4, 6)
    assert photo.shape == (4, 6, 3)
    assert np.abs(photo.reshape(-1, 3).astype(int) - [30, 20, 10]).max() <= 1
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(OSError, match=r"text\.png"):
        load_photo(tmp_path / "text.png", 4, 6)
