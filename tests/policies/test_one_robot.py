"""``policies.load``: one policy beside one camera; what a caller gets wrong is said at once, and costs the policy nothing."""

from __future__ import annotations

import numpy as np
import pytest

import policies
from eval.errors import UserError
from policies.one_robot import OneRobot
from policies.random import RandomPolicy

IMAGE = np.zeros((4, 6, 3), np.uint8)


class Looks(RandomPolicy):
    """Random, but it needs the picture, and cannot be closed twice."""

    needs_image = True

    def close(self):
        del self.open

    def __init__(self):
        super().__init__()
        self.open = True


@pytest.mark.parametrize("image", [
    None, "image.png", IMAGE.tolist(), IMAGE.astype(np.float32), IMAGE[..., 0], IMAGE[..., :1], IMAGE[:0],
])  # fmt: skip
def test_what_is_no_picture_is_refused_and_costs_nothing(image):
    robot, other = OneRobot(Looks()), OneRobot(Looks())
    robot.predict(IMAGE, "put carrot on plate")
    other.predict(IMAGE, "put carrot on plate")
    with pytest.raises(ValueError, match=r"image.*\(H, W, 3\) uint8"):
        robot.predict(image, "put carrot on plate")
    ours, theirs = (each.predict(IMAGE, "put carrot on plate").command for each in (robot, other))
    assert np.array_equal(ours, theirs)


def test_an_instruction_is_a_text_and_a_seed_a_number():
    robot = policies.load("random")
    for instruction in (None, 3, b"put carrot on plate"):
        with pytest.raises(ValueError, match="the instruction must be a text"):
            robot.predict(IMAGE, instruction)
    with pytest.raises(TypeError, match="integer"):
        robot.reset("x")


def test_closing_twice_is_one_closing_and_then_nothing_is_predicted():
    with OneRobot(Looks()) as robot:
        robot.predict(IMAGE, "put carrot on plate")
        robot.close()
    with pytest.raises(RuntimeError, match="the policy is closed; load it again"):
        robot.predict(IMAGE, "put carrot on plate")


def test_a_name_that_is_none_is_one_line():
    with pytest.raises(UserError, match='Did you mean "random"'):
        policies.load("randon")
    with pytest.raises(UserError, match=r'robot "widow" is not known. Did you mean "widowx"'):
        policies.load("random", robot="widow")
