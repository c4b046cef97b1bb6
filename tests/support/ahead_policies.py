"""Policies that work ahead on observations."""

from __future__ import annotations

import threading
import time
from collections import Counter

import numpy as np
from fake_policies import Looks, Still
from faulty_policies import ByIndex, Hangs

from policies.base import Action


class Sees(Still):
    """Commands what it finds in the image; the same numbers as ``Ahead``, made in ``act``."""

    needs_image = True

    def act(self, observations):
        return [Action(np.full(7, self.find(o))) for o in observations]

    def find(self, observation):
        return 0.25 + float(observation.image.mean())

    def describe(self):
        return {"name": "sees"}


class Ahead(Sees, Looks):
    """Works ahead, and checks which of its calls may be under way at once; ``wrong`` holds what may not."""

    needs_privileged = True
    seconds = 0.0
    """That it takes to work ahead on one."""

    def __init__(self):
        self.lock, self.found, self.seen, self.wrong = threading.Lock(), {}, Counter(), []
        self.preparing, self.called, self.told = set(), set(), Counter()
        self.thread = threading.get_ident()

    def prepare_observation(self, observation):
        with self.lock:
            self.seen[observation.episode, observation.step] += 1
            self.preparing.add(observation.episode)
            self.note("prepare in a call", self.called & {observation.episode})
            self.note("prepare without reset", {observation.episode} - {name for name, count in self.told.items() if count})
        time.sleep(self.seconds)
        self.found[observation.episode] = observation.step, self.find(observation)
        with self.lock:
            self.note("an image that changed", {observation.step} - {int(observation.image.max())})
            self.preparing.discard(observation.episode)

    def note(self, what, wrong):
        if wrong:
            self.wrong.append((what, wrong))

    def call(self, what, episodes, function):
        with self.lock:
            self.note(f"{what} in another thread", {threading.get_ident()} - {self.thread})
            self.note(f"{what} while an observation is prepared", self.preparing & {*episodes})
            self.called = {*episodes}
        answer = function()
        with self.lock:
            self.called = set()
        return answer

    def reset(self, episodes):
        names = [episode.episode for episode in episodes]
        self.call("reset", names, lambda: self.told.update(names))
        self.note("reset without end", {name for name in names if self.told[name] != 1})

    def act(self, observations):
        return self.call("act", [o.episode for o in observations], lambda: self.answer(observations))

    def answer(self, observations):
        Looks.act(self, observations)
        actions = []
        for o in observations:
            step, value = self.found.pop(o.episode)
            self.note("prepared another step", {step} - {o.step})
            actions.append(Action(np.full(7, value)))
        return actions

    def end(self, episodes, results):
        names = [episode.episode for episode in episodes]
        self.call("end", names, lambda: self.told.subtract(names))
        self.note("end without reset", {name for name in names if self.told[name] != 0})
        for name in names:
            self.found.pop(name, None)


class Overlaps(Ahead):
    """Answers one observation at a time, and while a worker steps another episode only after that has come: ``waited``."""

    preferred_batch = 1

    def __init__(self, max_steps):
        super().__init__()
        self.last, self.stepping, self.waited = max_steps - 1, set(), []
        self.lock = self.came = threading.Condition()

    def prepare_observation(self, observation):
        super().prepare_observation(observation)
        with self.came:
            self.stepping.discard(observation.episode)
            self.came.notify()

    def answer(self, observations):
        (observation,) = observations
        with self.came:
            if (others := {*self.stepping}) and all(self.waited):
                self.waited.append(self.came.wait_for(lambda: not others <= self.stepping, 20))
            if observation.step < self.last:
                self.stepping.add(observation.episode)
        return super().answer(observations)


class ByIndexAhead(ByIndex):
    """The same, with work ahead: ``where`` may be ``prepare``."""

    def prepare_observation(self, observation):
        if self.where == "prepare":
            self.calls[self.seeds[observation.episode]]()


class HangsAhead(Hangs):
    """The same; it may hang while it works ahead on an image of the episode with seed 2."""

    def __init__(self, where):
        super().__init__(where)
        self.seeds, self.goes_on = {}, threading.Event()

    def reset(self, episodes):
        self.seeds |= {episode.episode: episode.seed for episode in episodes}

    def prepare_observation(self, observation):
        if self.where == "prepare" and self.seeds[observation.episode] == observation.step == 2:
            self.goes_on.wait(60)
