"""Our world against recordings of the original: with its asset files, and with our stand-ins what does not depend on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from recordings import SHARED, golden

from eval.errors import UserError
from eval.parity.recordings.world import compare_world
from eval.parity.report import Check, ParityReport


def _by_name(report: ParityReport) -> dict[str, Check]:
    return {f"{check.key}: {check.check}": check for check in report.checks}


def test_kinematics_and_inverse_kinematics_are_the_originals(pack: str) -> None:
    report = compare_world(SHARED / "parity", ["controller"], pack, processes=1)
    assert report.passed, [check for check in report.checks if not check.passed]
    joints = _by_name(report)["controller/google: IK: joints where both succeed"]
    assert joints.worst < 1e-5
    assert joints.n > 300


def test_recorded_carrots_end_as_recorded(pack: str) -> None:
    report = compare_world(SHARED / "parity", ["carrot_plate"], pack, processes=1)
    assert report.passed, [check for check in report.checks if not check.passed]


@pytest.mark.slow
def test_recorded_cans_move_and_end_as_recorded(pack: str) -> None:
    report = compare_world(SHARED / "parity", ["coke_standing", "coke_vertical"], pack, processes=1)
    assert report.passed, [check for check in report.checks if not check.passed]


@pytest.mark.slow
@pytest.mark.parametrize("keys", [["spoon_towel", "eggplant_basket"], ["drawer_open_top", "drawer_close_top"], ["near_v0"]])
def test_recorded_tasks_begin_move_and_end_as_recorded(pack: str, keys: list[str]) -> None:
    """All but where round objects roll to, which the share of settled objects over all keys tells."""
    report = compare_world(SHARED / "parity", keys, pack, processes=1)
    judged = [check for check in report.checks if not check.check.startswith("settled objects")]
    assert len(judged) > 8 * len(keys)
    assert [check for check in judged if not check.passed] == []


def test_a_folder_without_recordings_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no recordings"):
        compare_world(tmp_path)


def test_a_pattern_that_matches_nothing_is_an_error() -> None:
    with pytest.raises(UserError, match="no key matches"):
        compare_world(golden("parity"), ["cola_*"])


def test_a_key_of_a_task_that_is_not_built_fails_instead_of_being_skipped(tmp_path: Path) -> None:
    facts = {"env_id": "TurnFaucet-v0", "kwargs": {}, "resets": [{"seed": 0, "options": {}}], "sequences": []}
    (tmp_path / "faucet.json").write_text(json.dumps(facts))
    np.savez(tmp_path / "faucet.npz", nothing=np.zeros(1))
    report = compare_world(tmp_path, ["faucet"], "", processes=1)
    assert not report.passed
    assert [check.check for check in report.checks] == ["supported"]
