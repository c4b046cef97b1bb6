"""Plans: the right grids, honest subsets, and one clear line for a wish that cannot be met."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import numpy as np
import pytest
from recordings import golden

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.aggregation import counts as counts_in_average
from eval.simpler_api import SeedChain, spec_from_reset

CAN, CARROT = "google_robot_pick_coke_can", "widowx_carrot_on_plate"
EVALUATOR_FIRST_SEED = 40194941
SUITES = {
    "google_robot_visual_matching": 864,
    "google_robot_variant_aggregation": 1992,
    "alt_urdf": 1803,
    "widowx_visual_matching": 96,
}


def world_of(spec: EpisodeSpec) -> str:
    """All that a world sees of an episode, without how it is filed."""
    return spec.model_dump_json(exclude={"task", "setting", "variant", "index", "simpler_reset"})


def counts(specs: list[EpisodeSpec]) -> dict[str, int]:
    return dict(Counter(spec.variant for spec in specs))


def test_visual_matching_grids_are_complete() -> None:
    can, carrot = make_plan(tasks=[CAN]), make_plan(tasks=[CARROT])
    assert (len(can), len(carrot)) == (300, 24)
    assert set(counts(can).values()) == {25}
    assert len(counts(can)) == 12
    assert len({spec.id for spec in can + carrot}) == 324
    assert {spec.seed for spec in can + carrot} == {EVALUATOR_FIRST_SEED}
    assert {spec.max_steps for spec in can} == {80}
    assert {spec.max_steps for spec in carrot} == {60}
    assert {spec.instruction for spec in can + carrot} == {"pick coke can", "put carrot on plate"}


@pytest.mark.parametrize(
    ("setting", "variants"),
    [("visual_matching", 12), ("variant_aggregation", 33), ("alt_urdf", 33), ("robot_ablation", 21)],
)
def test_each_sweep_of_the_can_has_25_places_a_variant(setting: str, variants: int) -> None:
    by_variant = counts(make_plan(tasks=[CAN], setting=setting))
    assert len(by_variant) == variants
    assert set(by_variant.values()) == {25}


@pytest.mark.parametrize(("suite", "episodes"), SUITES.items())
def test_suites_have_as_many_episodes_as_the_original_has(suite: str, episodes: int) -> None:
    plan = make_plan(suite=suite)
    assert len(plan) == len({spec.id for spec in plan}) == len({world_of(spec) for spec in plan}) == episodes
    counted = sum(counts_in_average((spec.task, spec.setting, spec.variant)) for spec in plan)
    assert counted == {1992: 1722, 1803: 1533}.get(episodes, episodes)


def test_an_episode_that_two_suites_hold_is_planned_once() -> None:
    google, widowx = "google_robot_visual_matching", "widowx_visual_matching"
    both = make_plan(suite=[google, widowx])
    assert [spec.id for spec in both] == [spec.id for suite in (google, widowx) for spec in make_plan(suite=suite)]
    assert {spec.id for spec in make_plan(suite=[widowx, "everything"])} == {spec.id for spec in make_plan(suite="everything")}
    assert len(make_plan(suite=[widowx, "everything"])) == len(make_plan(suite="everything"))
    with pytest.raises(UserError, match="Did you mean"):
        make_plan(suite=[google, "widowx_visual_matchin"])


def test_everything_is_in_everything() -> None:
    ids = {spec.id for spec in make_plan(suite="everything")}
    for suite in (*SUITES, "tracevla_table1"):
        assert {spec.id for spec in make_plan(suite=suite)} <= ids
    in_table = {spec.task for spec in make_plan(suite="tracevla_table1")}
    assert in_table == {CAN, *(f"google_robot_{name}" for name in ("move_near", "open_drawer", "close_drawer"))}


@pytest.mark.parametrize("suite", SUITES)
def test_sweeps_are_the_scenes_that_the_original_evaluator_makes(suite: str) -> None:
    """Variant by variant: each of ours is one of theirs, episode by episode in their order."""
    sweeps = json.loads(golden("simpler_spec/sweeps.json").read_text())
    expected = [tuple(map(world_of, scenes_of(v, sweeps))) for v in sweeps["suites"][suite]["variants"]]
    ours: dict[tuple[str, str], list[str]] = {}
    for spec in make_plan(suite=suite):
        ours.setdefault((spec.task, spec.variant), []).append(world_of(spec))
    assert Counter(map(tuple, ours.values())) == Counter(expected)


def scenes_of(variant: dict[str, Any], sweeps: dict[str, Any]) -> list[EpisodeSpec]:
    """What the original's evaluator makes: a new environment per episode, reset once without a seed."""
    kwargs = {
        "robot": variant["robot"],
        "scene_name": variant["scene_name"],
        "sim_freq": variant["sim_freq"],
        "control_freq": variant["control_freq"],
        "max_episode_steps": variant["max_episode_steps"],
        **dict(variant["additional_env_build_kwargs"]),
    }
    specs = []
    for run in variant["runs"]:
        photo = {"rgb_overlay_path": f"real_inpainting/{run['rgb_overlay']}"} if run["rgb_overlay"] else {}
        for pose in sweeps["robot_sets"][run["robot_set"]]["poses"]:
            robot = {"init_xy": pose["init_xy"], "init_rot_quat": pose["init_rot_quat"]}
            for target in _targets(sweeps["object_sets"][run["object_set"]]):
                options = {"robot_init_options": robot, "obj_init_options": target}
                specs.append(spec_from_reset(variant["env_name"], kwargs | photo, None, options, SeedChain()))
    return specs


