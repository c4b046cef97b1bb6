"""Success rules, step by step in short episodes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from eval.simpler_api import SeedChain, spec_from_reset
from eval.tasks.base import TaskObservation, TaskRule
from eval.tasks.families import make_rule
from eval.tasks.grasp_check import is_grasped

CAN, CARROT, PLATE = "opened_coke_can", "bridge_carrot_generated_modified", "bridge_plate_objaverse_larger"
TABLE = 0.87


@dataclass
class Scene:
    """Object places (centre of mass = origin, unturned), what is held and what presses on what."""

    places: dict[str, tuple[float, float, float]]
    held: bool = False
    touched_by: tuple[str, ...] = ()

    def facts(self) -> TaskObservation:
        return TaskObservation(
            poses={name: np.array([*place, 1, 0, 0, 0]) for name, place in self.places.items()},
            centers={name: np.array(place) for name, place in self.places.items()},
            is_grasped=lambda name, angle: self.held,
            foreign_contact=lambda name, allowed: bool(set(self.touched_by) - allowed),
        )


def can(height: float, *, held: bool = False, touched_by: tuple[str, ...] = ()) -> TaskObservation:
    return Scene({CAN: (0.0, 0.0, TABLE + height)}, held, touched_by).facts()


@pytest.fixture
def grasp_rule() -> TaskRule:
    rule = make_rule(spec_from_reset("GraspSingleOpenedCokeCanInScene-v0", {"upright": True}, 0, {}, SeedChain()))
    rule.reset(can(0.0))
    return rule


def test_a_can_that_stands_is_no_success(grasp_rule: TaskRule) -> None:
    result = grasp_rule.evaluate(can(0.0, held=True, touched_by=("arena",)))
    assert not result.success
    assert result.episode_stats == {"n_lift_significant": 0, "consec_grasp": False, "grasped": True}


def test_a_lifted_can_must_touch_nothing_but_the_robot_once(grasp_rule: TaskRule) -> None:
    assert not grasp_rule.evaluate(can(0.05, held=True, touched_by=("arena",))).success
    assert grasp_rule.evaluate(can(0.015, held=True)).success
    assert grasp_rule.evaluate(can(0.0, held=True, touched_by=("arena",))).success  # still the same grasp
    assert not grasp_rule.evaluate(can(0.0, touched_by=("arena",))).success  # lost it


def test_five_significantly_lifted_steps_stay_a_success(grasp_rule: TaskRule) -> None:
    for _ in range(5):
        assert grasp_rule.evaluate(can(0.05, held=True)).success
    dropped = grasp_rule.evaluate(can(0.0, touched_by=("arena",)))
    assert dropped.success
    assert dropped.episode_stats == {"n_lift_significant": 5, "consec_grasp": True, "grasped": True}


def test_heights_count_from_the_reference_not_from_where_the_can_is_at_the_start(grasp_rule: TaskRule) -> None:
    start = can(0.0)
    grasp_rule.reset(TaskObservation(start.poses, start.centers, start.is_grasped, start.foreign_contact, {CAN: TABLE - 0.02}))
    assert grasp_rule.evaluate(can(0.0)).success


def carrot(place: tuple[float, float, float], plate_x: float = 0.0, touched_by: tuple[str, ...] = (PLATE,)) -> TaskObservation:
    return Scene({CARROT: place, PLATE: (plate_x, 0.0, TABLE)}, touched_by=touched_by).facts()


@pytest.fixture
def carrot_rule() -> TaskRule:
    rule = make_rule(spec_from_reset("PutCarrotOnPlateInScene-v0", {}, 0, {}, SeedChain()))
    rule.reset(carrot((-0.15, 0.0, TABLE)))
    return rule


@pytest.mark.parametrize(
    ("place", "touched_by", "success"),
    [
        ((0.0, 0.0, TABLE + 0.02), (PLATE,), True),
        ((0.0, 0.0, TABLE + 0.02), (PLATE, "arena"), False),  # half on the table
        ((0.0, 0.0, TABLE + 0.02), (), True),  # a held one counts
        ((0.0, 0.0, TABLE + 0.05), (), False),  # held too high
        ((0.0, 0.0, TABLE - 0.01), (PLATE,), False),  # below
        ((0.080, 0.0, TABLE + 0.02), (PLATE,), True),  # half diagonal 77.8 mm + 3 mm
        ((0.082, 0.0, TABLE + 0.02), (PLATE,), False),
    ],
)
def test_the_carrot_is_on_the_plate_now_and_on_nothing_else(
    place: tuple[float, float, float], touched_by: tuple[str, ...], success: bool, carrot_rule: TaskRule
) -> None:
    result = carrot_rule.evaluate(carrot(place, touched_by=touched_by))
    assert (result.success, result.flags["moved_correct_obj"]) == (success, True)
    assert not carrot_rule.evaluate(carrot((-0.15, 0.0, TABLE))).success  # not sticky


def test_moving_the_plate_more_than_the_carrot_is_reported(carrot_rule: TaskRule) -> None:
    flags = carrot_rule.evaluate(carrot((-0.11, 0.0, TABLE), plate_x=0.1)).flags
    assert flags["moved_wrong_obj"]
    assert not flags["moved_correct_obj"]


def drawer(opening: float, *, filled: bool = False) -> TaskObservation:
    return TaskObservation(
        {}, {}, lambda n, a: False, lambda n, a: False,
        drawers={"top": opening, "middle": 0.5, "bottom": 0.0}, lies_in_drawer=lambda n, d: filled and d == "top",
    )  # fmt: skip


@pytest.fixture
def place_rule() -> TaskRule:
    rule = make_rule(spec_from_reset("PlaceIntoClosedTopDrawerCustomInScene-v0", {"model_ids": "apple"}, 0, {}, SeedChain()))
    rule.reset(drawer(0.0))
    return rule


def test_the_second_part_begins_by_itself_with_step_101(place_rule: TaskRule) -> None:
    for step in range(1, 101):
        assert not place_rule.evaluate(drawer(0.2, filled=True)).success, f"step {step}"
        assert (place_rule.instruction, place_rule.is_final_subtask) == ("open top drawer", False)
    result = place_rule.evaluate(drawer(0.2))
    assert result.success  # a contact of the first part counts
    assert result.episode_stats == {"qpos": 0.2, "is_drawer_open": True, "has_contact": 100}
    assert (place_rule.instruction, place_rule.is_final_subtask) == ("place apple into top drawer", True)


def test_a_policy_may_begin_the_second_part_and_a_reset_the_first(place_rule: TaskRule) -> None:
    place_rule.advance()
    place_rule.advance()  # there is no third
    assert place_rule.instruction == "place apple into top drawer"
    assert not place_rule.evaluate(drawer(0.04, filled=True)).success  # closed again
    assert place_rule.evaluate(drawer(0.06)).success
    place_rule.reset(drawer(0.0))
    assert place_rule.instruction == "open top drawer"
    assert not place_rule.evaluate(drawer(0.2)).success


BOTTLE, PEPSI, ORANGE = "blue_plastic_bottle", "opened_pepsi_can", "orange"
AT_REST = {BOTTLE: (-0.33, 0.04, 0.95), PEPSI: (-0.33, 0.34, 0.93), ORANGE: (-0.13, 0.19, 0.9)}


@pytest.mark.parametrize(
    ("moved", "success", "failing"),
    [
        ({BOTTLE: (-0.33, 0.20, 0.95)}, True, set()),
        ({BOTTLE: (-0.40, 0.06, 0.95)}, False, {"near_tgt_obj"}),
        ({BOTTLE: (-0.17, 0.19, 0.95)}, False, {"is_closest_to_tgt"}),  # near the orange
        ({PEPSI: (-0.33, 0.20, 0.93)}, False, {"moved_correct_obj"}),  # the target was brought
        ({BOTTLE: (-0.33, 0.20, 0.95), ORANGE: (-0.13, 0.19, 0.87)}, False, {"all_obj_keep_height"}),
        ({BOTTLE: (-0.33, 0.20, 0.79)}, False, {"all_obj_keep_height"}),
    ],
)
def test_the_source_alone_is_moved_near_the_target_alone(
    moved: dict[str, tuple[float, float, float]], success: bool, failing: set[str]
) -> None:
    rule = make_rule(spec_from_reset("MoveNearGoogleInScene-v0", {}, 0, {"obj_init_options": {"episode_id": 0}}, SeedChain()))
    rule.reset(Scene(AT_REST).facts())
    result = rule.evaluate(Scene(AT_REST | moved).facts())
    assert result.success is success
    assert {name for name, met in result.flags.items() if not met and name != "moved_wrong_obj"} == failing
    assert not rule.evaluate(Scene(AT_REST).facts()).success  # not sticky


AXES = {name: np.array([0.0, 1.0, 0.0]) for name in ("left_finger_link", "right_finger_link")}


@pytest.mark.parametrize(
    ("left", "right", "max_angle", "held"),
    [
        ((0, 1, 0), (0, -1, 0), 60, True),
        ((0, 1, 0), (0, 1, 0), 60, False),  # pushed aside, not held
        ((0, 1, 0), (0, 0, 0), 60, False),  # one side only
        ((0, 1, 0), (0, -1e-7, 0), 60, False),  # hardly touching
        ((1, 1, 0), (1, -1, 0), 60, True),
        ((1, 0.5, 0), (1, -0.5, 0), 60, False),  # 63 degrees
        ((1, 0.5, 0), (1, -0.5, 0), 80, True),
    ],
)
def test_holding_needs_both_fingers_to_press_outwards(
    left: tuple[float, ...], right: tuple[float, ...], max_angle: float, held: bool
) -> None:
    impulses = {"left_finger_link": np.array(left), "right_finger_link": np.array(right)}
    assert is_grasped("widowx", impulses.__getitem__, AXES, max_angle) == held


def test_google_fingers_may_press_with_tip_or_finger_but_not_with_nails() -> None:
    links = [f"link_{part}_{side}" for part in ("finger", "finger_tip", "finger_nail") for side in ("left", "right")]
    axes = {link: np.array([1.0 if "left" in link else -1.0, 0.0, 0.0]) for link in links}

    def held_by(*pressing: str) -> bool:
        return is_grasped("google_robot", lambda link: axes[link] * (link in pressing), axes, 80)

    assert held_by("link_finger_tip_left", "link_finger_right")
    assert held_by("link_finger_left", "link_finger_right")
    assert not held_by("link_finger_nail_left", "link_finger_nail_right")
    assert not held_by("link_finger_tip_left", "link_finger_left")
