"""Which policy a text means, and the policies without weights."""

from __future__ import annotations

import numpy as np
import pytest

from eval.errors import UserError
from policies.base import EpisodeInfo, Observation, Policy, Proprio
from policies.registry import load_policy

SOURCE = """
from policies.base import Action
class Mine:
    needs_image = False
    needs_privileged = False
    def __init__(self, gain="1"): self.gain = float(gain)
    def reset(self, episodes): pass
    def act(self, observations): return []
    def describe(self): return {"gain": self.gain}
    def close(self): pass
class Half:
    def act(self, observations): return []
"""


def info(episode="e", seed=3):
    return EpisodeInfo(episode, "t", "widowx", "do", 80, 5, seed)


def seen(step, robot="widowx", episode="e"):
    zeros = np.zeros(3, np.float32)
    return Observation(episode, step, robot, "do", None, Proprio(zeros, np.zeros(4, np.float32), 1.0, zeros))


@pytest.fixture
def in_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_file_and_module_of_the_user(in_folder):
    (in_folder / "my_robot_policy.py").write_text(SOURCE)
    for text in ("my_robot_policy.py:Mine", f"{in_folder}/my_robot_policy.py:Mine", "my_robot_policy:Mine"):
        policy = load_policy(text, {"gain": "2"})
        assert isinstance(policy, Policy)
        assert policy.describe() == {"gain": 2.0}
    with pytest.raises(UserError, match='Did you mean "Mine"'):
        load_policy("my_robot_policy.py:Mime")
    with pytest.raises(UserError, match="no method reset, describe, close"):
        load_policy("my_robot_policy.py:Half")
    (in_folder / "broken.py").write_text("import no_such_thing")
    with pytest.raises(UserError, match="cannot be loaded: ModuleNotFoundError"):
        load_policy("broken.py:Mine")
    with pytest.raises(UserError, match="cannot be made: ValueError"):
        load_policy("my_robot_policy.py:Mine", {"gain": "much"})


def test_a_users_package_hidden_by_ours_is_told(in_folder):
    (in_folder / "policies").mkdir()
    (in_folder / "policies/mine.py").write_text(SOURCE)
    with pytest.raises(UserError, match=r"belongs to simpler-eval itself; for your file write policies/mine\.py:Class"):
        load_policy("policies.mine:Mine")
    assert load_policy("policies/mine.py:Mine").describe() == {"gain": 1.0}


def test_random_repeats_by_episode_and_differs_between_them():
    def motion(policy, episode):
        policy.reset([info(episode)])
        return np.array([policy.act([seen(step, episode=episode)])[0].world for step in range(30)])

    one, other = load_policy("random"), load_policy("random")
    first = motion(one, "a")
    assert first.shape == (30, 7)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, motion(one, "a"))
    np.testing.assert_array_equal(motion(other, "a"), first)
    assert not np.array_equal(motion(one, "b"), first)
    assert not np.array_equal(motion(load_policy("random", {"seed": "1"}), "a"), first)


def test_replay_plays_the_file_then_stands_still(in_folder):
    mine, rest = np.arange(14.0).reshape(2, 7), np.full((1, 7), -1.0)
    np.savez("a.npz", e=mine, actions=rest)
    policy = load_policy("replay", {"path": "a.npz"})
    policy.reset([info("e"), info("x")])
    played = [policy.act([seen(step)])[0].world for step in range(3)]
    np.testing.assert_array_equal(played[:2], mine)
    np.testing.assert_array_equal(played[2], [0, 0, 0, 0, 0, 0, 13])  # WidowX: the gripper command is absolute
    np.testing.assert_array_equal(policy.act([seen(1, "google_robot")])[0].world, mine[1])
    np.testing.assert_array_equal(policy.act([seen(2, "google_robot")])[0].world, np.zeros(7))
    np.testing.assert_array_equal(policy.act([seen(0, episode="x")])[0].world, rest[0])


def test_replay_refuses_what_it_cannot_play(in_folder):
    np.savez("six.npz", actions=np.zeros((4, 6)))
    with pytest.raises(UserError, match=r'array "actions" has shape \(4, 6\)'):
        load_policy("replay", {"path": "six.npz"})
    np.savez("other.npz", e=np.zeros((4, 7)))
    with pytest.raises(UserError, match="no actions for episode x"):
        load_policy("replay", {"path": "other.npz"}).reset([info("x")])
