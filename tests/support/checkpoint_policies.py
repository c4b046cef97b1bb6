"""A policy that has checkpoints: weights whose first byte says in which episodes it succeeds."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fake_policies import Still

from eval.errors import UserError
from policies.base import Action, PolicyDescription


class Trained(Still):
    """Terminates the first ``skill`` episodes of every ten after two steps, the others after one."""

    def __init__(self, checkpoint: str):
        file = Path(checkpoint) / "model.safetensors"
        if not file.is_file():
            raise UserError(f"{checkpoint} holds no model.safetensors")
        self.skill, self.checkpoint, self.seeds = int(file.read_text()), checkpoint, {}
        self.hash = hashlib.sha256(file.read_bytes()).hexdigest()
        if self.skill < 0:
            raise MemoryError("the weights do not fit")

    def reset(self, episodes):
        self.seeds |= {episode.episode: episode.seed for episode in episodes}

    def act(self, observations):
        import numpy as np

        return [Action(np.zeros(7), terminate=o.step >= (self.seeds[o.episode] % 10 < self.skill)) for o in observations]

    def describe(self):
        return PolicyDescription(name="trained", weights=self.hash, details={"checkpoint": self.checkpoint})


class Unsaid(Trained):
    """Does not say which weights it has."""

    def describe(self):
        return PolicyDescription(name="unsaid")
