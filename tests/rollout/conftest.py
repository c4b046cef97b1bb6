"""A run in a fake world."""

from __future__ import annotations

import pytest

from eval.rollout.run import run


@pytest.fixture
def play(tmp_path):
    """``eval.run`` into a folder of the test, with marks of what the world did."""

    def play(plan, policy, **options):
        marks = tmp_path / "marks"
        marks.mkdir(exist_ok=True)
        options = {"workers": 2, "out": tmp_path / "run", "assets": str(marks), **options}
        return run(plan, policy, world="fake_world", **options)

    return play
