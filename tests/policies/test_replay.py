"""The policy ``replay``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from observations import episode_info, observation

from eval.errors import UserError
from policies.replay import ReplayPolicy


def test_it_plays_the_file_then_stands_still(tmp_path: Path) -> None:
    own, rest = np.arange(14.0).reshape(2, 7), np.full((1, 7), -1.0)
    np.savez(tmp_path / "a.npz", e=own, actions=rest)
    policy = ReplayPolicy(str(tmp_path / "a.npz"))
    policy.reset([episode_info("e"), episode_info("x")])
    played = [policy.act([observation(step)])[0].command for step in range(3)]
    np.testing.assert_array_equal(played[:2], own)
    np.testing.assert_array_equal(played[2], [0, 0, 0, 0, 0, 0, 13])  # WidowX: the gripper command is absolute
    np.testing.assert_array_equal(policy.act([observation(1, "google_robot")])[0].command, own[1])
    np.testing.assert_array_equal(policy.act([observation(2, "google_robot")])[0].command, np.zeros(7))
    np.testing.assert_array_equal(policy.act([observation(0, episode="x")])[0].command, rest[0])


def test_it_refuses_what_it_cannot_play(tmp_path: Path) -> None:
    np.savez(tmp_path / "six.npz", actions=np.zeros((4, 6)))
    with pytest.raises(UserError, match=r'array "actions" has shape \(4, 6\)'):
        ReplayPolicy(str(tmp_path / "six.npz"))
    np.savez(tmp_path / "other.npz", e=np.zeros((4, 7)))
    with pytest.raises(UserError, match="no actions for episode x"):
        ReplayPolicy(str(tmp_path / "other.npz")).reset([episode_info("x")])
    with pytest.raises(UserError, match=r"none\.npz"):
        ReplayPolicy(str(tmp_path / "none.npz"))


def test_the_record_tells_files_by_content_not_by_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name, actions in {"a.npz": np.zeros((2, 7)), "elsewhere/b.npz": np.zeros((2, 7)), "c.npz": np.ones((2, 7))}.items():
        np.savez(tmp_path / name, actions=actions)
    first, moved, other = (ReplayPolicy(str(tmp_path / n)).describe() for n in ("a.npz", "elsewhere/b.npz", "c.npz"))
    assert first.settings == moved.settings
    assert first.details != moved.details
    assert first.settings != other.settings
