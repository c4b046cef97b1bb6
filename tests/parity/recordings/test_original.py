"""``parity original`` finds what differs, shown with the stand-in simulator and a recording made by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from original_interpreter import interpreter

from eval.parity.recordings.original import compare_original

STEPS = 5
ENV = "PutCarrotOnPlateInScene-v0"


@pytest.fixture
def recording(tmp_path):
    """What the fake environment does in five steps of episode 2."""
    place = {"init_xy": [0.147, 0.028], "init_rot_quat": [0, 0, 0, 1]}
    reset = {
        "seed": 7, "episode_seed": 7, "actor_names": [], "instruction": f"put the {ENV}",
        "options": {"robot_init_options": place, "obj_init_options": {"episode_id": 2}},
    }  # fmt: skip
    sequence = {
        "kind": "still", "reset": reset, "calls_before_step": [], "instructions": [[0, f"put the {ENV}"]],
        "final_stats": {"n": True},
    }  # fmt: skip
    tcp = np.tile(np.float32([0.5, 0, 1, 1, 0, 0, 0]), (STEPS + 1, 1))
    arrays = {
        "s0/action": np.zeros((STEPS, 7)),
        "s0/x.tcp": tcp,
        "s0/x.robot_qpos": np.zeros((STEPS + 1, 8), np.float32),
        "s0/x.actor_pose": np.zeros((STEPS + 1, 0, 7), np.float32),
        "s0/terminated": np.array([False] * (STEPS - 1) + [True]),
    }

    def write(**changes):
        folder = tmp_path / "recordings"
        folder.mkdir(exist_ok=True)
        facts = {"env_id": ENV, "kwargs": {}, "sequences": [{**sequence, **changes.pop("sequence", {})}]}
        (folder / "carrot_still.json").write_text(json.dumps(facts))
        np.savez(folder / "carrot_still.npz", **{**arrays, **{f"s0/{name}": a for name, a in changes.items()}})
        report = compare_original(folder, None, interpreter(tmp_path), workers=1)
        return {check.check: check.worst for check in report.checks if not check.passed}

    write.tcp = tcp
    return write


def test_what_is_as_recorded_passes(recording):
    assert recording() == {}


def test_every_kind_of_difference_is_found(recording):
    moved = recording.tcp.copy()
    moved[3, 2] += 0.01
    assert recording(**{"x.tcp": moved}) == {"every later state": pytest.approx(0.01, rel=1e-3)}
    assert "initial state" in recording(**{"x.tcp": recording.tcp + np.float32(0.01)})
    assert recording(terminated=np.array([True] * STEPS)) == {"success flags that differ": STEPS - 1}
    assert recording(sequence={"final_stats": {"n": False}}) == {"statistics that differ": 1}
    assert recording(sequence={"instructions": [[0, f"put the {ENV}"], [3, "rest"]]}) == {"instructions that differ": 2}
