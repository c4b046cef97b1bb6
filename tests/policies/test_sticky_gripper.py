"""The grippers of both robots."""

from __future__ import annotations

from policies.sticky_gripper import Gripper


def test_a_widowx_takes_open_or_closed() -> None:
    gripper = Gripper("widowx")
    assert [gripper.command(opening) for opening in (1.0, 0.51, 0.5, 0.0)] == [1, 1, -1, -1]


def test_a_google_robot_takes_changes_and_goes_on_with_a_big_one_for_15_steps() -> None:
    gripper = Gripper("google_robot")
    openings = [1.0, 0.75, 0.0, *[1.0] * 14, 0.875]
    assert [gripper.command(opening) for opening in openings] == [0, 0.25, *[0.75] * 15, 0.125]
