"""What a run will write, as far as it is known before."""

from __future__ import annotations

import pytest

from eval.records.disk import FRAME, POSTER, expected_bytes, readable
from eval.records.options import RunOptions


def test_videos_of_the_episodes_that_are_filmed_count(make_spec):
    plan = [make_spec(i, task=task) for task in ("a", "b") for i in range(3)]
    without = expected_bytes(plan, RunOptions())
    images = FRAME * (plan[0].max_steps + 1)
    film = images + POSTER
    assert expected_bytes(plan, RunOptions(video="all")) - without == 6 * film
    assert expected_bytes(plan, RunOptions(video="first:1")) - without == 2 * film
    assert expected_bytes(plan, RunOptions(video="first:1,policy-view")) - without == 2 * (film + images)
    assert expected_bytes(plan, RunOptions(repeat=3)) == 3 * without
    assert expected_bytes(plan, RunOptions(no_actions=True)) < without


@pytest.mark.parametrize(("size", "text"), [(900, "0.9 kB"), (35_000, "35 kB"), (2_340_000, "2.3 MB"), (5e12, "5,000 GB")])
def test_sizes_are_readable(size, text):
    assert readable(size) == text
