"""Every call of the harness into a policy: whatever it does there is a fault of its own, Ctrl-C apart.

A policy may raise anything, leave the process (``sys.exit``, ``os._exit``), answer nonsense, or not come back, which
:mod:`eval.rollout.policy_watch` notices.
"""

from __future__ import annotations

import contextlib
import operator
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self, TypeVar

from eval.errors import EpisodeLost, UserError
from eval.rollout.actions import CheckedAction, checked, listed
from eval.rollout.exits import ExitGuard
from eval.rollout.faults import Fault, PolicyFault, fault_of
from eval.rollout.interrupts import Interrupts
from eval.rollout.preparing import Preparing
from policies.base import EpisodeInfo, EpisodeResult, Exactness, Observation, Policy, PolicyDescription
from policies.registry import check_episodes, describe, load_policy, require_policy, with_device

Answer = TypeVar("Answer")
MAKE, NEEDS, DESCRIBE, CHECK, EXACTNESS, RESET, ACT, END, CLOSE = (
    "its constructor", "needs_image", "describe", "check_episodes", "exactness", "reset", "act", "end", "close",
)  # fmt: skip
BEFORE = (MAKE, NEEDS, DESCRIBE, CHECK, EXACTNESS)
"""Asked before an episode begins: what fails here can be fixed by the user, who gets one line."""


class PolicyNeeds(NamedTuple):
    """What a policy must be shown; a policy that does not say is shown images and no privileged state."""

    image: bool
    privileged: bool

    @classmethod
    def of(cls, policy: Policy) -> PolicyNeeds:
        """Read from the policy's class attributes."""
        return cls(bool(getattr(policy, "needs_image", True)), bool(getattr(policy, "needs_privileged", False)))


def preferred_batch(policy: Policy) -> int | None:
    """Observations that the policy wants at a time; None if it does not say, or says nothing of use."""
    with contextlib.suppress(Exception):  # it may be code of the policy's
        given = operator.index(getattr(policy, "preferred_batch"))  # noqa: B009  no part of the protocol
        return given if given > 0 else None
    return None


class Call(NamedTuple):
    """A call that is under way."""

    name: str
    number: int
    """1 for the first of its name."""
    started: float

    def __str__(self) -> str:
        return self.name if self.name == MAKE else f"{self.name} (call {self.number})"


@dataclass(frozen=True)
class BatchAnswer:
    """What came of one batch, by the name of the episode."""

    actions: dict[str, CheckedAction] = field(default_factory=dict)
    faults: dict[str, Fault] = field(default_factory=dict)
    """Why an episode cannot go on. If the whole batch failed, all of them have the same one: whose fault it was and what the
    policy now remembers of the others cannot be known."""
    unprepared: dict[str, Fault] = field(default_factory=dict)
    """What ``prepare_observation`` raised, which is no matter: ``act`` came to its answer without."""


