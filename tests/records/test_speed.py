"""The speed of a run in words that can be told apart, however slow the machine is."""

from __future__ import annotations

import pytest

from eval.records.speed import speed_text


@pytest.mark.parametrize(
    ("episodes", "steps", "seconds", "said"),
    [
        (120, 9600, 50.0, "2.4 episodes/s, 192 steps/s"),
        (10, 600, 100.0, "6.0 episodes/min, 6.0 steps/s"),
        (1, 80, 200.0, "18.0 episodes/h, 0.4 steps/s"),
        (1, 80, 20_000.0, "0.2 episodes/h, 0.0 steps/s"),
    ],
)
def test_the_unit_suits_the_speed(episodes: int, steps: int, seconds: float, said: str) -> None:
    assert speed_text(episodes, steps, seconds) == said
