"""Policies that do what no policy should."""

from __future__ import annotations

import os
import time

import numpy as np
from fake_policies import Still

from policies.base import Action


class NoText(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class NotAnException(BaseException):
    pass


def leaves():
    os._exit(0)


def raises(error):
    def call():
        raise error

    return call


FAULTS = [
    (raises(SystemExit(0)), "policy raised SystemExit: 0"),
    (raises(KeyboardInterrupt()), "policy raised KeyboardInterrupt"),
    (raises(NotAnException("hm")), "policy raised NotAnException: hm"),
    (raises(NoText()), "policy raised NoText: (its text cannot be read, that raised RuntimeError)"),
    (raises(ValueError("x" * 5_000_000)), f"policy raised ValueError: {'x' * 500}"),
    (raises(RuntimeError("a\udcff\x1b[31m\nb")), r"policy raised RuntimeError: a\udcff\x1b[31m b"),
    (leaves, "policy called os._exit(0)"),
    (lambda: os.execl("/bin/true", "true"), "policy called os.execv('/bin/true')"),
    (lambda: os.abort(), "policy called os.abort()"),
]


class ByIndex(Still):
    """Does something else wrong in each episode: ``calls`` by the episode's seed."""

    def __init__(self, calls, where="act"):
        self.calls, self.where, self.seeds = calls, where, {}

    def reset(self, episodes):
        for episode in episodes:
            self.seeds[episode.episode] = episode.seed
            if self.where == "reset":
                self.calls[episode.seed]()

    def act(self, observations):
        for observation in observations:
            if self.where == "act":
                self.calls[self.seeds[observation.episode]]()
        return super().act(observations)


class Fails(Still):
    """Raises in every episode, at a step of its own and with another number."""

    def act(self, observations):
        for observation in observations:
            if observation.step == 2:
                raise ValueError(f"cannot handle {time.monotonic()}")
        return super().act(observations)


class OneByOne(Still):
    """Cannot handle batches, and waits until it has been given one."""

    batches = 0

    def act(self, observations):
        self.batches += len(observations) > 1
        time.sleep(0 if self.batches else 0.1)
        (observation,) = observations
        return [Action(np.full(7, observation.step))]


class Told(Still):
    """Remembers what it is told."""

    def __init__(self):
        self.told = []

    def reset(self, episodes):
        self.told += [("reset", episode.episode) for episode in episodes]

    def end(self, episodes, results):
        for episode, result in zip(episodes, results, strict=True):
            self.told.append((result.status, episode.episode, result.steps, result.error))


class Hangs(Still):
    """Does not come back from a call, however it is interrupted if ``stubborn``."""

    def __init__(self, where="act", stubborn=False):
        self.where, self.stubborn, self.calls = where, stubborn, 0

    def hang(self, where):
        if where != self.where:
            return
        self.calls += 1
        while self.calls > 1:
            try:
                time.sleep(60)
            except BaseException:
                if not self.stubborn:
                    raise

    def reset(self, episodes):
        self.hang("reset")

    def act(self, observations):
        self.hang("act")
        return super().act(observations)

    def end(self, episodes, results):
        self.hang("end")


class Plays(Still):
    """Commands its step, and says done once."""

    def __init__(self, done_at=None):
        self.done_at = done_at

    def act(self, observations):
        return [Action(np.full(7, o.step + 0.1), terminate=o.step == self.done_at) for o in observations]
