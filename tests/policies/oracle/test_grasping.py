"""How the oracle takes an object, and when it says "done": no simulator."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from policies.base import DrawerState, Observation, Privileged, Proprio
from policies.motion import GOOGLE, STANDING_STEPS, WIDOWX, Standstill
from policies.oracle.grasping import clearance, grasp_of
from policies.oracle.place import ALMOST_CLOSED, OPENED, Place
from policies.oracle.state import drawer_of

UNTURNED = (1.0, 0.0, 0.0, 0.0)


def state_with(sides: tuple[float, float, float], quat: Any = UNTURNED, opening: float = 0.0) -> Privileged:
    """A thing at the origin that lies on its lower side, and a robot half a metre away on x."""
    half = np.array(sides) / 2
    return Privileged(
        family="place",
        objects={"thing": np.array([0.0, 0.0, 0.0, *quat])},
        boxes={"thing": np.stack([-half, half])},
        roles={"target": "thing"},
        tcp=np.array([0.1, 0.0, 0.3, 0.0, 1.0, 0.0, 0.0]),
        base=np.array([0.5, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]),
        drawer=DrawerState(opening, np.array([0.0, 0.0, -0.2, *UNTURNED])),
    )


def closing_direction(state: Privileged) -> Any:
    return grasp_of(GOOGLE, state, "thing")[1].as_matrix()[:, GOOGLE.closing]


@pytest.mark.parametrize("turn", [0.0, 0.4, 1.2])
def test_the_fingers_close_across_the_narrower_side(turn: float) -> None:
    quat = Rotation.from_rotvec([0.0, 0.0, turn]).as_quat(scalar_first=True)
    direction = closing_direction(state_with((0.12, 0.03, 0.04), quat))[:2]
    along = np.array([np.cos(turn), np.sin(turn)])
    assert abs(direction @ along) < 0.25 * np.linalg.norm(direction)


def test_a_can_that_stands_or_lies_is_taken_by_its_own_axis() -> None:
    standing = Rotation.from_rotvec([np.pi / 2, 0.0, 0.0]).as_quat(scalar_first=True)
    assert abs(closing_direction(state_with((0.066, 0.123, 0.066), standing))[1]) > 0.99  # sideways to the arm
    assert abs(closing_direction(state_with((0.066, 0.123, 0.066)))[0]) > 0.8  # lies along y


def test_a_turned_cube_is_taken_across_the_face_that_is_more_sideways() -> None:
    quat = Rotation.from_rotvec([0.0, 0.0, 0.5]).as_quat(scalar_first=True)
    direction = closing_direction(state_with((0.03, 0.03, 0.03), quat))[:2]
    assert abs(direction @ np.array([-np.sin(0.5), np.cos(0.5)])) > 0.95


def test_the_tool_stays_above_a_flat_thing_and_goes_to_the_middle_of_a_high_one() -> None:
    flat, _ = grasp_of(GOOGLE, state_with((0.1, 0.07, 0.006)), "thing")
    assert flat[2] > 0.004
    assert flat[0] > 0.0  # back along the lean, so that the tips still meet at the middle
    assert np.allclose(grasp_of(GOOGLE, state_with((0.1, 0.07, 0.08)), "thing")[0], 0.0)
    assert np.allclose(grasp_of(WIDOWX, state_with((0.1, 0.03, 0.02)), "thing")[0], 0.0)


@pytest.mark.parametrize(("height", "level"), [(0.03, True), (0.08, False)])
def test_both_fingers_come_down_equally_far_around_a_low_thing(height: float, level: bool) -> None:
    quat = Rotation.from_rotvec([0.0, 0.0, 0.3]).as_quat(scalar_first=True)
    direction = closing_direction(state_with((0.03, 0.12, height), quat))
    assert bool(abs(direction[2]) < 1e-6) is level


def test_the_hand_passes_low_over_a_low_thing_and_above_the_top_of_a_high_one() -> None:
    assert clearance(state_with((0.1, 0.07, 0.02)), "thing") < 0.08
    assert clearance(state_with((0.06, 0.06, 0.2)), "thing") > 0.1


def test_a_hand_that_stays_where_it_is_counts_as_standing_after_some_steps() -> None:
    state, standstill = state_with((0.1, 0.1, 0.1)), Standstill()
    assert [standstill.seen(state) for _ in range(STANDING_STEPS + 1)] == [False] * STANDING_STEPS + [True]
    state.tcp[2] += 0.01
    assert not standstill.seen(state)


@pytest.mark.parametrize(("instruction", "done"), [("open top drawer", True), ("place apple into top drawer", False)])
def test_an_open_drawer_ends_the_first_subtask_but_never_the_episode(instruction: str, done: bool) -> None:
    script = Place()
    state = state_with((0.08, 0.08, 0.08), opening=OPENED + 0.01)
    feels = Proprio(np.zeros(3, np.float32), np.zeros(4, np.float32), 1.0, np.zeros(11, np.float32))
    said = []
    for step in range(200):
        state.tcp[:3] += 0.5 * (script_target(state) - state.tcp[:3])
        action = script.act(Observation("e", step, "google_robot", instruction, None, feels, state))
        said.append(action.terminate)
        if script._phase != "open":
            break
    assert script._phase == "rise"
    assert said[-1] is done
    assert not any(said[:-1])


def test_the_hand_that_is_to_grasp_later_hooks_the_drawer_without_a_squeeze() -> None:
    script, state = Place(), state_with((0.08, 0.08, 0.08))
    feels = Proprio(np.zeros(3, np.float32), np.zeros(4, np.float32), 1.0, np.zeros(11, np.float32))
    seen = Observation("e", 0, "google_robot", "open top drawer", None, feels, state)
    assert [script.act(seen).world[6] for _ in range(3)] == [ALMOST_CLOSED, 0.0, 0.0]


def script_target(state: Privileged) -> Any:
    """The panel's edge: near enough for the script's patience to run out phase by phase."""
    return drawer_of(state).frame[:3]
