"""What resets return, against recordings of the original: every key of the info dictionary, texts, seeds, statistics."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from recordings import golden

import eval

PARITY = golden("parity")
KEYS = ("coke_distractors_less", "near_v1", "carrot_sweep_overlay", "drawer_close_any", "place_va_station2_brighter")


def photo_name(path: Any) -> str | None:
    return None if path is None else str(path).rpartition("/")[2]


@pytest.mark.parametrize("key", KEYS)
def test_resets_report_what_the_original_reported(key: str) -> None:
    data, arrays = json.loads((PARITY / f"{key}.json").read_text()), np.load(PARITY / f"{key}.npz")
    env = eval.make(data["env_id"], **data["kwargs"])
    for number, reset in enumerate(data["resets"]):
        obs, info = env.reset(seed=reset["seed"], options=reset["options"])
        recorded = reset["info"]
        assert list(info) == list(recorded)
        assert photo_name(info.pop("rgb_overlay_path")) == photo_name(recorded.pop("rgb_overlay_path"))
        poses = {name for name, value in recorded.items() if isinstance(value, dict)}
        assert {k: v for k, v in info.items() if k not in poses} == {k: v for k, v in recorded.items() if k not in poses}
        for name in poses & {"drawer_pose_wrt_robot_base", "cabinet_pose_wrt_robot_base"}:  # objects settle: see parity
            np.testing.assert_allclose(info[name].p, recorded[name]["p"], atol=1e-5)
            assert abs(np.dot(info[name].q, recorded[name]["q"])) == pytest.approx(1, abs=1e-5)
        answers = (env.get_language_instruction(), env.episode_stats, env.is_final_subtask(), env.episode_spec.seed)
        assert answers == (reset["instruction"], reset["episode_stats"], reset["is_final_subtask"], reset["episode_seed"])
        state = arrays[f"r{number}/obs_state"]
        assert (obs.shape, obs.dtype) == (state.shape, state.dtype)
        agent = 31 if env.robot_uid.startswith("google_robot") else 30
        np.testing.assert_allclose(obs[:agent], state[:agent], atol=1e-5)
