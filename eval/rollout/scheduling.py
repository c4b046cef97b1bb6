"""Which episode a worker gets next: building a scene costs seconds, so a worker stays with the one it has."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Sequence

from eval.episode import EpisodeSpec


def look_of(spec: EpisodeSpec) -> str:
    """Episodes with the same text very likely share a scene; the world itself decides what it rebuilds."""
    objects = sorted(o.model for o in spec.objects)
    return "|".join((spec.robot, spec.scene, spec.lighting, str(spec.overlay), spec.urdf_version, spec.shader, *objects))


class EpisodeQueue:
    """Episodes waiting, grouped by look; a retried one comes first."""

    def __init__(self, specs: Iterable[EpisodeSpec]) -> None:
        self._retries: deque[tuple[EpisodeSpec, int]] = deque()
        self._groups: dict[str, deque[EpisodeSpec]] = {}
        for spec in specs:
            self._groups.setdefault(look_of(spec), deque()).append(spec)

    def __len__(self) -> int:
        return len(self._retries) + sum(map(len, self._groups.values()))

    def put_back(self, spec: EpisodeSpec, attempt: int) -> None:
        """Queue an episode for its next attempt."""
        self._retries.append((spec, attempt))

    def take(self, last: str | None, elsewhere: Sequence[str]) -> tuple[EpisodeSpec, int]:
        """Next (episode, attempt) for a worker whose last look was ``last`` while others play ``elsewhere``."""
        if self._retries:
            return self._retries.popleft()
        if last not in self._groups:
            crowd = Counter(elsewhere)
            last = max(self._groups, key=lambda look: len(self._groups[look]) / (1 + crowd[look]))
        group = self._groups[last]
        spec = group.popleft()
        if not group:
            del self._groups[last]
        return spec, 1
