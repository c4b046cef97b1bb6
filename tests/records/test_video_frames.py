"""How a frame is laid out: nothing overlaps, nothing from outside breaks it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eval.records.action_bars import DOWN, UP, ActionBars, full_scales
from eval.records.lettering import fitted, text_width, wrapped
from eval.records.policy_view import Seen
from eval.records.video_frames import FrameLayout, picture_size

ODD = ("", "pick", "\u6293\u4f4f the can", "a\x1b[31m\x00\n\tb", "\ud800 \u202eabc", "word" * 400, "word " * 400)


def frame_of(size: tuple[int, int] = (48, 64), text: str = "pick", policy: str = "oracle", images: int = 0, **more: Any) -> Any:
    layout = FrameLayout(size, text, policy, 10, images, (0.1, 1.0, 1.0), True)
    seen = Seen((np.full((30, 90, 3), 255, np.uint8),) * images, (text,) * images)
    given = {"step": 3, "flags": [False, True, False, True], "verdict": None, "action": (), **more}
    frame = layout.frame(np.full((*size, 3), 130, np.uint8), seen=seen, **given)
    assert frame.shape[:2] == layout.size
    return frame


@pytest.mark.parametrize("text", ODD)
def test_any_text_is_drawn(text: str) -> None:
    height, width = picture_size(48, 64)
    for images in (0, 1, 2):
        frame = frame_of(text=text, policy=text, images=images, verdict="errored")
        assert (frame[:height, :width] == 130).all(), "never over the picture"


@pytest.mark.parametrize("size", [(1, 1), (33, 47), (480, 640), (900, 300), (40, 1280)])
@pytest.mark.parametrize("images", [0, 1, 2])
def test_any_size_of_camera_makes_a_frame_of_even_size(size: tuple[int, int], images: int) -> None:
    frame = frame_of(size, images=images, action=(0.1, -0.1, 0, 1, -1, 0, 1))
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    height, width = picture_size(*size)
    assert width >= 400
    assert (frame[:height, :width] == 130).all()


@pytest.mark.parametrize("text", ODD)
def test_text_keeps_to_its_lines(text: str) -> None:
    lines = wrapped(text, 20, 300, 2)
    assert len(lines) <= 2
    assert all(text_width(line, 20) <= 300 for line in [*lines, fitted(text, 20, 300)])
    if len(text) > 100:
        assert lines[-1].endswith("…"), "that something is missing is said"


def test_a_short_text_is_left_as_it_is() -> None:
    assert wrapped("move the can near the orange", 20, 160, 2) == ["move the can", "near the orange"]
    assert fitted("pick the can", 20, 300) == "pick the can"


@pytest.mark.parametrize(
    ("actions", "scales"),
    [
        ([(0.03, -0.012, 0, 0.11, 0, 0, -1)], (0.05, 0.2, 1)),
        ([(0.05, 0, 0, 1, 0, 0, 0.5), (0, 0, 0.001, 0, -7, 0, 0)], (0.05, 10, 0.5)),
        ([(np.nan, np.inf, 0, 0, 0, 0, 0)], (1, 1, 1)),
        ([(), (3e8,)], (5e8, 1, 1)),
        ([], (1, 1, 1)),
    ],
)
def test_a_full_bar_is_a_round_number_that_nothing_exceeds(actions: Any, scales: Any) -> None:
    assert full_scales(actions) == scales


def test_a_bar_shows_size_and_sign() -> None:
    bars = ActionBars(0, 0, 400, 120, 12, (0.1, 1.0, 1.0))

    def area(color: Any, *action: float) -> int:
        image = np.zeros((120, 400, 3), np.uint8)
        bars.fill(image, action)
        return int((image == color).all(axis=2).sum())

    assert area(UP, 0.1) == area(DOWN, -0.1) == area(UP, 9.0) > 0, "no bar leaves its track"
    assert area(UP, 0.05) == pytest.approx(area(UP, 0.1) / 2, rel=0.1)
    assert area(UP, 0.5) == area(UP, 0, 0, 0, 1.0), "each group has a scale of its own"
    assert area(UP, 0.0) == area(UP, np.nan) == area(DOWN, 0.1) == 0
