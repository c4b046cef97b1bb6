"""The rules against the original's own verdicts, step by step, from recorded poses, contacts and finger impulses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from recordings import golden

from eval.episode import DRAWERS
from eval.simpler_api import SeedChain, spec_from_reset
from eval.tasks.base import TaskObservation
from eval.tasks.families import make_rule
from eval.tasks.grasp_check import is_grasped

VECTORS = golden("simpler_spec/evaluate_vectors.json")
LINKS = {
    "google_robot": {
        "Lfin": "link_finger_left",
        "Rfin": "link_finger_right",
        "Ltip": "link_finger_tip_left",
        "Rtip": "link_finger_tip_right",
    },
    "widowx": {"Lfin": "left_finger_link", "Rfin": "right_finger_link"},
}


def facts_of(row: dict[str, Any], family: str) -> TaskObservation:
    """What the original saw in one step; contacts are those of the one object that rules look at."""
    fingers = {link: row["fingers"][short] for short, link in LINKS[family].items()}
    impulses = {link: np.array(finger["imp"]) for link, finger in fingers.items()}
    axes = {link: np.array(finger["y"]) for link, finger in fingers.items()}
    return TaskObservation(
        poses={o["name"]: np.array([*o["p"], *o["q"]]) for o in row["objs"]},
        centers={o["name"]: np.array(o["com"]) for o in row["objs"]},
        is_grasped=lambda name, angle: is_grasped(family, impulses.__getitem__, axes, angle),
        foreign_contact=lambda name, allowed: any(
            not robot and other not in allowed and impulse > 1e-6 for other, robot, impulse in row["contacts"]
        ),
    )


def settled_facts(poses: dict[str, Any]) -> TaskObservation:
    return TaskObservation(poses, {}, lambda name, angle: False, lambda name, allowed: False)


def assert_same_verdicts(rule: Any, rows: list[dict[str, Any]], family: str) -> int:
    """Compares every step; returns how many were successes, so that a case of failures only is noticed."""
    successes = 0
    for number, row in enumerate(rows):
        result = rule.evaluate(facts_of(row, family))
        assert {"success": result.success, **result.flags} == row["out"], f"step {number + 1}"
        assert list(result.episode_stats.items()) == list(row["stats"].items()), f"step {number + 1}"
        successes += result.success
    return successes


def record_of(name: str) -> dict[str, Any]:
    vectors: dict[str, Any] = json.loads(VECTORS.read_text())[name]
    return vectors


def test_grasping_is_judged_as_in_the_original() -> None:
    record = record_of("GraspSingleOpenedCokeCanInScene-v0")
    rule = make_rule(spec_from_reset("GraspSingleOpenedCokeCanInScene-v0", {}, 0, {}, SeedChain()))
    rule.reset(settled_facts({"opened_coke_can": np.array([0, 0, record["settled"][0]["z"], 1, 0, 0, 0])}))
    assert 0 < assert_same_verdicts(rule, record["rows"], "google_robot") < len(record["rows"])


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("MoveNearGoogleInScene-v0 id0", "google_robot"),
        ("MoveNearGoogleBakedTexInScene-v1 id40", "google_robot"),
        ("MoveNearGoogleInScene-v0 no_distractor id17", "google_robot"),
        ("PutSpoonOnTableClothInScene-v0 id3", "widowx"),
        ("PutCarrotOnPlateInScene-v0 id8", "widowx"),
        ("StackGreenCubeOnYellowCubeBakedTexInScene-v0 id14", "widowx"),
        ("PutEggplantInBasketScene-v0 id4", "widowx"),
    ],
)
def test_moving_near_and_putting_on_are_judged_as_in_the_original(name: str, family: str) -> None:
    record, (env, *words) = record_of(name), name.split()
    kwargs = {"no_distractor": True} if "no_distractor" in words else {}
    options = {"obj_init_options": {"episode_id": int(words[-1].removeprefix("id"))}}
    spec = spec_from_reset(env, kwargs, 0, options, SeedChain())
    by_role = {o.role: o.model for o in spec.objects}
    assert (by_role["source"], by_role["goal"]) == tuple(record["settled"][record[r]]["name"] for r in ("source", "target"))
    rule = make_rule(spec)
    rule.reset(settled_facts({o["name"]: np.array([*o["p"], *o["q"]]) for o in record["settled"]}))
    assert 0 < assert_same_verdicts(rule, record["rows"], family) < len(record["rows"])


def cabinet_facts(row: dict[str, Any]) -> TaskObservation:
    """Openings are recorded to nine digits, which is single precision."""
    openings = (float(np.float32(q)) for q in row["cabinet_qpos"])
    pressed = [c["impulse"] for c in row.get("contacts", ()) if c["drawer_shape_index"] == 2]
    lies = float(np.linalg.norm(np.sum(pressed, axis=0))) > 1e-6 if pressed else False
    return TaskObservation(
        {}, {}, lambda n, a: False, lambda n, a: False,
        drawers=dict(zip(DRAWERS, openings, strict=True)), lies_in_drawer=lambda n, d: lies,
    )  # fmt: skip


@pytest.mark.parametrize("name", ["OpenMiddleDrawerCustomInScene-v0", "CloseTopDrawerCustomInScene-v0"])
def test_drawers_are_judged_as_in_the_original(name: str) -> None:
    first, *rows = record_of(name)["rows"]
    spec = spec_from_reset(name, {}, 0, {}, SeedChain())
    assert spec.cabinet is not None
    assert spec.cabinet.qpos == pytest.approx(first["reset_cabinet_qpos"])
    rule = make_rule(spec)
    assert rule.initial_stats() == {"qpos": 0.0}
    for number, row in enumerate(rows):
        result = rule.evaluate(cabinet_facts(row))
        assert {"success": result.success} == row["out"], f"step {number + 1}"
        assert result.episode_stats == row["stats"], f"step {number + 1}"


def test_placing_is_judged_as_in_the_original() -> None:
    env = "PlaceIntoClosedBottomDrawerCustomInScene-v0"
    rule = make_rule(spec_from_reset(env, {"model_ids": "apple"}, 0, {}, SeedChain()))
    rows = record_of(env)["rows"]
    assert len(rows) == 112
    for row in rows:
        if row["subtask"] == 1:  # the recording was made to go on before step 91
            rule.advance()
        result = rule.evaluate(cabinet_facts(row))
        assert {"success": result.success} == row["out"], f"step {row['step']}"
        assert list(result.episode_stats.items()) == list(row["stats"].items()), f"step {row['step']}"
        assert rule.instruction == row["instruction"], f"step {row['step']}"
        assert rule.is_final_subtask == (row["subtask"] == 1), f"step {row['step']}"
    assert {row["instruction"] for row in rows} == {"open bottom drawer", "place apple into bottom drawer"}
