"""Random motion: a floor under every success rate, and a policy that needs nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription
from policies.numbers import LARGEST, number, whole

LARGEST_SCALE = 100.0
"""2 m a step: no arm goes further."""


class RandomPolicy:
    """Small Gaussian motions, gripper open or closed for a while; sampled from the episode's seed and id alone.

    ``seed`` shifts all episodes to other samples; ``scale`` multiplies the spread (2 cm and 0.1 rad a step).
    ``UserError`` for what is no number of 0 or more.
    """

    needs_image = False
    needs_privileged = False

    def __init__(self, seed: int | str = 0, scale: float | str = 1.0) -> None:
        self.seed = whole("seed", seed, 0, LARGEST, "random takes a whole number, 0 or more, such as seed=1")
        self.scale = number(
            "scale", scale, 0, LARGEST_SCALE, f"random takes a number, 0 to {LARGEST_SCALE:g}, such as scale=0.5"
        )
        self._generators: dict[str, np.random.Generator] = {}
        self._gripper: dict[str, float] = {}

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Start the random numbers of these episodes anew: a retried episode moves as before."""
        for info in episodes:
            entropy = [self.seed, info.seed % 2**32, int.from_bytes(info.episode.encode()[:16], "big")]
            self._generators[info.episode] = np.random.default_rng(entropy)
            self._gripper[info.episode] = 1.0

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One random action an observation."""
        actions = []
        for observation in observations:
            generator = self._generators[observation.episode]
            if generator.random() < 0.1:
                self._gripper[observation.episode] *= -1
            spread = np.repeat([0.02, 0.1], 3) * self.scale
            actions.append(Action(np.append(generator.normal(0.0, spread), self._gripper[observation.episode])))
        return actions

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Forget the random numbers of these episodes."""
        for info in episodes:
            self._generators.pop(info.episode, None)
            self._gripper.pop(info.episode, None)

    def describe(self) -> PolicyDescription:
        """Seed and scale."""
        return PolicyDescription(name="random", seed=self.seed, settings={"scale": self.scale})

    def close(self) -> None:
        """Nothing is held."""
