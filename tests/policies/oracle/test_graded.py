"""An oracle made worse on purpose: how much, how late, and always the same. No simulator."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scripted_runs import scripted_run

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.titles import title
from policies.base import Action, EpisodeInfo, Observation, Privileged, Proprio, RobotName
from policies.motion import GOOGLE, WIDOWX
from policies.oracle import SCRIPTS, OraclePolicy
from policies.registry import PolicyOptionError, load_policy

FEELS = Proprio(np.zeros(3, np.float32), np.zeros(4, np.float32), 1.0, np.zeros(7, np.float32))


class Counting:
    """A script that moves along x by its own count of steps, closes at step 2 and is done at step 3."""

    def __init__(self) -> None:
        self.steps = 0

    def act(self, observation: Observation) -> Action:
        self.steps += 1
        return Action(np.array([self.steps, 0.0, 0.0, 0.0, 0.0, 0.0, -1.0 if self.steps > 2 else 1.0]), self.steps == 4)


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRIPTS, "counting", Counting)  # type: ignore[arg-type]


def sight(episode: str, step: int, robot: RobotName = "widowx") -> Observation:
    return Observation(episode, step, robot, "do", None, FEELS, Privileged("counting", {}, {}, {}, np.zeros(7), np.zeros(7)))


def begin(policy: Any, *episodes: str) -> None:
    policy.reset([EpisodeInfo(episode, "task", "widowx", "do", 80, 5, 0) for episode in episodes])


def play(policy: Any, episode: str, steps: Iterable[int] = range(6), robot: RobotName = "widowx") -> NDArray[np.float64]:
    """(steps, 7) what the robot gets."""
    begin(policy, episode)
    return np.array([policy.act([sight(episode, step, robot)])[0].world for step in steps])


def disturbances(policy: Any, episode: str, count: int = 6, robot: RobotName = "widowx") -> NDArray[np.float64]:
    return play(policy, episode, range(count), robot) - play(OraclePolicy(), episode, range(count), robot)


def test_without_options_it_is_the_perfect_oracle() -> None:
    assert OraclePolicy().describe().remarks == ()
    assert play(OraclePolicy(), "e")[:, 0].tolist() == [1, 2, 3, 4, 5, 6]
    assert (play(OraclePolicy(noise=0, delay="0", seed=7), "e") == play(OraclePolicy(), "e")).all()


def test_a_disturbance_belongs_to_seed_and_episode_whatever_else_is_played() -> None:
    alone = play(OraclePolicy(noise=0.3), "e")
    policy = OraclePolicy(noise="0.3", seed="0")
    begin(policy, "e", "other")
    together = []
    for step in range(6):
        batch = [sight("other", step), sight("e", step)][:: 1 if step % 2 else -1]
        actions = dict(zip((seen.episode for seen in batch), policy.act(batch), strict=True))
        together.append(actions["e"].command)
    assert (np.array(together) == alone).all()
    assert not np.allclose(disturbances(OraclePolicy(noise=0.3), "other"), disturbances(OraclePolicy(noise=0.3), "e"))
    assert not np.allclose(disturbances(OraclePolicy(noise=0.3, seed=1), "e"), disturbances(OraclePolicy(noise=0.3), "e"))


def test_the_numbers_drawn_are_the_same_in_years_to_come() -> None:
    sampled = disturbances(OraclePolicy(noise=1.0), "e", 2)[:, 0] / WIDOWX.step
    assert sampled.tolist() == pytest.approx([0.354852, 0.252973], abs=1e-5)


def test_a_retried_episode_meets_the_same_disturbances() -> None:
    policy = OraclePolicy(noise=0.3, delay=1)
    first = play(policy, "e", range(3))
    assert (play(policy, "e", range(3)) == first).all()


@pytest.mark.parametrize(("robot", "hand"), [("google_robot", GOOGLE), ("widowx", WIDOWX)])
def test_noise_is_a_share_of_the_hands_pace_and_leaves_the_gripper_alone(robot: RobotName, hand: Any) -> None:
    sampled = np.stack([disturbances(OraclePolicy(noise=0.5), f"e{n}", 3, robot) for n in range(400)])
    for step in range(3):
        assert sampled[:, step, :3].std() == pytest.approx(0.5 * hand.step, rel=0.06)
        assert sampled[:, step, 3:6].std() == pytest.approx(0.5 * hand.turn, rel=0.06)
    assert (sampled[..., 6] == 0).all()
    assert abs(sampled.mean(axis=0)).max() < 0.2 * 0.5 * hand.turn
    lasting = np.corrcoef(sampled[:, 0, :6].ravel(), sampled[:, 1, :6].ravel())[0, 1]
    assert lasting == pytest.approx(0.8, abs=0.03)


def test_twice_the_noise_is_the_same_way_astray_but_twice_as_far() -> None:
    one, two = (disturbances(OraclePolicy(noise=noise), "e") for noise in (0.2, 0.4))
    assert np.allclose(2 * one, two)


@pytest.mark.parametrize(("robot", "hold"), [("google_robot", 0.0), ("widowx", 1.0)])
def test_a_delayed_oracle_rests_first_and_then_does_everything_late(robot: RobotName, hold: float) -> None:
    policy = OraclePolicy(delay="2")
    begin(policy, "e")
    actions = [policy.act([sight("e", step, robot)])[0] for step in range(7)]
    assert [action.command[0] for action in actions] == [0, 0, 1, 2, 3, 4, 5]
    assert [action.command[6] for action in actions] == [hold, hold, 1, 1, -1, -1, -1]
    assert [action.terminate for action in actions] == [False] * 5 + [True, False]


class Reaching:
    """A script that goes straight for the origin, whichever way its hand has to move, and keeps the hand closed."""

    def act(self, observation: Observation) -> Action:
        assert observation.privileged is not None
        close = GOOGLE.close_command if observation.robot == "google_robot" else WIDOWX.close_command
        return Action(np.array([*-observation.privileged.tcp[:3], 0.0, 0.0, 0.0, close]))


TURNED = np.array([0.0, 0.0, 0.0, 0.5**0.5, 0.0, 0.0, 0.5**0.5])
"""A base that is turned a quarter to the left: its y axis points along the world's -x."""


