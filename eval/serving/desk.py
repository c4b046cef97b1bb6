"""One thread owns the policy; connections hand in what they want of it, and observations that wait are answered together.

A batch in which the policy failed costs all its episodes, since whose fault it was and what the policy now remembers of the
others cannot be known. Their connections' next episodes are asked about alone until an answer comes, so that whoever brings the
policy to fail does it to nobody else twice.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from dataclasses import replace
from typing import NamedTuple

from eval.rollout.actions import CheckedAction
from eval.rollout.batching import Batching, Waiting
from eval.rollout.faults import Fault
from eval.rollout.policy_calls import PolicyCalls, preferred_batch
from eval.serving.log import Log
from policies.base import EpisodeInfo, EpisodeResult, Observation


class Refused(Exception):
    """What a client asked for cannot be had; one line for the client, without paths or other texts of the server's."""


class _Asked(NamedTuple):
    """Who waits for an action."""

    client: str
    answer: Future[CheckedAction]


Job = Callable[[], None]


class PolicyDesk:
    """:meth:`run` in the thread that owns the policy; everything else from any thread.

    Args:
        calls: the policy, behind its guard.
        log: told in lines what went wrong.
    """

    def __init__(self, calls: PolicyCalls, log: Log) -> None:
        self._calls, self._log = calls, log
        self._changed = threading.Condition()
        self._jobs: deque[Job] = deque()
        self._waiting = Batching[_Asked]()
        self._begun: dict[str, str] = {}
        """Episode -> client."""
        self._alone: set[str] = set()
        """Clients whose next observation is asked about alone."""
        self._faults = itertools.count(1)
        self._closed = False
        self.actions = self.episodes = 0
        """So far."""

    @property
    def under_way(self) -> int:
        """Episodes now."""
        return len(self._begun)

    # ---- from any thread -----------------------------------------------------------------------------------------------

    def begin(self, client: str, info: EpisodeInfo) -> Future[EpisodeInfo]:
        """Begin an episode. Comes to the episode as the policy knows it: of two under way at once that are called the same, the
        later has another name. Refused where the policy fails.
        """
        future: Future[EpisodeInfo] = Future()

        def begin() -> None:
            if not future.set_running_or_notify_cancel():
                return
            named = self._named(info)
            fault = self._calls.reset(named)
            if fault is not None:
                future.set_exception(self._refused(client, fault))
                return
            self._begun[named.episode] = client
            self.episodes += 1
            future.set_result(named)

        self._hand_in(begin)
        return future

    def act(self, client: str, observation: Observation) -> Future[CheckedAction]:
        """The action for an observation of an episode that has begun; Refused where the policy fails, which ends it."""
        future: Future[CheckedAction] = Future()
        self._calls.prepare(observation)
        with self._changed:
            if self._closed:
                future.set_exception(Refused("the server ends"))
                return future
            self._waiting.add(Waiting(observation, _Asked(client, future), client in self._alone))
            self._changed.notify()
        return future

    def end(self, info: EpisodeInfo, result: EpisodeResult) -> None:
        """An episode is over, or given up."""

        def end() -> None:
            if self._begun.pop(info.episode, None) is not None:
                fault = self._calls.end(info, result)
                if fault is not None:
                    self._tell(fault, "at the end of an episode")

        self._hand_in(end)

    def leave(self, prefix: str) -> None:
        """Clients whose names begin so are gone: what they still wait for is not asked."""
        with self._changed:
            self._waiting.forget(lambda asked: asked.client.startswith(prefix))
            self._alone -= {client for client in self._alone if client.startswith(prefix)}

    def stop(self) -> None:
        """Let :meth:`run` come back once the present call is answered."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    # ---- in the policy's thread ----------------------------------------------------------------------------------------

    def run(self) -> None:
        """Answer until :meth:`stop`, or until something is raised here, such as Ctrl-C."""
        try:
            while (work := self._next()) is not None:
                if callable(work):
                    work()
                else:
                    self._ask(work)
        finally:
            self.stop()
            for one in self._waiting.take(None):
                _fail(one.seat.answer, Refused("the server ends"))

    def _hand_in(self, job: Job) -> None:
        with self._changed:
            self._jobs.append(job)
            self._changed.notify()

    def _next(self) -> Job | list[Waiting[_Asked]] | None:
        """What is to be done now, or None: nothing any more. Episodes begin and end before observations are answered."""
        with self._changed:
            while True:
                if self._jobs:
                    return self._jobs.popleft()
                if self._closed:
                    return None
                left = None
                if len(self._waiting):
                    size = preferred_batch(self._calls.policy)
                    left = self._waiting.seconds_left(size, len(self._begun))
                    if left <= 0:
                        return self._waiting.take(size)
                self._changed.wait(left)

    def _ask(self, batch: list[Waiting[_Asked]]) -> None:
        batch = [one for one in batch if one.seat.answer.set_running_or_notify_cancel()]
        if not batch:
            return
        begun = time.monotonic()
        answer = self._calls.act([one.observation for one in batch])
        if not answer.faults:
            self._waiting.cost.add(len(batch), time.monotonic() - begun)
        several = len(batch) > 1
        refused: dict[int, Refused] = {}
        for one in batch:
            client, future = one.seat
            if (action := answer.actions.get(one.observation.episode)) is not None:
                self.actions += 1
                self._alone.discard(client)
                future.set_result(action)
                continue
            fault = answer.faults[one.observation.episode]
            if several:
                self._alone.add(client)
            if id(fault) not in refused:
                refused[id(fault)] = self._refused(client if not several else f"{len(batch)} clients", fault)
            future.set_exception(refused[id(fault)])

    def _named(self, info: EpisodeInfo) -> EpisodeInfo:
        """Under a name that no other episode has now; policies know episodes by their names."""
        name, number = info.episode, 2
        while name in self._begun:
            name, number = f"{info.episode}~{number}", number + 1
        if name != info.episode:
            self._log(f"an episode that is under way begins once more, as ...~{number - 1}; its random numbers are others")
        return info if name == info.episode else replace(info, episode=name)

    def _refused(self, who: str, fault: Fault) -> Refused:
        return Refused(f"the policy failed; see fault {self._tell(fault, f'for {who}')} in the server's log")

    def _tell(self, fault: Fault, where: str) -> int:
        number = next(self._faults)
        self._log(f"fault {number} {where}: {fault.text}", fault.traceback)
        return number


def _fail(future: Future[CheckedAction], error: Exception) -> None:
    try:
        if future.set_running_or_notify_cancel():
            future.set_exception(error)
    except CancelledError:
        pass
