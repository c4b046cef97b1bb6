"""Oracles of every strength: commands that are disturbed by a seeded amount or come late, a hand that is not where the oracle
believes it to be, and one that lets go too early.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np

from policies.base import Action, Observation, PolicyDescription, RobotName
from policies.disturbance import Drift, generator
from policies.motion import hand_of, rotation
from policies.numbers import LARGEST, number, plain, whole
from policies.oracle.state import privileged_of

FARTHEST = 0.5
"""m, most that ``height`` and ``side`` may be: more is no error of a hand, but centimetres taken for metres."""
NOISIEST, LATEST = 100.0, 10_000
"""Most that ``noise`` and ``delay`` may be: no episode is longer, and no arm is led further astray."""


@dataclass(frozen=True)
class Grade:
    """How far an oracle is from perfect; the defaults disturb nothing.

    Everything sampled belongs to the seed and the episode, so that an episode meets the same faults in every world.
    """

    noise: float = 0.0
    """Standard deviation of the disturbance of each of the arm's six components, as a share of what the robot's hand
    moves (``Hand.step``, m) or turns (``Hand.turn``, rad) in one step at most. The gripper's command is left alone."""
    delay: int = 0
    """Control steps by which commands come late."""
    height: float = 0.0
    """m, standard deviation of how much higher or lower the hand is, all episode long, than the oracle sees it: as with a
    camera that is calibrated wrongly, no correction on the way helps. A hand that sees the thing it holds carries it to the
    right place all the same; what fails is the grasp, the hook, the push."""
    side: float = 0.0
    """m, the same along the y axis of the robot's base."""
    release: float = 0.0
    """Chance, in every control step whose command closes the hand or keeps it closed, that the hand opens for good."""
    seed: int = 0
    """Other seeds, other faults; of no effect on ``delay``."""

    @classmethod
    def parse(
        cls,
        noise: float | str = 0.0,
        delay: int | str = 0,
        height: float | str = 0.0,
        side: float | str = 0.0,
        release: float | str = 0.0,
        seed: int | str = 0,
    ) -> Grade:
        """From the values of ``--policy-arg``, or from numbers. Raises ``UserError``."""
        takes = "the oracle takes"
        off = {
            name: number(name, value, 0, FARTHEST, f"{takes} metres, 0 to {FARTHEST:g}, such as {name}=0.02")
            for name, value in (("height", height), ("side", side))
        }
        return cls(
            noise=number("noise", noise, 0, NOISIEST, f"{takes} a number, 0 to {NOISIEST:g}, such as noise=0.3"),
            delay=whole("delay", delay, 0, LATEST, f"{takes} whole control steps, 0 to {LATEST}, such as delay=2"),
            height=off["height"],
            side=off["side"],
            release=number("release", release, 0, 1, f"{takes} a chance per control step, 0 to 1, such as release=0.02"),
            seed=whole("seed", seed, -LARGEST, LARGEST, f"{takes} a whole number, such as seed=1"),
        )

    def describe(self) -> PolicyDescription:
        """For the run record; what is not default is a remark in the title of its tables.

        Settings that came after the first release stand there only where they are used: runs without them stay comparable.
        """
        default = Grade()
        changed = {key: value for key, value in vars(self).items() if value != getattr(default, key)}
        return PolicyDescription(
            name="oracle",
            seed=self.seed,
            settings={"noise": self.noise, "delay": self.delay, **{k: v for k, v in changed.items() if k != "seed"}},
            remarks=tuple(f"{key} {plain(value)}" for key, value in changed.items()),
        )


class Perturbation:
    """The faults of one episode; sampled from the grade's seed, the episode's id and, for noise, the step."""

    def __init__(self, grade: Grade, episode: str, robot: RobotName) -> None:
        self._hand = hand_of(robot)
        self._grade = grade
        self._drift = Drift(self._hand, grade.noise, generator(f"{grade.seed} {episode}"))
        faults = generator(f"{grade.seed} {episode} faults")
        height, side = faults.standard_normal(2)
        self._off = np.array([0.0, grade.side * side, grade.height * height])
        self._hold = _steps_until(grade.release, faults.random_sample())
        nothing = Action(np.append(np.zeros(6), self._hand.hold_command))
        self._waiting = deque([nothing] * grade.delay)

    def seen(self, observation: Observation) -> Observation:
        """The observation as the oracle takes it: its hand off by a constant amount from where it is."""
        if not self._off.any():
            return observation
        state = privileged_of(observation)
        tcp = state.tcp + np.append(rotation(state.base).apply(self._off), np.zeros(4))
        return replace(observation, privileged=replace(state, tcp=tcp))

    def apply(self, action: Action, step: int) -> Action:
        """The robot's command in control step ``step`` in place of the oracle's; call it step by step."""
        if self._grade.noise:
            action = replace(action, command=action.command + np.append(self._drift.at(step), 0.0))
        if self._hold < math.inf:
            action = self._released(action)
        self._waiting.append(action)
        return self._waiting.popleft()

    def _released(self, action: Action) -> Action:
        hand = self._hand
        if self._hold >= 0 and (action.command[6] - hand.hold_command) * (hand.close_command - hand.hold_command) > 0:
            self._hold -= 1
        if self._hold >= 0:
            return action
        return replace(action, command=np.append(action.command[:6], hand.open_command))


def _steps_until(chance: float, sampled: float) -> float:
    """Steps that pass before something of this chance per step happens; the larger the chance, the fewer.

    sampled: of 0..1, uniform.
    """
    if chance in (0.0, 1.0):
        return math.inf if chance == 0 else 0.0
    return float(math.floor(math.log(1.0 - sampled) / math.log1p(-chance)))
