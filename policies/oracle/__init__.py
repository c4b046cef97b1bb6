"""The oracle: scripted from the simulator's state. It proves that a world can be solved; it is no baseline."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from policies.base import Action, EpisodeInfo, Observation
from policies.oracle.drawer import Drawer
from policies.oracle.move_near import MoveNear
from policies.oracle.pick import Pick
from policies.oracle.place import Place
from policies.oracle.put_on import PutOn


class Script(Protocol):
    """What the oracle does in one episode."""

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


class OraclePolicy:
    """Chooses a script by the family of the task; one script per episode."""

    needs_image = False
    needs_privileged = True

    def __init__(self) -> None:
        self._scripts: dict[str, Script] = {}

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Forget what was under way in these episodes."""
        for info in episodes:
            self._scripts.pop(info.episode, None)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """Next action of every episode's script."""
        actions = [self._script(observation).act(observation) for observation in observations]
        return [replace(action, notes={"values": action.world}) for action in actions]

    def _script(self, observation: Observation) -> Script:
        if observation.episode not in self._scripts:
            if observation.privileged is None:
                raise ValueError("the oracle needs the privileged state")
            self._scripts[observation.episode] = SCRIPTS[observation.privileged["family"]]()
        return self._scripts[observation.episode]

    def describe(self) -> Mapping[str, Any]:
        """Nothing but its name: it has no options and draws nothing."""
        return {"policy": "oracle"}

    def close(self) -> None:
        """Forget everything."""
        self._scripts.clear()
