"""Our world with its stand-in assets against recordings of the original: all that does not depend on the shape of meshes.

Kinematics, controllers, seeds, start poses, cameras, texts, step limits and rules on recorded states are the original's
whatever is loaded; where objects come to rest and what a grasp ends in needs its asset files (``test_world.py``).
"""

from __future__ import annotations

import pytest
from recordings import golden

from eval.parity.recordings.world import compare_world

SHAPES_DECIDE = ("replay: ", "settled objects")
"""Checks that need the original's collision meshes."""
QUICK = ("carrot_plate", "coke_standing")
SLOW = (
    "arm_large", "cube_stack", "drawer_close_top", "drawer_open_top", "eggplant_basket", "grid", "limits", "near_v0",
    "object_any", "place_apple_top", "place_full", "spoon_towel",
)  # fmt: skip


def test_kinematics_and_inverse_kinematics() -> None:
    report = compare_world(golden("parity"), ["controller"], "", processes=1)
    assert [check for check in report.checks if not check.passed] == []
    assert {check.key for check in report.checks} == {"controller/google", "controller/widowx"}
    assert len(report.checks) == 12


@pytest.mark.parametrize("key", [*QUICK, *(pytest.param(key, marks=pytest.mark.slow) for key in SLOW)])
def test_a_recorded_key_begins_moves_and_is_judged_as_recorded(key: str) -> None:
    report = compare_world(golden("parity"), [key], "", processes=1)
    judged = [check for check in report.checks if not check.check.startswith(SHAPES_DECIDE)]
    assert len(judged) >= 2
    assert [check for check in judged if not check.passed] == []
