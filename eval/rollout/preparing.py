"""What a policy does ahead on observations (``prepare_observation``), on threads of ours, while it answers others.

It is help and never needed: what it raises is noticed and costs nothing, since ``act`` then does the work itself. An image must
not change under it, and no episode may begin or end meanwhile, so whoever calls the policy about an episode waits for it first.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue

from eval.rollout.exits import ExitGuard
from eval.rollout.faults import Fault, fault_of
from policies.base import Observation

NAME = "prepare_observation()"
THREADS = max(1, min(8, len(os.sched_getaffinity(0))))
CLOSE_SECONDS = 10.0
"""That what is under way may still take at the end."""


class _Work:
    """One observation."""

    def __init__(self, observation: Observation) -> None:
        self.observation: Observation | None = observation
        """Until it is begun or given up; held longer, its image would count as kept."""
        self.done = threading.Event()
        self.fault: Fault | None = None

    def take(self) -> Observation | None:
        observation, self.observation = self.observation, None
        return observation


class Preparing:
    """Calls ``prepare`` for observations in the order in which they come; several at once."""

    def __init__(self, prepare: Callable[[Observation], object]) -> None:
        self._prepare = prepare
        self._queue: SimpleQueue[_Work | None] = SimpleQueue()
        self._works: dict[str, _Work] = {}
        self._threads: list[threading.Thread] = []
        for _ in range(THREADS):
            self._add_thread()

    def begin(self, observation: Observation) -> None:
        """Prepare this one; it is the only one of its episode."""
        work = self._works[observation.episode] = _Work(observation)
        self._queue.put(work)

    def wait_for(self, episode: str) -> Fault | None:
        """Come back when nothing is under way for an episode. What it raised, if anything was and did.

        May be interrupted: then it is not waited for again, and the others go on without the thread that it holds.
        """
        work = self._works.pop(episode, None)
        if work is None:
            return None
        try:
            work.done.wait()
        except BaseException:
            self._add_thread()
            raise
        return work.fault

    def close(self) -> None:
        """Give up what has not begun, and wait a while for the rest."""
        for work in self._works.values():
            work.take()
        for _ in self._threads:
            self._queue.put(None)
        end = time.monotonic() + CLOSE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))

    def _add_thread(self) -> None:
        thread = threading.Thread(target=self._run, name="prepares observations", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _run(self) -> None:
        while (work := self._queue.get()) is not None:
            observation = work.take()
            if observation is not None:
                work.fault = self._fault_in(observation)
            del observation
            work.done.set()

    def _fault_in(self, observation: Observation) -> Fault | None:
        with ExitGuard(lambda: True) as guard:
            try:
                self._prepare(observation)
            except BaseException as error:
                guard.end_if_forked(NAME, error)
                return fault_of(error)
            guard.end_if_forked(NAME)
            return None
