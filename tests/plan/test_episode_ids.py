"""Episodes stay what they were: the ids of version 1, a hash over every field that existed then, as they were recorded."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan, suite_names

RECORDED = json.loads((Path(__file__).parents[1] / "golden" / "episode_ids_v1.json").read_text())
"""Suite -> BLAKE2b over the ids of version 1 in the order of the plan, joined by a space."""


def id_of_version_1(spec: EpisodeSpec) -> str:
    return EpisodeSpec(**{**spec.model_dump(), "version": 1}).id


@pytest.mark.parametrize("suite", RECORDED)
def test_every_field_that_an_episode_had_before_has_the_same_value(suite: str) -> None:
    ids = [id_of_version_1(spec) for spec in make_plan(suite=suite)]
    assert hashlib.blake2b(" ".join(ids).encode(), digest_size=16).hexdigest() == RECORDED[suite]


def test_no_suite_is_forgotten() -> None:
    assert set(RECORDED) == set(suite_names())


def test_a_changed_copy_is_another_episode() -> None:
    (spec,) = make_plan(tasks=["widowx_carrot_on_plate"], limit=1)
    assert spec.id == spec.model_copy().id
    changed = spec.model_copy(update={"instruction": "put it elsewhere"})
    assert changed.id == EpisodeSpec(**changed.model_dump()).id != spec.id


def test_the_original_s_reset_is_no_part_of_the_id() -> None:
    (spec,) = make_plan(tasks=["widowx_carrot_on_plate"], limit=1)
    assert spec.simpler_reset is not None
    assert EpisodeSpec(**{**spec.model_dump(), "simpler_reset": None}).id == spec.id
