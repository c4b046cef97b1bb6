"""How ``openvla_phi3`` is trained; the entry point of its name in ``simpler_eval.training``."""

from __future__ import annotations

from policies.openvla_phi3.prompt import model_prompt
from policies.training import Job, Monitor, Trained


def train(job: Job, monitor: Monitor) -> Trained:
    """Train, or go on. Raises UserError for what cannot be used, see :func:`policies.phi3v.training.loop.train`."""
    from policies.phi3v.training.loop import train as train_phi3v
    from policies.phi3v.training.recipe import Recipe

    return train_phi3v(job, monitor, Recipe("openvla_phi3", 1, lambda instruction, image, _: model_prompt(instruction, image)))