def _targets(places: dict[str, Any]) -> list[dict[str, Any]]:
    if places["mode"] == "xy":
        return [{"init_xy": (x, y)} for x in np.linspace(*_range(places, "x")) for y in np.linspace(*_range(places, "y"))]
    return [{"episode_id": number} for number in range(*places["episode_range"])]


def _range(places: dict[str, Any], axis: str) -> tuple[float, float, int]:
    low, high, count = places[f"{axis}_range"]
    return low, high, int(count)


def test_an_id_does_not_depend_on_how_the_episode_was_asked_for() -> None:
    in_suite = {spec.id for spec in make_plan(suite="coke_can_and_carrot")}
    assert in_suite == {spec.id for spec in make_plan(tasks=[CARROT, CAN])}
    assert {spec.id for spec in make_plan()} <= in_suite  # the demo plays real episodes of the benchmark


def test_a_limit_is_spread_and_holds_what_a_smaller_one_holds() -> None:
    full = make_plan(tasks=[CAN, CARROT])
    previous: set[str] = set()
    for limit in (1, 3, 7, 24):
        plan = make_plan(tasks=[CAN, CARROT], limit=limit)
        ids = {spec.id for spec in plan}
        assert Counter(spec.task for spec in plan) == {CAN: limit, CARROT: limit}
        assert previous <= ids <= {spec.id for spec in full}
        previous = ids
    three = make_plan(tasks=[CAN], limit=3)
    assert len({spec.objects[0].quat for spec in three}) == 3
    per_variant = counts(make_plan(tasks=[CAN], limit=24))
    assert set(per_variant.values()) == {2}
    places = {spec.objects[0].xy for spec in make_plan(tasks=[CAN], limit=24)}
    assert len(places) >= 12


def test_variants_are_chosen_by_patterns() -> None:
    plan = make_plan(tasks=[CAN], variants=["horizontal/*", "*/urdf=none"])
    assert len(counts(plan)) == 4 + 2
    assert {spec.id for spec in plan} < {spec.id for spec in make_plan(tasks=[CAN])}


def test_tasks_that_name_their_variants_differently_are_narrowed_together() -> None:
    plan = make_plan(tasks=[CAN, CARROT], variants=["standing/urdf=none", "default"])
    assert counts(plan) == {"standing/urdf=none": 25, "default": 24}
    by_environment = make_plan(tasks=["GraspSingleOpenedCokeCanInScene-v0", CARROT], variants=["standing/urdf=none", "default"])
    assert [spec.id for spec in by_environment] == [spec.id for spec in plan]
    with pytest.raises(UserError, match="No variant of google_robot_pick_coke_can or widowx_carrot_on_plate matches 'defalt'"):
        make_plan(tasks=[CAN, CARROT], variants=["standing/urdf=none", "defalt"])
    with pytest.raises(UserError, match=r"No variant of widowx_carrot_on_plate matches 'standing/\*'.*known: default"):
        make_plan(tasks=[CAN, CARROT], variants=["standing/*"])