class PolicyFailed(Exception):
    """A call came to nothing."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.text)
        self.fault = fault


class PolicyCalls:
    """A policy behind a guard. Use as a context manager around everything that is asked of it.

    ``policy`` is the object itself; one that is still to be made comes by :meth:`make`.
    """

    def __init__(self, interrupts: Interrupts, policy: Policy | None = None) -> None:
        self.interrupts = interrupts
        self.current: Call | None = None
        self.counts: Counter[str] = Counter()
        self.given_up = threading.Event()
        """Set when the process is about to end under the policy: the thread that called it must not go on."""
        self._policy = policy
        self._preparing: Preparing | None = None
        self._exits = ExitGuard(lambda: self.current is not None)

    @property
    def policy(self) -> Policy:
        """Whoever plays."""
        if self._policy is None:
            raise RuntimeError("the policy has not been made yet")
        return self._policy

    def __enter__(self) -> Self:
        self._exits.__enter__()
        self._depth = sys.getrecursionlimit()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.__exit__()

    # ---- what a run asks ---------------------------------------------------------------------------------------------

    def make(self, text: str, options: Mapping[str, object], device: str | None = None) -> Policy:
        """Load the policy, on ``device`` if it takes one. Raises UserError whatever its constructor or its file does."""

        def load() -> Policy:
            return load_policy(text, with_device(text, options, device))

        self._policy = self._answer(MAKE, load, f"Policy {text} cannot be made")
        return self._policy

    def require(self, name: str) -> Policy:
        """The policy, if the object that was given is one. Raises UserError if not."""
        return self._answer(NEEDS, lambda: require_policy(self.policy, name), f"{name} is no policy")

    def describe(self, name: str, args: Mapping[str, object]) -> PolicyDescription:
        """What it says of itself. Raises UserError for anything that cannot be recorded."""
        return self._answer(DESCRIBE, lambda: describe(self.policy, name, args), f"describe() of {name} failed")

    def check_episodes(self, name: str, episodes: Sequence[EpisodeInfo]) -> None:
        """Ask whether it can play these, if it has an opinion. Raises UserError if not."""
        self._answer(CHECK, lambda: check_episodes(self.policy, episodes), f"check_episodes() of {name} failed")

    @contextlib.contextmanager
    def preparing(self) -> Iterator[None]:
        """While this lasts, :meth:`prepare` has the policy work ahead, if it can."""
        prepare = None
        with contextlib.suppress(Exception):  # it may be code of the policy's
            prepare = getattr(self.policy, "prepare_observation", None)
        if not callable(prepare):
            yield
            return
        self._preparing = Preparing(prepare)
        try:
            yield
        finally:
            preparing, self._preparing = self._preparing, None
            preparing.close()

    @property
    def prepares(self) -> bool:
        """Whether the policy works ahead."""
        return self._preparing is not None

    def prepare(self, observation: Observation) -> None:
        """Let the policy work ahead on an observation that it will be asked about; comes back at once, in any thread."""
        if self._preparing is not None:
            self._preparing.begin(observation)

    def _prepared(self, episode: str) -> Fault | None:
        """Wait until nothing is prepared for an episode; part of a call, so that a policy which hangs there is noticed, too."""
        return None if self._preparing is None else self._preparing.wait_for(episode)

    def reset(self, episode: EpisodeInfo) -> Fault | None:
        """Begin an episode."""

        def begin() -> None:
            self._prepared(episode.episode)  # of an attempt that was given up
            self.policy.reset([episode])

        return self._fault_in(RESET, begin)

    def act(self, observations: Sequence[Observation]) -> BatchAnswer:
        """One checked action an observation."""
        answer = BatchAnswer()

        def ask() -> None:
            for observation in observations:
                if failed := self._prepared(observation.episode):
                    answer.unprepared[observation.episode] = failed
            # a list of its own: what it does to it is no matter of ours
            given = listed(self.policy.act([*observations]), len(observations))
            for observation, action in zip(observations, given, strict=True):
                try:
                    if isinstance(action, EpisodeLost):
                        raise action
                    answer.actions[observation.episode] = checked(action)
                except (PolicyFault, EpisodeLost) as fault:
                    answer.faults[observation.episode] = fault_of(fault)

        fault = self._fault_in(ACT, ask)
        return answer if fault is None else BatchAnswer(faults={o.episode: fault for o in observations})

    def end(self, episode: EpisodeInfo, result: EpisodeResult) -> Fault | None:
        """Tell it that an episode is over, if it wants to know."""

        def tell() -> None:
            self._prepared(episode.episode)
            method = getattr(self.policy, "end", None)
            if callable(method):
                method([episode], [result])

        return self._fault_in(END, tell)

    def exactness(self, name: str, episode: EpisodeInfo, observations: Sequence[Observation], batch: int) -> Exactness:
        """Compare its fast way with its reference on observations of an episode. Raises UserError if it cannot, or fails."""
        compare: Callable[[Sequence[Observation], int], Exactness] | None = getattr(self.policy, "exactness", None)
        if not callable(compare):
            raise UserError(f"{name} has no fast path that could be compared with a reference.")

        def ask() -> Exactness:
            self.policy.reset([episode])
            return compare(observations, batch)

        return self._answer(EXACTNESS, ask, f"{name} cannot be compared with its reference")

    def close(self) -> Fault | None:
        """Let it free what it holds."""
        return self._fault_in(CLOSE, self.policy.close)

    # ---- the guard ---------------------------------------------------------------------------------------------------

    def _answer(self, name: str, function: Callable[[], Answer], problem: str) -> Answer:
        try:
            return self._call(name, function)
        except PolicyFailed as failed:
            raise UserError(f"{problem}: {failed.fault.text}.") from failed

    def _fault_in(self, name: str, function: Callable[[], object]) -> Fault | None:
        try:
            self._call(name, function)
        except PolicyFailed as failed:
            return failed.fault
        return None

    def _call(self, name: str, function: Callable[[], Answer]) -> Answer:
        """``function()``. Raises PolicyFailed for whatever it raises but UserError, and what a signal raised meanwhile."""
        self.counts[name] += 1
        before = self.interrupts.raised
        fault: Fault | None = None
        try:
            self.current = Call(name, self.counts[name], time.monotonic())
            try:
                answer = function()
            finally:
                self.current = None
                if sys.getrecursionlimit() < self._depth:  # for its own calls, not for ours
                    sys.setrecursionlimit(self._depth)
            self._exits.end_if_forked(name)
        except BaseException as error:
            self._exits.end_if_forked(name, error)
            if isinstance(error, UserError) and name in BEFORE:
                raise  # it has its own words for what the user can fix
            if isinstance(error, KeyboardInterrupt) and not self.interrupts.in_charge:
                raise  # it may well be the user's
            fault = fault_of(error)
        while self.given_up.is_set():  # another thread is writing the run's last words
            time.sleep(0.05)
        if self.interrupts.raised is not before and self.interrupts.raised is not None:
            raise self.interrupts.raised  # whatever the policy made of it
        if fault is not None:
            raise PolicyFailed(fault)
        return answer
