"""A policy that looks at every image and answers at once: what a run costs without a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from policies.base import Action, EpisodeInfo, Observation, PolicyDescription


class InstantPolicy:
    """Small random motions from the episode's seed, so that the arm keeps moving."""

    needs_image = True
    needs_privileged = False

    def __init__(self) -> None:
        self._generators: dict[str, np.random.Generator] = {}

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Start the random numbers of these episodes."""
        for info in episodes:
            self._generators[info.episode] = np.random.default_rng(info.seed % 2**32)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """One small motion an observation."""
        draws = (self._generators[observation.episode] for observation in observations)
        return [Action(np.append(draw.uniform(-1.0, 1.0, 6) * np.repeat([0.02, 0.05], 3), 0.0)) for draw in draws]

    def describe(self) -> PolicyDescription:
        """Its name."""
        return PolicyDescription(name="instant")

    def close(self) -> None:
        """Nothing is held."""
