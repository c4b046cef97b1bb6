"""Placements beside the published ones: apart by metres and by seed, for every family, and never taken for published ones."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import pytest
from scripted_runs import scripted_run

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.layouts import distance, distances, layout_of
from eval.plan.placements import FIRST_SEEDS, least_distance, placements_of
from eval.plan.published_states import nearest_published
from eval.plan.suites import make_plan
from eval.records.cell_tables import cell_table, shown_cells
from eval.records.folder import load_run
from eval.records.labels import labels
from eval.records.merging import group_runs, merge_runs
from eval.records.titles import title
from eval.tasks.loading import load_task
from eval.tasks.user_tasks import VARIABLE, built_in_tasks

CARROT, CAN = "widowx_carrot_on_plate", "google_robot_pick_coke_can"
SAME_PLACES = ("alt_urdf", "robot_ablation")
"""Settings that place things as ``variant_aggregation`` does."""
ALL = [(name, key) for name in sorted(built_in_tasks()) for key in load_task(name).settings if key not in SAME_PLACES]
ONE_OF_EACH = {  # of each family and kind of placement, as the sweeps have them
    (CAN, "visual_matching"): 25,
    ("google_robot_pick_object", "prepackaged"): 100,
    ("google_robot_move_near", "visual_matching"): 60,
    ("google_robot_open_drawer", "variant_aggregation"): 9,
    ("google_robot_close_drawer", "visual_matching"): 9,
    ("google_robot_place_apple_in_closed_top_drawer", "visual_matching"): 27,
    (CARROT, "visual_matching"): 24,
    ("widowx_stack_cube", "visual_matching"): 24,
    ("widowx_put_eggplant_in_basket", "visual_matching"): 24,
}


def placed(task: str, setting: str, placements: str, **options: object) -> list[EpisodeSpec]:
    """Those of one variant."""
    variant = load_task(task).variants(setting)[0].name
    return make_plan(tasks=[task], setting=setting, variants=[variant], placements=placements, **options)


@pytest.mark.parametrize(("task", "setting"), ALL)
def test_every_setting_has_placements_apart_from_the_published_ones_and_from_each_other(task: str, setting: str) -> None:
    held, train = (placed(task, setting, placements, count=3) for placements in ("heldout", "train"))
    stated = least_distance(task, setting)
    assert 0.004 <= stated <= 0.01
    assert min(map(nearest_published, held + train)) >= stated - 1e-9
    assert gap(held, train) >= stated - 1e-9
    assert len({spec.id for spec in held + train}) == 6


@pytest.mark.parametrize(("task", "setting"), ONE_OF_EACH)
def test_as_many_as_the_published_ones_stand_clear_of_their_grid_and_of_each_other(task: str, setting: str) -> None:
    published = placed(task, setting, "published")
    held, train = (placed(task, setting, placements) for placements in ("heldout", "train"))
    assert len(published) == len(held) == len(train) == ONE_OF_EACH[task, setting]
    assert gap(held, train) >= least_distance(task, setting) - 1e-9
    if setting != "prepackaged":
        spacing = min(d for a, b in itertools.combinations(published, 2) if (d := distance(a, b)) > 1e-9)
        assert gap(held + train, published) >= min(0.02, 0.4 * spacing) - 1e-9
    crowd = min(map(between_objects, published))
    assert min(map(between_objects, held + train)) >= 0.85 * crowd - 1e-9, "objects do not stand in each other"
    assert {spec.instruction for spec in held} <= {spec.instruction for spec in published}


def gap(some: list[EpisodeSpec], others: list[EpisodeSpec]) -> float:
    """m, the least distance between two lists of one family."""
    layouts = list(map(layout_of, others))
    return float(min(distances(layout_of(spec), layouts).min() for spec in some))


def between_objects(spec: EpisodeSpec) -> float:
    places = layout_of(spec).objects.values()
    return min((math.dist(a, b) for a, b in itertools.combinations(places, 2)), default=math.inf)


@pytest.mark.parametrize("placements", ["heldout", "train"])
def test_more_states_begin_with_those_of_fewer_and_may_begin_later(placements: str) -> None:
    few, many = (placed(CARROT, "visual_matching", placements, count=count) for count in (7, 60))
    assert many[:7] == few
    assert placed(CARROT, "visual_matching", placements, count=3, seed=5) == many[5:8]
    assert [spec.seed for spec in many] == [FIRST_SEEDS[placements] + number for number in range(60)]
    assert len({spec.objects[0].xy for spec in many}) == 60


def test_sets_of_tasks_of_one_family_are_apart_too() -> None:
    tasks = [CAN, "google_robot_pick_standing_coke_can", "google_robot_pick_object"]
    held, train = ([s for t in tasks for s in placed(t, "prepackaged", p, count=40)] for p in ("heldout", "train"))
    assert gap(held, train) >= 0.01 - 1e-9


def test_all_variants_have_the_same_states_and_what_is_not_varied_stays() -> None:
    plan = make_plan(tasks=[CAN], placements="heldout", count=2)
    assert len(plan) == 24
    assert len({spec.objects[0].xy for spec in plan}) == 2
    assert len({spec.objects[0].quat for spec in plan}) == 3
    eggplant = make_plan(tasks=["widowx_put_eggplant_in_basket"], placements="train", count=9)
    assert len({spec.objects[1].xy for spec in eggplant}) == 1, "the basket stays"
    drawer = placed("google_robot_open_drawer", "visual_matching", "heldout")
    assert len({spec.overlay for spec in drawer}) == 9, "each with the photo of the place that it is near"


def test_a_distance_looks_at_places_and_not_at_what_stands_there() -> None:
    first, *others = make_plan(tasks=[CARROT])
    swapped = next(
        spec for spec in others if spec.objects[0].xy == first.objects[1].xy and spec.objects[1].xy == first.objects[0].xy
    )
    assert distance(first, swapped) == 0
    assert distance(first, make_plan(tasks=["widowx_spoon_on_towel"])[0]) == 0
    assert distance(first, make_plan(tasks=[CAN], limit=1)[0]) == math.inf
    assert nearest_published(first) == 0
    place = first.objects[0].model_copy(update={"xy": (first.objects[0].xy[0] + 0.004, first.objects[0].xy[1])})
    assert distance(first, first.model_copy(update={"objects": (place, *first.objects[1:])})) == pytest.approx(0.004)


def test_published_placements_are_what_a_plan_has_without_further_wishes() -> None:
    assert make_plan(tasks=[CARROT], placements="published") == make_plan(tasks=[CARROT])
    assert '"placements":' not in make_plan(tasks=[CARROT], limit=1)[0].model_dump_json(exclude_defaults=True)


def test_the_original_plays_what_its_options_can_say() -> None:
    (can,) = make_plan(tasks=[CAN], placements="heldout", limit=1)
    assert can.simpler_reset is not None
    assert tuple(can.simpler_reset.options["obj_init_options"]["init_xy"]) == can.objects[0].xy
    for spec in (*make_plan(tasks=[CARROT], placements="heldout", limit=1), *placed(CAN, "prepackaged", "heldout", limit=1)):
        assert spec.simpler_reset is None


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"count": 5}, "count has no effect without placements"),
        ({"count": 5, "placements": "published"}, "--count 5 has no effect"),
        ({"placements": "held"}, 'placements cannot be "held"; use published, heldout or train'),
        ({"placements": "train", "seed": 99_999, "count": 5}, "too many for one plan"),
        ({"seed": 3}, "--seed 3 has no effect"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line(wish: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said):
        make_plan(tasks=[CARROT], **wish)


def test_user_tasks_have_them_too_or_say_why_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "")  # what is added to it is forgotten with this test
    mine = tmp_path / "near_corners.yaml"
    mine.write_text(f"extends: {CARROT}\nsquares: {{center: [-0.16, 0.0], half_sizes: [0.06]}}\n")
    held, train = (make_plan(tasks=[str(mine)], placements=p, count=30) for p in ("heldout", "train"))
    stated = least_distance("near_corners", "visual_matching")
    assert min(map(nearest_published, held + train)) >= stated - 1e-9
    assert gap(held, train) >= stated - 1e-9
    single = tmp_path / "one_place.yaml"
    single.write_text(
        f"extends: {CAN}\nsettings:\n  visual_matching:\n    episodes: {{x: [-0.2, -0.2, 1], y: [0.2, 0.2, 1]}}\n"
        "    setup: {orientation: upright}\n"
    )
    with pytest.raises(UserError, match="one_place, visual_matching: all published episodes have one placement"):
        make_plan(tasks=[str(single)], placements="heldout")


def test_a_run_on_other_placements_says_so_and_is_never_pooled(tmp_path: Path) -> None:
    plans = {p: make_plan(tasks=[CARROT], placements=p, limit=2) for p in ("published", "heldout", "train")}
    runs = [load_run(scripted_run(tmp_path / name, plan).path) for name, plan in plans.items()]
    assert [run.header.identity.placements for run in runs] == list(plans)
    said = [title(run.header, run.plan) for run in runs]
    assert "PLACEMENTS" not in said[0]
    assert "HELD-OUT PLACEMENTS between the published ones: not comparable with published numbers; 2 episodes" in said[1]
    assert "TRAINING PLACEMENTS" in said[2]
    assert len(group_runs(runs)) == 3
    assert [label.rpartition(", ")[2] for label in labels(runs)][1:] == ["heldout placements", "train placements"] or all(
        f"{name} placements" in label for name, label in zip(plans, labels(runs), strict=True)
    )
    for pair in itertools.combinations(runs, 2):
        with pytest.raises(UserError, match="has placements"):
            merge_runs(pair)
    with pytest.raises(UserError, match="published and heldout placements"):
        scripted_run(tmp_path / "mixed", plans["published"] + plans["heldout"])
    assert placements_of(plans["train"]) == "train"
    of_24, of_nobody = (cell_table(run.plan, run.records) for run in runs[:2])
    assert "of" in shown_cells(of_24)[0]  # the published cell has 24 episodes; states of nobody's have no such size
    assert "of" not in shown_cells(of_nobody)[0]


def test_published_numbers_stand_beside_published_placements_alone(tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    code, _, err = cli("reproduce", "oracle", "widowx_carrot_on_plate", "--placements", "heldout")
    assert code == 2
    assert "no published number stands beside other initial states" in err
    scripted_run(tmp_path / "run", make_plan(tasks=[CARROT], placements="heldout"), policy="oracle")
    code, _, err = cli("reproduce", "oracle", "widowx_carrot_on_plate", "--from", tmp_path / "run")
    assert (code, err.count("\n")) == (2, 1)
    assert "was played on heldout placements" in err


def test_the_command_plans_them(cli) -> None:  # type: ignore[no-untyped-def]
    code, out, _ = cli("plan", "--task", CARROT, "--placements", "heldout", "--count", "40")
    assert code == 0
    assert "40 episodes" in out
    assert "heldout placements, not the published ones" in " ".join(out.split())
