"""The rules against the original's own verdicts, step by step, from recorded poses, contacts and finger impulses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.envs.tasks.base import Facts, make_rule
from eval.envs.tasks.grasp_test import is_grasped
from eval.initial import SeedChain, spec_from_reset

VECTORS = Path(__file__).parents[2].parent / "shared" / "simpler_spec" / "evaluate_vectors.json"
LINKS = {
    "google_robot": {
        "Lfin": "link_finger_left",
        "Rfin": "link_finger_right",
        "Ltip": "link_finger_tip_left",
        "Rtip": "link_finger_tip_right",
    },
    "widowx": {"Lfin": "left_finger_link", "Rfin": "right_finger_link"},
}

pytestmark = pytest.mark.skipif(not VECTORS.is_file(), reason="the recordings of the original are not here")


def facts_of(row: dict[str, Any], family: str) -> Facts:
    """What the original saw in one step; contacts are those of the one object that rules ask about."""
    fingers = {link: row["fingers"][short] for short, link in LINKS[family].items()}
    impulses = {link: np.array(finger["imp"]) for link, finger in fingers.items()}
    axes = {link: np.array(finger["y"]) for link, finger in fingers.items()}
    return Facts(
        poses={o["name"]: np.array([*o["p"], *o["q"]]) for o in row["objs"]},
        centers={o["name"]: np.array(o["com"]) for o in row["objs"]},
        is_grasped=lambda name, angle: is_grasped(family, impulses.__getitem__, axes, angle),
        foreign_contact=lambda name, allowed: any(
            not robot and other not in allowed and impulse > 1e-6 for other, robot, impulse in row["contacts"]
        ),
    )


def settled_facts(poses: dict[str, Any]) -> Facts:
    return Facts(poses, {}, lambda name, angle: False, lambda name, allowed: False)


def assert_same_verdicts(rule: Any, rows: list[dict[str, Any]], family: str) -> int:
    """Compares every step; returns how many were successes, so that a case of failures only is noticed."""
    successes = 0
    for number, row in enumerate(rows):
        result = rule.evaluate(facts_of(row, family))
        assert {"success": result.success, **result.flags} == row["out"], f"step {number + 1}"
        assert list(result.episode_stats.items()) == list(row["stats"].items()), f"step {number + 1}"
        successes += result.success
    return successes


def test_grasping_is_judged_as_in_the_original() -> None:
    record = json.loads(VECTORS.read_text())["GraspSingleOpenedCokeCanInScene-v0"]
    rule = make_rule(spec_from_reset("GraspSingleOpenedCokeCanInScene-v0", {}, 0, {}, SeedChain()))
    rule.reset(settled_facts({"opened_coke_can": np.array([0, 0, record["settled"][0]["z"], 1, 0, 0, 0])}))
    assert 0 < assert_same_verdicts(rule, record["rows"], "google_robot") < len(record["rows"])


def test_putting_on_is_judged_as_in_the_original() -> None:
    record = json.loads(VECTORS.read_text())["PutCarrotOnPlateInScene-v0 id8"]
    options = {"obj_init_options": {"episode_id": 8}}
    rule = make_rule(spec_from_reset("PutCarrotOnPlateInScene-v0", {}, 0, options, SeedChain()))
    rule.reset(settled_facts({o["name"]: np.array([*o["p"], *o["q"]]) for o in record["settled"]}))
    assert 0 < assert_same_verdicts(rule, record["rows"], "widowx") < len(record["rows"])
