"""Oracles of every strength: commands that are disturbed by a seeded amount, or come late."""

from __future__ import annotations

import hashlib
import math
from collections import deque
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.base import Action, PolicyDescription, RobotName
from policies.oracle.motion import hand_of

MEMORY = 0.8
"""Share of a disturbance that is still there one step later. The oracle sees where its hand went and corrects itself:
noise that changes with every step would only blur its path, noise that lasts for some steps leads it astray."""


@dataclass(frozen=True)
class Grade:
    """How far an oracle is from perfect; the defaults disturb nothing."""

    noise: float = 0.0
    """Standard deviation of the disturbance of each of the arm's six components, as a share of what the robot's hand
    moves (``Hand.step``, m) or turns (``Hand.turn``, rad) in one step at most. The gripper's command is left alone."""
    delay: int = 0
    """Control steps by which commands come late."""
    seed: int = 0
    """Other seeds, other disturbances; of no effect without noise."""

    @classmethod
    def parse(cls, noise: float | str, delay: int | str, seed: int | str) -> Grade:
        """From the values of ``--policy-arg``, or from numbers. Raises ``UserError``."""
        try:
            spread = float(noise)
        except (TypeError, ValueError):
            spread = math.nan
        if not 0 <= spread < math.inf:
            raise UserError(f"noise is {noise}; the oracle takes a number of 0 or more, such as noise=0.3.")
        late, number = _whole(delay), _whole(seed)
        if late is None or late < 0:
            raise UserError(f"delay is {delay}; the oracle takes whole control steps, 0 or more, such as delay=2.")
        if number is None:
            raise UserError(f"seed is {seed}; the oracle takes a whole number, such as seed=1.")
        return cls(spread, late, number)

    def describe(self) -> PolicyDescription:
        """For the run record; what is not default is a remark in the title of its tables."""
        default = Grade()
        changed = {key: value for key, value in vars(self).items() if value != getattr(default, key)}
        return PolicyDescription(
            name="oracle",
            seed=self.seed,
            settings={"noise": self.noise, "delay": self.delay},
            remarks=tuple(f"{key} {value:g}" for key, value in changed.items()),
        )


class Perturbation:
    """The disturbances of one episode's commands; sampled from the grade's seed, the episode's id and the step."""

    def __init__(self, grade: Grade, episode: str, robot: RobotName) -> None:
        hand = hand_of(robot)
        self._grade = grade
        self._spread = grade.noise * np.repeat([hand.step, hand.turn], 3)
        digest = hashlib.blake2b(f"{grade.seed} {episode}".encode(), digest_size=16).digest()
        # Not default_rng: only this generator promises the same normal numbers in every version of NumPy.
        self._random = np.random.RandomState(np.frombuffer(digest, "<u4").astype(np.uint32))
        self._drift = self._random.standard_normal(6)
        self._sampled = 0
        nothing = Action(np.append(np.zeros(6), hand.hold_command))
        self._waiting = deque([nothing] * grade.delay)

    def apply(self, action: Action, step: int) -> Action:
        """The robot's command in control step ``step`` in place of the oracle's; call it step by step."""
        if self._grade.noise:
            action = replace(action, command=action.command + np.append(self._disturbance(step), 0.0))
        self._waiting.append(action)
        return self._waiting.popleft()

    def _disturbance(self, step: int) -> NDArray[np.float64]:
        """(6,) m and rad: each component a first-order autoregression, as strong in the first step as in any other."""
        while self._sampled < step:
            fresh = self._random.standard_normal(6)
            self._drift = MEMORY * self._drift + math.sqrt(1 - MEMORY**2) * fresh
            self._sampled += 1
        return np.asarray(self._spread * self._drift)


def _whole(value: float | int | str) -> int | None:
    try:
        return int(value) if isinstance(value, str) or int(value) == value else None
    except (TypeError, ValueError, OverflowError):
        return None
