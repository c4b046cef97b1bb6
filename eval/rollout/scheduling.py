"""Which episode a worker gets next: what a worker has loaded and settled, it need not load and settle again.

A scene is built anew for every episode, but a worker keeps meshes, textures and the settled states of objects
(:mod:`eval.sim.settled_states`). So episodes with the same settled states go to one worker, as far as workers stay busy, and a
worker stays with the files it has loaded.
"""

from __future__ import annotations

import math
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


def traced_share(specs: Iterable[EpisodeSpec]) -> float:
    """Part (0..1) of the steps that is played in episodes for which the original traces rays."""
    steps: Counter[bool] = Counter()
    for spec in specs:
        steps[spec.shader == "rt"] += spec.max_steps
    return steps[True] / max(1, steps.total())


def tracing_workers(workers: int, share: float) -> int | None:
    """How many of ``workers`` play the ray-traced episodes, which are ``share`` of all steps; None: no choice is to be made.

    A process that has denoised once keeps what the denoiser needs, 1.7 GB of the GPU's memory, for as long as it lives. A
    traced step takes longer than another one, so that of all that is left more and more is traced: if whoever is free took the
    next episode, in the end all processes would hold that memory. More of them than by their part of the steps gain nothing,
    as the GPU traces one image at a time; fewer are slower, so rather one too many.
    """
    if not 0.0 < share < 1.0:
        return None
    tracing = max(1, math.ceil(workers * share - 0.25))
    return tracing if tracing < workers else None


class EpisodeQueue:
    """Episodes waiting: by kind of rendering, by files, and by how their objects settle; a retried one comes first.

    Ray-traced images are drawn by the GPU, one at a time, while raster episodes keep the cores busy. So both are under way
    side by side, in proportion to the steps that are left of each, and come to their end together, unless it is settled who
    traces (``tracing_workers``). The episodes of one worker are of one kind: a raster step must not wait until an image has
    been traced.

    Args:
        turns: what is to be played.
        traces: whether rays are traced in the episodes for which the original traces them.
    """

    def __init__(self, turns: Iterable[Turn], traces: bool = False) -> None:
        self._traces = traces
        self._retries: deque[tuple[Turn, int]] = deque()
        self._waiting: dict[bool, dict[Files, dict[SettlingInputs, deque[Turn]]]] = {}
        self._steps: Counter[bool] = Counter()
        """That are left to be played, by kind."""
        self._count = 0
        for turn in turns:
            self.add(turn)

    def __len__(self) -> int:
        return len(self._retries) + self._count

    def add(self, turn: Turn) -> None:
        """Queue an episode for its first attempt."""
        kind = self._is_traced(turn.spec)
        group = self._waiting.setdefault(kind, {}).setdefault(files_of(turn.spec), {})
        group.setdefault(settling_inputs(turn.spec), deque()).append(turn)
        self._steps[kind] += turn.spec.max_steps
        self._count += 1

    def put_back(self, turn: Turn, attempt: int) -> None:
        """Queue an episode for another attempt, before all that have not begun."""
        self._retries.append((turn, attempt))

    def left_for(self, traces: bool | None) -> int:
        """How many a worker may get; ``traces`` as for :meth:`take`."""
        if traces is not False:
            return len(self)
        retries = sum(not self._is_traced(turn.spec) for turn, _ in self._retries)
        groups = self._waiting.get(False, {})
        return retries + sum(len(turns) for files in groups.values() for turns in files.values())

    def take(
        self,
        last: EpisodeSpec | None,
        elsewhere: Sequence[EpisodeSpec],
        beside: Sequence[EpisodeSpec] = (),
        traces: bool | None = None,
    ) -> tuple[Turn, int] | None:
        """What a worker gets next.

        Args:
            last: what was last played in the same seat.
            elsewhere: what other workers play.
            beside: what this worker plays beside it.
            traces: whether it is one of those who trace rays, and so plays what is traced before all else; False: it plays
                nothing that is traced; None: it is not settled who does.

        Returns:
            (Episode, attempt); None if nothing is left for it, or only what has taken a worker with it: such a one is played
            beside no other.
        """
        for place, (turn, attempt) in enumerate(self._retries):
            if (attempt == 1 or not beside) and not (traces is False and self._is_traced(turn.spec)):
                del self._retries[place]
                return turn, attempt
        if not self._count:
            return None
        near = [*beside, *([last] if last is not None else [])]
        if traces is None:
            kind = self._choose_kind(near, [*elsewhere, *beside], len(beside))
        else:
            kind = traces and True in self._waiting
        if kind not in self._waiting:
            return None
        files = self._choose_files(self._waiting[kind], near, elsewhere)
        inputs = self._choose_settling(self._waiting[kind][files], near, elsewhere)
        return self._pop(kind, files, inputs), 1

    def _is_traced(self, spec: EpisodeSpec) -> bool:
        return self._traces and spec.shader == "rt"

    def _pop(self, kind: bool, files: Files, inputs: SettlingInputs) -> Turn:
        groups = self._waiting[kind]
        turn = groups[files][inputs].popleft()
        if not groups[files][inputs]:
            del groups[files][inputs]
        if not groups[files]:
            del groups[files]
        if not groups:
            del self._waiting[kind]
        self._steps[kind] -= turn.spec.max_steps
        self._count -= 1
        return turn

    def _choose_kind(self, near: Sequence[EpisodeSpec], under_way: Sequence[EpisodeSpec], beside: int) -> bool:
        """The worker's own, unless more of that kind are under way than its part of the steps that are left."""
        if len(self._waiting) == 1:
            return next(iter(self._waiting))
        live = Counter(map(self._is_traced, under_way))
        seats, steps = len(under_way) + 1, self._steps.total()
        wanted = {kind: max(1.0, seats * self._steps[kind] / steps) for kind in self._waiting}
        if near and live[own := self._is_traced(near[0])] < wanted[own] + beside:
            return own
        return max(wanted, key=lambda kind: wanted[kind] - live[kind])

    @staticmethod
    def _choose_files(
        waiting: dict[Files, dict[SettlingInputs, deque[Turn]]], near: Sequence[EpisodeSpec], elsewhere: Sequence[EpisodeSpec]
    ) -> Files:
        """Those the worker has loaded, else those of which most is left for each who plays them."""
        for spec in near:
            if files_of(spec) in waiting:
                return files_of(spec)
        crowd = Counter(map(files_of, elsewhere))
        left = {files: sum(map(len, group.values())) for files, group in waiting.items()}
        return max(left, key=lambda files: left[files] / (1 + crowd[files]))

    @staticmethod
    def _choose_settling(
        group: dict[SettlingInputs, deque[Turn]], near: Sequence[EpisodeSpec], elsewhere: Sequence[EpisodeSpec]
    ) -> SettlingInputs:
        """What the worker has settled, else the first that no other worker is at."""
        for spec in near:
            if settling_inputs(spec) in group:
                return settling_inputs(spec)
        taken = set(map(settling_inputs, elsewhere))
        return next((inputs for inputs in group if inputs not in taken), next(iter(group)))
