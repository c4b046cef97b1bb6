"""The oracle: scripted from the simulator's state. It proves that a world can be solved; it is no baseline.

Made worse on purpose (:mod:`policies.oracle.graded`), it is a policy of any strength.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Protocol

from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription
from policies.oracle.drawer import Drawer
from policies.oracle.graded import Grade, Perturbation
from policies.oracle.move_near import MoveNear
from policies.oracle.pick import Pick
from policies.oracle.pick_from_state import PickFromState
from policies.oracle.place import Place
from policies.oracle.put_on import PutOn
from policies.oracle.put_on_from_state import PutOnFromState
from policies.oracle.state import privileged_of


class Script(Protocol):
    """The oracle's behaviour in one episode."""

    def act(self, observation: Observation) -> Action:
        """Next action; the observation carries the privileged state."""


SCRIPTS: Mapping[str, Callable[[], Script]] = {
    "grasp": Pick,
    "put_on": PutOn,
    "move_near": MoveNear,
    "drawer": Drawer,
    "place": Place,
}
"""By task family."""
FROM_STATE: Mapping[str, Callable[[], Script]] = {**SCRIPTS, "put_on": PutOnFromState, "grasp": PickFromState}
"""The same for states that others brought about. Those that are not told apart go by phases of their own here, too."""


class OraclePolicy:
    """Chooses a script by the family of the task; one script per episode.

    ``noise`` disturbs the arm's commands, ``delay`` is the control steps by which they come late, ``height`` and ``side`` the
    metres by which it misjudges where its hand is, ``release`` the chance per step that the hand lets go, and ``seed``
    chooses other faults; texts or numbers, ``UserError`` for what :class:`Grade` does not take. Without them it is perfect.
    """

    needs_image = False
    needs_privileged = True

    def __init__(
        self,
        noise: float | str = 0.0,
        delay: int | str = 0,
        seed: int | str = 0,
        height: float | str = 0.0,
        side: float | str = 0.0,
        release: float | str = 0.0,
    ) -> None:
        self.grade = Grade.parse(noise, delay, height, side, release, seed)
        self._scripts: dict[str, Script] = {}
        self._from_state: dict[str, Script] = {}
        self._perturbations: dict[str, Perturbation] = {}

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Forget these episodes."""
        for info in episodes:
            self._scripts.pop(info.episode, None)
            self._from_state.pop(info.episode, None)
            self._perturbations.pop(info.episode, None)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """Next action of every episode's script."""
        actions = [self._act(observation) for observation in observations]
        return [replace(action, notes={"values": action.command}) for action in actions]

    def label(self, observations: Sequence[Observation]) -> list[Action]:
        """What should be done in states that another policy may have brought about; nothing of it is disturbed.

        Ask for all observations of an episode, in order, and do not ask ``act`` in between.
        """
        return [self._label(observation) for observation in observations]

    def _label(self, observation: Observation) -> Action:
        if observation.episode not in self._from_state:
            self._from_state[observation.episode] = FROM_STATE[privileged_of(observation).family]()
        return self._from_state[observation.episode].act(observation)

    def _act(self, observation: Observation) -> Action:
        if observation.episode not in self._scripts:
            self._scripts[observation.episode] = SCRIPTS[privileged_of(observation).family]()
            self._perturbations[observation.episode] = Perturbation(self.grade, observation.episode, observation.robot)
        perturbation = self._perturbations[observation.episode]
        action = self._scripts[observation.episode].act(perturbation.seen(observation))
        return perturbation.apply(action, observation.step)

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Forget these episodes, too."""
        self.reset(episodes)

    def describe(self) -> PolicyDescription:
        """Its faults and their seed."""
        return self.grade.describe()

    def close(self) -> None:
        """Forget everything."""
        self._scripts.clear()
        self._from_state.clear()
        self._perturbations.clear()
