"""What was played, and what it led to: a few small files an episode.

``actions/<name>.npy`` holds the (T, 7) float64 commands of its T steps, ``actions/<name>.terminate.npy`` (T,) bool whether the
policy said done, where it ever did, and ``states/<name>.npy`` the states (:mod:`eval.records.moments`).

The name is the episode's content id, followed by ``-r<k>`` in repeat k > 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.records import moments as states
from eval.records.folder import disk_errors, replacing
from eval.records.moments import Moment
from eval.records.results import RecordKey

FOLDER = "actions"


class KeptActions:
    """Writes those files into a run folder; with ``keep=False`` none, and what an earlier try left is removed."""

    def __init__(self, run: Path, keep: bool = True) -> None:
        self._run, self._keep = run, keep

    def write(
        self, key: RecordKey, commands: Sequence[Sequence[float]], terminates: Sequence[bool], moments: Sequence[Moment] = ()
    ) -> None:
        """Replace what is kept of an episode, each file all or nothing. Raises UserError if the disk refuses."""
        terminate = np.array(terminates, bool) if any(terminates) else None
        with disk_errors(self._run):
            self._replace(FOLDER, f"{key.name}.npy", np.array(commands, np.float64) if commands else None)
            self._replace(FOLDER, f"{key.name}.terminate.npy", terminate)
            self._replace(states.FOLDER, f"{key.name}.npy", states.as_array(moments) if moments else None)

    def _replace(self, folder: str, name: str, array: NDArray[Any] | None) -> None:
        place = self._run / folder
        if array is None or not self._keep:
            (place / name).unlink(missing_ok=True)
            return
        place.mkdir(exist_ok=True)
        with replacing(place / name) as part, part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
