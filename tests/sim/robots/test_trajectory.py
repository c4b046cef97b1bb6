"""Paths of the Google Robot: they keep their limits, arrive at rest, and hold the end."""

from __future__ import annotations

import numpy as np
import pytest

from eval.sim.robots.trajectory import PathPlanner

TIMESTEP, VELOCITY, ACCELERATION, JERK = 1 / 513, 1.5, 2.0, 50.0


def test_a_long_way_is_begun_within_the_limits() -> None:
    planner = PathPlanner(2, VELOCITY, ACCELERATION, JERK)
    path = planner.plan(np.zeros(2), np.zeros(2), np.array([2.0, -1.0]), TIMESTEP, 171)
    assert path.position.shape == path.velocity.shape == (172, 2)
    np.testing.assert_array_equal(path.position[0], 0.0)
    assert path.duration > 171 * TIMESTEP  # the next action finds it under way
    assert np.abs(path.velocity).max() <= VELOCITY
    assert np.abs(np.diff(path.velocity, axis=0)).max() <= ACCELERATION * TIMESTEP * 1.001


def test_both_joints_arrive_together() -> None:
    planner = PathPlanner(2, VELOCITY, ACCELERATION, JERK)
    path = planner.plan(np.zeros(2), np.zeros(2), np.array([0.04, -0.01]), TIMESTEP, 171)
    last = int(path.duration / TIMESTEP)
    assert 0 < last < 171
    assert (np.abs(path.velocity[last]) > 0).all()
    np.testing.assert_allclose(path.position[last + 1], [0.04, -0.01], atol=1e-9)


def test_a_short_way_ends_at_rest_and_stays_there() -> None:
    planner = PathPlanner(1, VELOCITY, ACCELERATION, JERK)
    path = planner.plan(np.array([0.1]), np.array([0.0]), np.array([0.12]), TIMESTEP, 171)
    arrived = int(np.ceil(path.duration / TIMESTEP))
    assert 0 < arrived < 171
    np.testing.assert_allclose(path.position[arrived:], 0.12, atol=1e-9)
    np.testing.assert_allclose(path.velocity[arrived:], 0.0, atol=1e-9)


@pytest.mark.parametrize("speed", [-1.0, 0.5])
def test_a_path_goes_on_from_the_speed_it_starts_with(speed: float) -> None:
    planner = PathPlanner(1, VELOCITY, ACCELERATION, JERK)
    path = planner.plan(np.array([0.0]), np.array([speed]), np.array([0.5]), TIMESTEP, 171)
    assert path.velocity[0, 0] == pytest.approx(speed)
    assert path.position[1, 0] == pytest.approx(speed * TIMESTEP, abs=1e-4)
