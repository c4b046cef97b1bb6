"""Which episode a worker gets next: what a worker has loaded and settled, it need not load and settle again.

A scene is built anew for every episode, but a worker keeps meshes, textures and the settled states of objects
(:mod:`eval.sim.settled_states`). So episodes with the same settled states go to one worker, as far as workers stay busy, and a
worker stays with the files it has loaded.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from eval.episode import EpisodeSpec
from eval.records.turns import Turn
from eval.sim.contents import SettlingInputs, settling_inputs


class Files(NamedTuple):
    """What decides which large files an episode's scene is built of."""

    robot: str
    scene: str
    models: tuple[str, ...]


def files_of(spec: EpisodeSpec) -> Files:
    """Episodes with equal ones share robot, stage and the objects' meshes."""
    return Files(spec.robot_family, spec.scene, tuple(sorted({item.model for item in spec.objects})))


class EpisodeQueue:
    """Episodes waiting, by files and by how their objects settle; a retried one comes first."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        self._retries: deque[tuple[Turn, int]] = deque()
        self._waiting: dict[Files, dict[SettlingInputs, deque[Turn]]] = {}
        for turn in turns:
            group = self._waiting.setdefault(files_of(turn.spec), {})
            group.setdefault(settling_inputs(turn.spec), deque()).append(turn)

    def __len__(self) -> int:
        return len(self._retries) + sum(len(alike) for group in self._waiting.values() for alike in group.values())

    def put_back(self, turn: Turn, attempt: int) -> None:
        """Queue an episode for its next attempt."""
        self._retries.append((turn, attempt))

    def take(self, last: EpisodeSpec | None, elsewhere: Sequence[EpisodeSpec]) -> tuple[Turn, int]:
        """Next (episode, attempt) for a worker that played ``last`` while others play the episodes ``elsewhere``."""
        if self._retries:
            return self._retries.popleft()
        files = self._choose_files(last, elsewhere)
        group = self._waiting[files]
        inputs = self._choose_settling(group, last, elsewhere)
        turn = group[inputs].popleft()
        if not group[inputs]:
            del group[inputs]
        if not group:
            del self._waiting[files]
        return turn, 1

    def _choose_files(self, last: EpisodeSpec | None, elsewhere: Sequence[EpisodeSpec]) -> Files:
        """Those the worker has loaded, else those of which most is left for each who plays them."""
        if last is not None and files_of(last) in self._waiting:
            return files_of(last)
        crowd = Counter(map(files_of, elsewhere))
        left = {files: sum(map(len, group.values())) for files, group in self._waiting.items()}
        return max(left, key=lambda files: left[files] / (1 + crowd[files]))

    @staticmethod
    def _choose_settling(
        group: dict[SettlingInputs, deque[Turn]], last: EpisodeSpec | None, elsewhere: Sequence[EpisodeSpec]
    ) -> SettlingInputs:
        """What the worker has settled, else the first that no other worker is at."""
        if last is not None and settling_inputs(last) in group:
            return settling_inputs(last)
        taken = set(map(settling_inputs, elsewhere))
        return next((inputs for inputs in group if inputs not in taken), next(iter(group)))
