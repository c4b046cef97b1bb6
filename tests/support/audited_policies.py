"""Policies for ``audited_world``: one that looks and listens, and those that an audit must find out."""

from __future__ import annotations

import numpy as np

from eval.plan.suites import make_plan
from policies.base import Action

TASK = "widowx_carrot_on_plate"
INSTRUCTION = "put carrot on plate"
GRID = np.array(sorted({spec.objects[0].xy for spec in make_plan(tasks=[TASK])}))


class Attentive:
    """Acts where the picture shows the object, if told to do the task."""

    needs_image, needs_privileged = True, False

    def reset(self, episodes):
        pass

    def act(self, observations):
        return [self._action(o) for o in observations]

    def _action(self, observation):
        command = np.zeros(7)
        if self.heeds(observation):
            command[:2] = self.place(observation)
        return Action(command)

    def heeds(self, observation):
        return observation.instruction == INSTRUCTION

    def place(self, observation):
        seen = np.frombuffer(observation.image.reshape(-1)[:16].tobytes(), np.float64)
        return np.clip(np.nan_to_num(seen), -9, 9)

    def describe(self):
        return {"name": type(self).__name__.lower()}

    def close(self):
        pass


class Drawing(Attentive):
    """Draws from an episode's seed and id, as policies do that play alike whenever they play the same episode."""

    def __init__(self):
        self._drawn = {}

    def reset(self, episodes):
        for info in episodes:
            seed = [info.seed, *info.episode.encode()]
            self._drawn[info.episode] = np.random.default_rng(seed).normal(size=2)

    def place(self, observation):
        return self._drawn[observation.episode]


class Moody(Attentive):
    """Draws anew each time."""

    def place(self, observation):
        return np.random.default_rng().normal(size=2)


class Deaf(Attentive):
    """Does the task whatever it is told."""

    def heeds(self, observation):
        return True


class Blind(Attentive):
    """Acts at one place, where the object often is."""

    def place(self, observation):
        return GRID[0]


class ByHeart(Attentive):
    """Sees roughly where the object is, and acts at the nearest place of the published grid."""

    def place(self, observation):
        return GRID[np.argmin(np.linalg.norm(GRID - super().place(observation), axis=1))]


class Helpless(Attentive):
    """Looks and listens, and never gets there."""

    def place(self, observation):
        return super().place(observation) + 0.5


class Seer(Attentive):
    """Is told by the simulator where the object is, as the oracle is."""

    needs_image, needs_privileged = False, True

    def heeds(self, observation):
        return True

    def place(self, observation):
        return observation.privileged.objects["thing"][:2]


class Careless(Attentive):
    """Fails when nothing is to be done any more."""

    def close(self):
        raise RuntimeError("not today")


class Sick(Attentive):
    """Answers nothing of use."""

    def _action(self, observation):
        return Action(np.full(7, np.nan))
