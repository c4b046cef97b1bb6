"""The conditions of an audit, and a policy whose observations are changed on their way to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eval.errors import EpisodeLost
from eval.records.header import OBSERVATION_CHANGE
from policies.base import Action, EpisodeInfo, Observation, Policy, PolicyDescription
from policies.registry import describe

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
ConditionName = Literal["published", "blank_picture", "other_picture", "other_instruction", "heldout", "again"]
GREY = 128


@dataclass(frozen=True)
class Condition:
    """One way to play."""

    name: ConditionName
    title: str
    asks: str
    remark: str = ""
    """What the title of such a run must say; empty where the policy sees what it always does."""


CONDITIONS: Mapping[ConditionName, Condition] = {
    condition.name: condition
    for condition in (
        Condition("published", "unmodified", ""),
        Condition(
            "blank_picture", "grey image", "Does it use the image?", "GREY IMAGES instead of the camera's: no result"
        ),
        Condition(
            "other_picture", "image of another episode", "Does it act on what the image shows?",
            "THE FIRST IMAGE OF ANOTHER EPISODE instead of the camera's: no result",
        ),
        Condition(
            "other_instruction", "instruction of another task", "Does it use the instruction?",
            "INSTRUCTIONS OF OTHER TASKS: no result",
        ),
        Condition("heldout", "held-out placements", "Has it memorised the grid?"),
        Condition("again", "first step once more", "", "FIRST STEPS ALONE: no result"),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Change:
    """What becomes of an observation."""

    condition: Condition
    image: Callable[[str, Image], Image] = lambda episode, image: image
    """Episode and the camera's picture -> the picture that the policy sees."""
    instructions: Mapping[tuple[str, str], str] = field(default_factory=dict)
    """Episode and its instruction -> the one that the policy gets."""
    first_step_alone: bool = False
    """End each episode once the policy has acted in it: the same one, for a policy may draw from its id and seed."""


def grey(episode: str, image: Image) -> Image:
    """A picture of the same size without content."""
    return np.full_like(image, GREY)


class ChangedPolicy:
    """A policy that is shown changed observations; everything else passes through, the simulator's state among it."""

    def __init__(self, policy: Policy, change: Change, name: str, args: Mapping[str, object]) -> None:
        """``name`` and ``args`` are what the user calls the policy, and made it with."""
        self._policy, self._change, self._name, self._args = policy, change, name, args
        self.needs_image = bool(getattr(policy, "needs_image", True))
        self.needs_privileged = bool(getattr(policy, "needs_privileged", False))

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes, with the instructions of the condition."""
        self._policy.reset([replace(e, instruction=self._instruction(e.episode, e.instruction)) for e in episodes])

    def act(self, observations: Sequence[Observation]) -> Sequence[Action | EpisodeLost]:
        """The policy's actions on what it is shown."""
        actions = self._policy.act([self._changed(observation) for observation in observations])
        if not self._change.first_step_alone:
            return actions
        return [replace(action, terminate=True) if isinstance(action, Action) else action for action in actions]

    def describe(self) -> PolicyDescription:
        """The policy's own, with the change in its identity and in its remarks."""
        own, condition = describe(self._policy, self._name, self._args), self._change.condition
        if not condition.remark:
            return own
        return own.model_copy(
            update={
                "settings": {**own.settings, OBSERVATION_CHANGE: condition.name},
                "remarks": (condition.remark, *own.remarks),
            }
        )

    def close(self) -> None:
        """The policy is closed by whoever made it: it plays under several conditions."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  optional methods and attributes of the policy
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._policy, name)
        if name == "prepare_observation":
            return lambda observation: found(self._changed(observation))
        return found

    def _instruction(self, episode: str, instruction: str) -> str:
        return self._change.instructions.get((episode, instruction), instruction)

    def _changed(self, seen: Observation) -> Observation:
        image = None if seen.image is None else self._change.image(seen.episode, seen.image)
        return replace(seen, image=image, instruction=self._instruction(seen.episode, seen.instruction))
