"""An expert and a learner whose commands tell who played, and who was shown what."""

from __future__ import annotations

import numpy as np
from fake_policies import Still

from policies.base import Action


class Expert(Still):
    """Commands the number of the step, and one more where it did not bring the episode there itself."""

    needs_privileged = True

    def act(self, observations):
        assert all(o.privileged is not None and o.image is None for o in observations)
        return [Action(np.full(7, float(o.step))) for o in observations]


class Corrects(Expert):
    """Has other words for states that others brought about."""

    def label(self, observations):
        return [Action(np.full(7, 100.0 + o.step)) for o in observations]


class Learner(Still):
    """Commands -1, or what its option says."""

    needs_image = True

    def __init__(self, command: float | str = -1.0):
        self.command = float(command)

    def act(self, observations):
        assert all(o.privileged is None and (o.image == o.step).all() for o in observations)
        return [Action(np.full(7, self.command)) for o in observations]
