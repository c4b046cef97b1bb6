"""From an image to acts: a hand that follows every command exactly, over a table on which coloured discs are drawn."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, Observation, Proprio
from policies.registry import load_policy
from policies.scripted_vision import ScriptedVisionPolicy
from policies.scripted_vision.camera import CAMERAS

TASK = "widowx_carrot_on_plate"
ORANGE, PALE_GREEN, WOOD = (240, 120, 30), (230, 250, 170), (150, 90, 60)
CAMERA = CAMERAS["widowx"](np.zeros(8))
SOURCE, GOAL = np.array([0.36, -0.05, 0.018]), np.array([0.24, 0.08, 0.003])


def info(episode: str = "e", task: str = TASK) -> EpisodeInfo:
    return EpisodeInfo(episode, task, "widowx", "put carrot on plate", 60, 5, 0)


def table(source: NDArray[np.float64] | None = SOURCE) -> NDArray[np.uint8]:
    """(480, 640, 3) with a plate, and a thing unless there is none."""
    image = np.full((480, 640, 3), WOOD, np.uint8)
    for place, colour, radius in ((GOAL, PALE_GREEN, 45), (source, ORANGE, 20)):
        if place is not None:
            cv2.circle(image, [round(float(x)) for x in CAMERA.pixel(place)], radius, colour, -1)
    return image


class Hand:
    """Goes where it is told; what it closes around within 1.5 cm goes with it."""

    def __init__(self) -> None:
        self.position = np.array([0.29, 0.0, 0.135])
        self.rotation = Rotation.from_euler("y", 90, degrees=True)
        self.source = SOURCE.copy()
        self.held = self.was_held = False

    def observe(self, step: int) -> Observation:
        tool = np.roll(self.rotation.as_quat(), 1).astype(np.float32)
        proprio = Proprio(self.position.astype(np.float32), tool, 1.0, np.zeros(8, np.float32))
        image = table(self.source)
        image.flags.writeable = False
        return Observation("e", step, "widowx", "put carrot on plate", image, proprio)

    def follow(self, action: Action) -> None:
        shift, turn, gripper = np.split(action.command, [3, 6])
        closed = bool(gripper[0] < 0)
        near = float(np.linalg.norm(self.position - self.source)) < 0.015
        self.held = closed and (self.held or near)
        self.was_held |= self.held
        self.position = self.position + shift
        self.rotation = Rotation.from_rotvec(turn) * self.rotation
        if self.held:
            self.source = self.source + shift


def played(policy: ScriptedVisionPolicy, steps: int = 60) -> Hand:
    policy.reset([info()])
    hand = Hand()
    for step in range(steps):
        action = policy.act([hand.observe(step)])[0]
        hand.follow(action)
        if action.terminate:
            break
    return hand


def test_what_is_seen_is_taken_and_put_on_what_is_seen() -> None:
    hand = played(ScriptedVisionPolicy(error=0))
    assert hand.was_held
    assert not hand.held
    assert np.linalg.norm(hand.source[:2] - GOAL[:2]) < 0.012
    assert hand.source[2] < SOURCE[2] + 0.03  # let go low, not dropped
    assert hand.position[2] > hand.source[2] + 0.03  # the hand went away


def test_the_same_image_leads_to_the_same_acts_and_another_to_others() -> None:
    first, second, third = (ScriptedVisionPolicy() for _ in range(3))
    for policy in (first, second, third):
        policy.reset([info()])
    hand = Hand()
    seen = hand.observe(0)
    hand.source = SOURCE + np.array([0.01, 0.01, 0.0])
    moved = hand.observe(0)
    acts = [policy.act([view])[0].command for policy, view in ((first, seen), (second, seen), (third, moved))]
    assert acts[0].tolist() == acts[1].tolist()
    assert np.abs(acts[0] - acts[2]).max() > 1e-3


def test_a_bad_eye_misses_and_other_episodes_err_otherwise() -> None:
    assert not played(ScriptedVisionPolicy(error=0.3)).was_held
    policy = ScriptedVisionPolicy(error=0.02)
    policy.reset([info("e"), info("f")])
    seen = Hand().observe(0)
    other = Observation("f", 0, seen.robot, seen.instruction, seen.image, seen.proprio)
    first, second = policy.act([seen, other])
    assert np.abs(first.command - second.command).max() > 1e-4


def test_it_waits_for_what_it_does_not_see_and_remembers_what_the_hand_hides() -> None:
    policy = ScriptedVisionPolicy(error=0)
    policy.reset([info()])
    hand = Hand()
    hand.source = np.array([5.0, 5.0, 0.0])  # nowhere in the image
    assert policy.act([hand.observe(0)])[0].command[:6].tolist() == [0.0] * 6
    hand.source = SOURCE
    hand.follow(policy.act([hand.observe(1)])[0])
    seen = hand.observe(2)
    hidden = seen.image.copy()  # type: ignore[union-attr]
    x, y = (round(float(value)) for value in CAMERA.pixel(SOURCE))
    hidden[y - 40 : y + 40, x : x + 40] = (40, 40, 40)
    half = policy.act([Observation("e", 2, "widowx", seen.instruction, hidden, seen.proprio)])[0]
    towards = SOURCE + np.array([0.0, 0.0, 0.1]) - hand.position
    assert half.command[:3] / np.linalg.norm(half.command[:3]) == pytest.approx(towards / np.linalg.norm(towards), abs=0.05)


def test_other_tasks_are_refused_by_name() -> None:
    with pytest.raises(UserError, match=r"does not know google_robot_open_drawer\. It knows: .*widowx_stack_cube"):
        ScriptedVisionPolicy().check_episodes([info(), info("f", "google_robot_open_drawer")])


@pytest.mark.parametrize("error", ["far", "-0.01", "nan", "inf"])
def test_an_error_that_is_no_length_is_one_line(error: str) -> None:
    with pytest.raises(UserError, match=rf"error is {error}; scripted_vision takes"):
        ScriptedVisionPolicy(error=error)


def test_its_error_is_in_the_record_and_in_titles() -> None:
    assert ScriptedVisionPolicy().describe().remarks == ()
    described = ScriptedVisionPolicy(error="0.01").describe()
    assert (described.settings, described.remarks) == ({"error": 0.01}, ("error 0.01 m",))


def test_it_is_shipped_under_its_name() -> None:
    assert isinstance(load_policy("policies.scripted_vision:ScriptedVisionPolicy"), ScriptedVisionPolicy)
    assert load_policy("scripted_vision", {"error": "0"}).needs_image
