"""An episode that a worker plays in a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.backends.protocol import State
from eval.rollout.actions import Notes
from eval.rollout.play import Progress


@dataclass
class Job(Progress):
    """An episode on its way, and how it is to be played."""

    film: bool = False
    """Whether all images are kept."""
    alone: bool = False
    """Whether it gets batches of its own, because a batch with it broke."""
    notes: list[Notes] = field(default_factory=list)
    """The policy's ``Action.notes``, one a step, if its view is filmed; those of the last steps."""

    def note(self, state: State) -> None:
        """Take in the next state; of a filmed episode all are kept."""
        super().note(state)
        if self.film:
            self.states.append(state)
