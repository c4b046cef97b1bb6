"""Resets in the original's words: which option wins, what is sampled, and one clear line for what is not understood."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.simpler_api import NotSupported, SeedChain, spec_from_reset

CAN = "GraspSingleOpenedCokeCanInScene-v0"
DISTRACTED = "GraspSingleOpenedCokeCanDistractorInScene-v0"
TILTED = "GraspSingleOpenedCokeCanAltGoogleCameraInScene-v0"
CARROT = "PutCarrotOnPlateInScene-v0"
NEAR = "MoveNearGoogleInScene-v0"
DRAWER = "OpenTopDrawerCustomInScene-v0"
PLACE = "PlaceIntoClosedTopDrawerCustomInScene-v0"


def reset(env_id: str, kwargs: dict[str, Any], seed: int | None = 3, **options: Any) -> EpisodeSpec:
    return spec_from_reset(env_id, kwargs, seed, options, SeedChain())


def rotation(spec: EpisodeSpec, number: int = 0) -> Rotation:
    return Rotation.from_quat(np.roll(spec.objects[number].quat, -1))


def test_the_orientation_comes_from_the_options_before_the_keywords() -> None:
    by_keyword = reset(CAN, {"lr_switch": True, "upright": True})  # upright comes first
    assert by_keyword.objects[0].quat == pytest.approx((0.5**0.5, 0.5**0.5, 0, 0))
    by_option = reset(CAN, {"upright": True}, obj_init_options={"orientation": "horizontal_can"})
    assert by_option.objects[0].quat == (0, 0, 0, 1)
    standing = reset(CAN, {"lr_switch": True}, obj_init_options={"orientation": "standing"})
    assert standing.objects[0].quat == by_keyword.objects[0].quat
    given = reset(CAN, {}, obj_init_options={"orientation": "standing", "init_rot_quat": np.array([0.0, 1, 0, 0])})
    assert given.objects[0].quat == (0, 1, 0, 0)


def test_random_rotations_follow_the_draw_of_the_place() -> None:
    rng = np.random.RandomState(11)
    place = rng.uniform([-0.35, -0.02], [-0.12, 0.42])
    about_z = Rotation.from_rotvec([0, 0, rng.uniform(0, 2 * np.pi)])
    axis = rng.uniform(-1, 1, 3)
    tilt = Rotation.from_rotvec(axis / np.linalg.norm(axis) * rng.uniform(0, 0.3))
    wished = {"init_rand_rot_z": True, "init_rand_axis_rot_range": 0.3}
    spec = reset(CAN, {"upright": True}, seed=11, obj_init_options=wished)
    expected = about_z * Rotation.from_rotvec([np.pi / 2, 0, 0]) * tilt
    assert spec.objects[0].xy == pytest.approx(place, abs=1e-12)
    assert (rotation(spec).inv() * expected).magnitude() < 1e-9


def test_distractors_keep_the_orientation_from_before_the_random_turn() -> None:
    spec = reset(DISTRACTED, {"upright": True}, obj_init_options={"init_rand_rot_z": True})
    plain = reset(DISTRACTED, {"upright": True})
    assert spec.objects[0].quat != plain.objects[0].quat
    assert {item.quat for item in spec.objects[1:]} == {plain.objects[0].quat}


def test_a_distractor_can_be_put_in_place() -> None:
    wished = {"apple": {"init_xy": [-0.2, 0.3], "init_rot_quat": [1, 0, 0, 0]}}
    spec = reset(DISTRACTED, {"lr_switch": True}, distractor_obj_init_options=wished)
    apple = next(item for item in spec.objects if item.model == "apple")
    assert (apple.role, apple.xy, apple.quat) == ("distractor", (-0.2, 0.3), (1, 0, 0, 0))


def test_robot_options_replace_the_defaults_one_by_one() -> None:
    spec = reset(CAN, {}, robot_init_options={"init_height": 0.5, "qpos": np.zeros(11)})
    assert spec.robot_height == 0.5
    assert spec.robot_qpos == (0.0,) * 11
    assert spec.robot_quat == (0, 0, 0, 1)
    assert 0.30 <= spec.robot_xy[0] <= 0.40


def test_what_the_prepackaged_setting_and_the_tilted_camera_overwrite() -> None:
    wished = {"init_xy": [1.0, 1.0], "qpos": [0.0] * 11}
    fixed = reset(CAN, {"prepackaged_config": True, "scene_name": "elsewhere"}, robot_init_options=wished)
    assert (fixed.robot_xy, fixed.scene) == ((0.35, 0.20), "google_pick_coke_can_1_v4")
    assert fixed.robot_qpos[0] != 0.0
    tilted = reset(TILTED, {}, robot_init_options=wished)
    assert (tilted.robot_xy, tilted.robot_qpos[-1]) == ((1.0, 1.0), 0.9351361)
    assert tilted.robot_qpos[0] != 0.0


def test_the_callers_options_are_left_alone() -> None:
    options = {"robot_init_options": {"init_xy": [0.35, 0.2]}, "obj_init_options": {"init_xy": [-0.2, 0.1]}}
    before = copy.deepcopy(options)
    spec_from_reset(TILTED, {}, None, options, SeedChain())
    assert options == before


def test_a_seed_restarts_the_chain() -> None:
    chain = SeedChain()
    seeds = [chain.next(), chain.next(), chain.next(7), chain.next()]
    assert seeds[:3] == [40194941, 2089909345, 7]
    assert seeds[3] == SeedChain(7).next()


def test_carrot_ids_wrap_around() -> None:
    first, wrapped = (reset(CARROT, {}, obj_init_options={"episode_id": number}) for number in (5, 29))
    assert first.objects == wrapped.objects


@pytest.mark.parametrize(
    ("flags", "lighting"),
    [
        ({"slightly_brighter_lighting": True, "slightly_darker_lighting": True}, "slightly_darker"),
        ({"original_lighting": True, "slightly_darker_lighting": True}, "original"),
        ({"ambient_only_lighting": True}, "ambient_only"),
        ({"light_mode": "simple"}, "ambient_only"),
        ({"light_mode": "evening"}, "default"),
    ],
)
def test_moving_near_asks_for_lights_in_its_own_order(flags: dict[str, Any], lighting: str) -> None:
    assert reset(NEAR, flags).lighting == lighting


def test_cabinet_keywords_choose_station_light_and_camera() -> None:
    words = {"station_name": "mk_station3", "light_mode": "brighter", "camera_mode": "variant", "cabinet_joint_friction": 0.1}
    spec = reset(DRAWER, words)
    assert spec.cabinet is not None
    assert (spec.cabinet.station, spec.cabinet.joint_friction, spec.lighting) == ("mk_station3", 0.1, "brighter")
    assert spec.robot_qpos[-2:] == pytest.approx((-0.00285961 - 0.025, 0.7851361 + 0.008))
    assert reset(DRAWER, {"light_mode": "evening"}).lighting == "default"  # an unknown mode is no error there


def test_a_number_opens_the_drawer_of_the_task_and_a_list_all_three() -> None:
    opened = [reset(DRAWER, {}, obj_init_options={"cabinet_init_qpos": q}).cabinet for q in (0.3, [0.1, 0.2, 0.3])]
    assert [cabinet.qpos for cabinet in opened if cabinet] == [(0.3, 0.0, 0.0), (0.1, 0.2, 0.3)]
    closing = reset("CloseMiddleDrawerCustomInScene-v0", {}).cabinet
    assert closing is not None
    assert closing.qpos == (0.0, 0.2, 0.0)


def test_the_target_of_a_drawer_can_be_chosen() -> None:
    spec = reset(PLACE, {"model_ids": "apple"}, obj_init_options={"init_xy": [-0.05, 0.03]})
    assert [(o.model, o.xy, o.density) for o in spec.objects] == [("apple", (-0.05, 0.03), 800.0)]
    assert (spec.instruction, *spec.later_instructions) == ("open top drawer", "place apple into top drawer")


def test_without_distractor_the_source_comes_first() -> None:
    spec = reset(NEAR, {"no_distractor": True}, obj_init_options={"episode_id": 4})
    assert [(o.model, o.role) for o in spec.objects] == [("orange", "source"), ("blue_plastic_bottle", "goal")]


def test_single_classes_of_the_grasp_family() -> None:
    assert reset("GraspSingleCokeCanInScene-v0", {"upright": True}).objects[0].model == "coke_can"
    assert reset("GraspSingleAppleInScene-v0", {}).objects[0].quat == (1, 0, 0, 0)
    assert reset("GraspSingleAltDensityOpenedCokeCanInScene-v0", {}).objects[0].density == 100
    away = reset("GraspSingleDummy-v0", {}, robot_init_options={"init_xy": [0.35, 0.2]})
    assert (away.robot_xy, away.robot_height) == ((100, 100), 50)


@pytest.mark.parametrize(
    ("env_id", "kwargs", "options", "error", "said"),
    [
        ("TurnFaucet-v0", {}, {}, NotSupported, "is not built."),
        ("GraspSingleOpenedCokeCanInScene-v1", {}, {}, NotSupported, f'Did you mean "{CAN}"?'),
        (CAN, {"slightly_darker_lightning": True}, {}, NotSupported, 'Did you mean "slightly_darker_lighting"?'),
        (CAN, {"robot": "google_robot"}, {}, NotSupported, 'Did you mean "google_robot_static"?'),
        (CAN, {"scene_name": "moon"}, {}, NotSupported, 'Scene "moon" is not built.'),
        (CAN, {"shader_dir": "raster"}, {}, NotSupported, 'shader_dir "raster" is not built.'),
        (DISTRACTED, {"distractor_config": "mor"}, {}, NotSupported, 'Did you mean "more"?'),
        (CARROT, {"upright": True}, {}, NotSupported, 'Keyword "upright"'),
        (CAN, {"sim_freq": "fast"}, {}, UserError, "sim_freq: input should be a valid integer"),
        (CAN, {}, {"obj_init_option": {}}, UserError, 'Did you mean "obj_init_options"?'),
        (CAN, {}, {"obj_init_options": {"init_yx": [0, 0]}}, UserError, 'Did you mean "init_xy"?'),
        (CAN, {}, {"obj_init_options": {"init_xy": [0.0]}}, UserError, "obj_init_options.init_xy"),
        (CAN, {}, {"obj_init_options": {"orientation": "uprigt"}}, UserError, 'Did you mean "upright"?'),
        (CAN, {}, {"robot_init_options": {"qpos": [0.0] * 8}}, UserError, "8 numbers for the 11 joints"),
        (CAN, {}, {"model_id": "opened_coke"}, UserError, 'Did you mean "opened_coke_can"?'),
        (CARROT, {}, {"obj_init_options": {"episode_id": -1}}, UserError, "episode_id"),
        (NEAR, {}, {"obj_init_options": {"episode_id": 60}}, UserError, "0 to 59"),
        (DRAWER, {"station_name": "mk_station5"}, {}, NotSupported, 'Station "mk_station5" is not built. Did you mean'),
        (DRAWER, {"camera_mode": "varant"}, {}, NotSupported, 'Did you mean "variant"?'),
        (DRAWER, {}, {"obj_init_options": {"cabinet_init_qpos": [0.1, 0.2]}}, UserError, "from top to bottom"),
        (PLACE, {"force_advance_subtask_time_steps": 50}, {}, NotSupported, "is built for 100 only"),
    ],
)
def test_what_is_not_understood_is_one_line(
    env_id: str, kwargs: dict[str, Any], options: dict[str, Any], error: type[UserError], said: str
) -> None:
    with pytest.raises(error) as caught:
        spec_from_reset(env_id, kwargs, 0, options, SeedChain())
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
