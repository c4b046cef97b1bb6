"""Random motion: a floor under every success rate, and a policy that needs nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from policies.base import Action, EpisodeInfo, Observation


class RandomPolicy:
    """Small Gaussian motions, gripper open or closed for a while; drawn from the episode's seed and id alone.

    ``seed`` shifts all episodes to other draws; ``scale`` multiplies the spread (2 cm and 0.1 rad a step).
    """

    needs_image = False
    needs_privileged = False

    def __init__(self, seed: int | str = 0, scale: float | str = 1.0) -> None:
        self.seed, self.scale = int(seed), float(scale)
        self._draws: dict[str, np.random.Generator] = {}
        self._grip: dict[str, float] = {}

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Start the draws of these episodes anew: a retried episode moves as before."""
        for info in episodes:
            entropy = [self.seed, info.seed % 2**32, int.from_bytes(info.episode.encode()[:16], "big")]
            self._draws[info.episode] = np.random.default_rng(entropy)
            self._grip[info.episode] = 1.0

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One random action an observation."""
        actions = []
        for observation in observations:
            draw = self._draws[observation.episode]
            if draw.random() < 0.1:
                self._grip[observation.episode] *= -1
            spread = np.repeat([0.02, 0.1], 3) * self.scale
            actions.append(Action(np.append(draw.normal(0.0, spread), self._grip[observation.episode])))
        return actions

    def describe(self) -> Mapping[str, Any]:
        """Seed and scale."""
        return {"name": "random", "seed": self.seed, "scale": self.scale}

    def close(self) -> None:
        """Nothing is held."""
