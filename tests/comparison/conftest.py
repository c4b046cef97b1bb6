"""Runs with a known difference."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.folder import RunData

CARROT, CUBE = "widowx_carrot_on_plate", "widowx_stack_cube"


@pytest.fixture
def plan():
    """24 carrots and 24 cubes: an initial state each."""
    return make_plan(tasks=[CARROT, CUBE])


@pytest.fixture
def play(tmp_path: Path) -> Callable[..., RunData]:
    """``play(name, plan, ends)``; the policy is called like the run."""

    def play(name, plan, ends=None, **options):
        return scripted_run(tmp_path / name, plan, ends, options.pop("policy", "random"), **options)

    return play
