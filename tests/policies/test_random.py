"""The policy ``random``."""

from __future__ import annotations

import numpy as np
from observations import episode_info, observation

from policies.random import RandomPolicy


def motion(policy: RandomPolicy, episode: str, seed: int = 3) -> np.ndarray:
    policy.reset([episode_info(episode, seed)])
    return np.array([policy.act([observation(step, episode=episode)])[0].command for step in range(30)])


def test_it_repeats_by_episode_and_differs_between_them() -> None:
    policy = RandomPolicy()
    first = motion(policy, "a")
    assert first.shape == (30, 7)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(first, motion(policy, "a"))
    np.testing.assert_array_equal(motion(RandomPolicy(), "a"), first)
    assert not np.array_equal(motion(policy, "b"), first)
    assert not np.array_equal(motion(policy, "a", seed=4), first)
    assert not np.array_equal(motion(RandomPolicy(seed="1"), "a"), first)


def test_the_motions_are_the_same_in_every_batch() -> None:
    alone = motion(RandomPolicy(), "b")
    policy = RandomPolicy()
    policy.reset([episode_info("a"), episode_info("b")])
    together = [policy.act([observation(step, episode="a"), observation(step, episode="b")])[1].command for step in range(30)]
    np.testing.assert_array_equal(together, alone)


def test_scale_multiplies_the_motion_and_leaves_the_gripper_alone() -> None:
    plain, wide = motion(RandomPolicy(), "a"), motion(RandomPolicy(scale="3"), "a")
    np.testing.assert_allclose(wide[:, :6], 3 * plain[:, :6])
    np.testing.assert_array_equal(wide[:, 6], plain[:, 6])
    assert set(plain[:, 6]) == {-1.0, 1.0}


def test_what_it_is_recorded_as() -> None:
    described = RandomPolicy(seed="2", scale=0.5).describe()
    assert (described.name, described.seed, described.settings) == ("random", 2, {"scale": 0.5})