def test_a_limit_beyond_the_grid_takes_all() -> None:
    assert len(make_plan(tasks=[CARROT], limit=1000)) == 24


def test_a_sample_is_even_over_the_variants_and_repeatable() -> None:
    once, again = make_plan(tasks=[CAN], sample=0.2, seed=7), make_plan(tasks=[CAN], sample=0.2, seed=7)
    assert once == again
    assert set(counts(once).values()) == {5}
    assert once != make_plan(tasks=[CAN], sample=0.2, seed=8)


def test_prepackaged_scenes_come_from_their_seeds() -> None:
    plan = make_plan(tasks=[CAN], setting="prepackaged", seed=3, limit=4)
    assert [spec.seed for spec in plan] == [3, 4, 5, 6]
    overlap = make_plan(tasks=[CAN], setting="prepackaged", seed=5, limit=4)
    assert [spec.id for spec in plan[2:]] == [spec.id for spec in overlap[:2]]
    expected = spec_from_reset("GraspSingleOpenedCokeCanInScene-v0", {"prepackaged_config": True}, 3, {}, SeedChain())
    assert world_of(plan[0]) == world_of(expected)


def test_another_step_limit_is_another_episode() -> None:
    (short,), (normal,) = make_plan(tasks=[CARROT], limit=1, max_steps=3), make_plan(tasks=[CARROT], limit=1)
    assert short.max_steps == 3
    assert short.id != normal.id
    assert short.objects == normal.objects


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"tasks": ["google_robot_pick_coke"]}, 'Did you mean "google_robot_pick_coke_can"?'),
        ({"suite": "coke_can_and_carot"}, 'Did you mean "coke_can_and_carrot"?'),
        ({"tasks": [CAN], "setting": "visual_maching"}, 'Did you mean "visual_matching"?'),
        ({"tasks": [CARROT], "setting": "robot_ablation"}, "Known: prepackaged, visual_matching"),
        ({"suite": "demo", "tasks": [CAN]}, "either a suite or tasks"),
        ({"tasks": [CAN], "variants": ["horizontal/urdf=nine"]}, 'Did you mean "horizontal/urdf=none"?'),
        ({"tasks": [CAN], "variants": ["horizontal/*", "sitting/*"]}, "matches 'sitting/*'"),
        ({"variants": ["*"]}, "give tasks with them"),
        ({"limit": 0}, "at least 1"),
        ({"sample": 1.5}, "at most 1"),
        ({"max_steps": 0}, "at least 1"),
        ({"seed": -1}, "at least 0"),
        ({"tasks": []}, "tasks is empty, so there is nothing to play"),
        ({"tasks": (name for name in ())}, "tasks is empty, so there is nothing to play"),
        ({"suite": ()}, "suite is empty, so there is nothing to play"),
        ({"suite": "nowhere/mine.yaml"}, "nowhere/mine.yaml: cannot be read"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        make_plan(**wish)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    """A search over settings counts in NumPy's."""
    number, share = np.int64(2), np.float32(0.5)
    assert ids(make_plan(tasks=CAN, limit=number, max_steps=number)) == ids(make_plan(tasks=CAN, limit=2, max_steps=2))
    assert ids(make_plan(tasks=CAN, sample=share, seed=number)) == ids(make_plan(tasks=CAN, sample=0.5, seed=2))
    held = {"tasks": CARROT, "placements": "heldout"}
    assert ids(make_plan(**held, count=number)) == ids(make_plan(**held, count=2))
    with pytest.raises(UserError, match="limit is 0; it must be at least 1"):
        make_plan(tasks=CAN, limit=np.int64(0))


def ids(plan: list[EpisodeSpec]) -> list[str]:
    return [spec.id for spec in plan]
