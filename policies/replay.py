"""Play recorded actions back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, Observation, PolicyDescription


class ReplayFileError(UserError):
    """The file holds no actions that can be played."""


class ReplayPolicy:
    """Actions from an ``.npz``: an array (T, 7) per episode id, or one named ``actions`` for every other episode.

    After the last recorded action the robot stands still: no motion, the gripper held (a Google Robot's change is 0,
    a WidowX keeps its last command).
    """

    needs_image = False
    needs_privileged = False

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        try:
            with np.load(self.path, allow_pickle=False) as file:
                self.actions = {name: np.asarray(file[name], np.float64) for name in file.files}
        except (OSError, ValueError, AttributeError, TypeError) as error:
            raise ReplayFileError(f"Cannot read actions from {path}: {error}; it must be an .npz.") from error
        for name, array in self.actions.items():
            if array.ndim != 2 or array.shape[1] != 7 or not len(array):
                raise ReplayFileError(f'{path}: array "{name}" has shape {array.shape}; actions are (T, 7).')

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Check that there is something to play for each."""
        for info in episodes:
            self._actions_of(info.episode)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The recorded action of each observation's step."""
        return [Action(self._at(o)) for o in observations]

    def _at(self, observation: Observation) -> NDArray[np.float64]:
        actions = self._actions_of(observation.episode)
        if observation.step < len(actions):
            action: NDArray[np.float64] = actions[observation.step]
            return action
        still = np.zeros(7)
        still[6] = 0.0 if observation.robot == "google_robot" else actions[-1, 6]
        return still

    def _actions_of(self, episode: str) -> NDArray[np.float64]:
        actions = self.actions.get(episode, self.actions.get("actions"))
        if actions is None:
            raise ReplayFileError(f'{self.path} has no actions for episode {episode} and no array "actions".')
        return actions

    def describe(self) -> PolicyDescription:
        """The hash of the file decides the numbers, not where it lies."""
        digest = hashlib.blake2b(self.path.read_bytes(), digest_size=16).hexdigest()
        return PolicyDescription(name="replay", settings={"actions": digest}, details={"file": str(self.path)})

    def close(self) -> None:
        """Nothing is held."""
