"""Disturbed commands: noise that lasts for some steps, sampled from texts, so that it is the same wherever it is played."""

from __future__ import annotations

import hashlib
import math

import numpy as np
from numpy.typing import NDArray

from policies.motion import Hand

MEMORY = 0.8
"""Share of a disturbance that is still there one step later. A scripted policy sees where its hand went and corrects itself:
noise that changes with every step would only blur its path, noise that lasts for some steps leads it astray."""


class Drift:
    """The noise of one episode: each of the arm's components a first-order autoregression, as strong in the first step as in
    any other.

    Args:
        hand: of the robot.
        strength: standard deviation as a share of what the hand moves (``Hand.step``, m) or turns (``Hand.turn``, rad) in one
            step at most.
        random: what it is sampled from.
    """

    def __init__(self, hand: Hand, strength: float, random: np.random.RandomState) -> None:
        self._spread = strength * np.repeat([hand.step, hand.turn], 3)
        self._random = random
        self._drift = random.standard_normal(6)
        self._sampled = 0

    def at(self, step: int) -> NDArray[np.float64]:
        """(6,) m and rad, to be added to a command of the control step; steps are asked for in order."""
        while self._sampled < step:
            fresh = self._random.standard_normal(6)
            self._drift = MEMORY * self._drift + math.sqrt(1 - MEMORY**2) * fresh
            self._sampled += 1
        return np.asarray(self._spread * self._drift)


def generator(key: str) -> np.random.RandomState:
    """Not default_rng: only this generator promises the same normal numbers in every version of NumPy."""
    digest = hashlib.blake2b(key.encode(), digest_size=16).digest()
    return np.random.RandomState(np.frombuffer(digest, "<u4").astype(np.uint32))
