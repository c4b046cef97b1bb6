"""Policies for runs with replicas: what they play depends on the episode alone, and some replicas come to grief."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
from fake_policies import Still

from policies.base import Action, PolicyDescription


class Seeded(Still):
    """Random commands from the episode's seed and the step."""

    def __init__(self, seconds: str = "0"):
        self.seconds, self.seeds = float(seconds), {}

    def reset(self, episodes):
        self.seeds |= {episode.episode: (episode.seed, episode.repeat) for episode in episodes}

    def act(self, observations):
        time.sleep(self.seconds)
        return [Action(self.command(o)) for o in observations]

    def command(self, observation):
        return np.random.default_rng((*self.seeds[observation.episode], observation.step)).uniform(-1, 1, 7)

    def describe(self):
        return PolicyDescription(name="seeded", details={"process": os.getpid()})


class OnCard(Seeded):
    """Says which device it was given, and which GPU that is."""

    def __init__(self, device: str = "none"):
        super().__init__()
        self.device = device

    def describe(self):
        return PolicyDescription(
            name="on a card", details={"device": self.device, "card": os.environ.get("CUDA_VISIBLE_DEVICES")}
        )


class Grief(Seeded):
    """Seeded, but the first process that makes a mark in ``folder`` comes to grief in its third step, as ``how`` says."""

    def __init__(self, folder: str, how: str, seconds: str = "0.01"):
        super().__init__(seconds)
        self.folder, self.how, self.steps, self.mine = Path(folder), how, 0, False

    def act(self, observations):
        self.steps += 1
        if self.steps == 3 and not self.mine:
            try:
                (self.folder / "grief").touch(exist_ok=False)
                self.mine = True
            except FileExistsError:
                pass
        if self.mine:
            if self.how == "dies":
                os.kill(os.getpid(), signal.SIGKILL)
            if self.how == "card lost":
                raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
            if self.how == "hangs":
                signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))  # so that nothing brings it back
                time.sleep(60)
        return super().act(observations)


class AllDie(Seeded):
    """Every replica dies in its third step."""

    def act(self, observations):
        self.steps = getattr(self, "steps", 0) + 1
        if self.steps == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().act(observations)


class Fails(Seeded):
    """Raises in the episodes whose seed is odd."""

    def act(self, observations):
        if any(self.seeds[o.episode][0] % 2 for o in observations):
            raise ZeroDivisionError("policy bug")
        return super().act(observations)


class Another(Seeded):
    """Says in every process that it has other weights."""

    def describe(self):
        return PolicyDescription(name="another", weights=f"{os.getpid():064d}")


class NotMade(Seeded):
    """Cannot be made."""

    def __init__(self):
        raise ValueError("no such weights")


class Looks(Seeded):
    """Is shown images."""

    needs_image = True