def where_it_ends(policy: Any, episode: str) -> NDArray[np.float64]:
    """(3,) where the hand is once a script that corrects itself all the time is content."""
    begin(policy, episode)
    tcp = np.array([0.3, 0.2, 0.1, 1.0, 0.0, 0.0, 0.0])
    for step in range(5):
        seen = replace(sight(episode, step), privileged=Privileged("reaching", {}, {}, {}, tcp, TURNED))
        tcp[:3] += policy.act([seen])[0].command[:3]
    return tcp[:3]


@pytest.fixture
def reaching(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SCRIPTS, "reaching", Reaching)  # type: ignore[arg-type]


def test_no_correction_on_the_way_brings_a_misjudged_hand_to_its_goal(reaching: None) -> None:
    ends = np.stack([where_it_ends(OraclePolicy(height="0.02", side=0.05), f"e{n}") for n in range(400)])
    assert ends.std(axis=0) == pytest.approx([0.05, 0.0, 0.02], rel=0.1, abs=1e-9)
    assert abs(ends.mean(axis=0)).max() < 0.2 * 0.05
    assert where_it_ends(OraclePolicy(), "e") == pytest.approx(np.zeros(3))
    assert where_it_ends(OraclePolicy(height=0.02), "e")[:2] == pytest.approx(np.zeros(2))


def test_a_misjudgement_grows_with_its_option_and_belongs_to_seed_and_episode(reaching: None) -> None:
    one, two = (where_it_ends(OraclePolicy(height=h, side=2 * h), "e") for h in (0.02, 0.04))
    assert np.allclose(2 * one, two)
    assert np.allclose(where_it_ends(OraclePolicy(height=0.02, side=0.04, noise=0, delay=0, seed=0), "e"), one)
    assert not np.allclose(where_it_ends(OraclePolicy(height=0.02, side=0.04, seed=1), "e"), one)
    assert one[[0, 2]].tolist() == pytest.approx([-0.027334, 0.040958], abs=1e-5)  # the same in years to come


def closed_steps(policy: Any, episode: str, robot: RobotName = "widowx", steps: int = 60) -> int:
    """How long a hand that shall stay closed does; once it is open, it stays open."""
    begin(policy, episode)
    hand = GOOGLE if robot == "google_robot" else WIDOWX
    seen = [
        replace(sight(episode, step, robot), privileged=Privileged("reaching", {}, {}, {}, np.zeros(7), TURNED))
        for step in range(steps)
    ]
    commands = [policy.act([each])[0].command[6] for each in seen]
    closed = commands.index(hand.open_command) if hand.open_command in commands else steps
    assert commands == [hand.close_command] * closed + [hand.open_command] * (steps - closed)
    return closed


@pytest.mark.parametrize("robot", ["google_robot", "widowx"])
def test_a_hand_lets_go_for_good_with_this_chance_in_every_step_that_closes_it(reaching: None, robot: RobotName) -> None:
    kept = [closed_steps(OraclePolicy(release="0.1"), f"e{n}", robot, 20) for n in range(300)]
    assert np.mean(np.array(kept) >= 5) == pytest.approx(0.9**5, abs=0.08)
    assert np.mean(np.array(kept) == 0) == pytest.approx(0.1, abs=0.05)
    assert closed_steps(OraclePolicy(release=1), "e", robot) == 0
    assert closed_steps(OraclePolicy(release=0.05), "e3", robot) >= closed_steps(OraclePolicy(release=0.1), "e3", robot)


def test_a_hand_that_was_never_closed_lets_nothing_go() -> None:
    class Open:
        def act(self, observation: Observation) -> Action:
            return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, WIDOWX.hold_command]))

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(SCRIPTS, "counting", Open)  # type: ignore[arg-type]
        assert (play(OraclePolicy(release=1), "e")[:, 6] == WIDOWX.hold_command).all()


def test_the_policy_view_shows_what_the_robot_got() -> None:
    policy = OraclePolicy(noise=0.3, delay=1)
    begin(policy, "e")
    for step in range(3):
        action = policy.act([sight("e", step)])[0]
        assert (action.notes["values"] == action.command).all()


def test_record_and_table_say_what_it_was_given(tmp_path: Path, make_spec: Callable[[int], EpisodeSpec]) -> None:
    policy = OraclePolicy(noise="0.3", delay="2", seed="1")
    described = policy.describe()
    assert described.settings == {"noise": 0.3, "delay": 2}
    assert described.seed == 1
    options = {"noise": "0.3", "delay": "2", "seed": "1"}
    data = scripted_run(tmp_path / "run", [make_spec(0)], policy="oracle", policy_args=options)
    heading = title(data.header)
    assert heading.startswith("oracle (noise 0.3, delay 2, seed 1) in ")
    assert OraclePolicy(noise=0.5).describe().remarks == ("noise 0.5",)
    faulty = OraclePolicy(height=0.03, side="0.05", release=0.02).describe()
    assert faulty.remarks == ("height 0.03", "side 0.05", "release 0.02")
    assert faulty.settings == {"noise": 0, "delay": 0, "height": 0.03, "side": 0.05, "release": 0.02}
    assert OraclePolicy().describe().settings == {"noise": 0, "delay": 0}  # as in runs that are older than these options


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"noise": "much"}, "noise is much"),
        ({"noise": "-0.1"}, "noise is -0.1"),
        ({"noise": "nan"}, "noise is nan"),
        ({"noise": "inf"}, "noise is inf"),
        ({"delay": "1.5"}, "delay is 1.5"),
        ({"delay": 1.5}, "delay is 1.5"),
        ({"delay": -1}, "delay is -1"),
        ({"height": "low"}, "height is low"),
        ({"height": "3"}, "height is 3; the oracle takes metres, 0 to 0.5"),
        ({"side": "-0.1"}, "side is -0.1"),
        ({"side": "nan"}, "side is nan"),
        ({"release": "1.5"}, "release is 1.5; the oracle takes a chance per control step"),
        ({"release": "often"}, "release is often"),
        ({"seed": "one"}, "seed is one"),
        ({"seed": None}, "seed is None"),
    ],
)
def test_an_impossible_option_is_one_line(options: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says) as caught:
        load_policy("oracle", options)
    assert "such as" in str(caught.value)


def test_an_unknown_option_names_the_known_ones() -> None:
    with pytest.raises(PolicyOptionError, match="noise, delay, seed, height, side, release"):
        load_policy("oracle", {"nois": "1"})
