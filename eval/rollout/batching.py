"""Which observations make a batch, and when: full batches are worth a short wait, and nothing waits for the slowest episode.

Without a batch size the policy is asked about whatever is ready at once. With one it is asked as soon as that many
observations are ready, or as many as there are episodes under way, or when waiting costs more than it saves: of a call that
takes ``fixed + n * each`` seconds, every observation bears ``fixed / n``, and for one more it is worth waiting as long. What
calls cost is seen from those that were answered (:class:`CallCost`), and what waiting brings from what it brought
(:class:`WaitingCost`); a policy that answers at once has nothing to save and is never kept waiting.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from policies.base import Observation

Place = TypeVar("Place")
"""Where an episode is played, or who asked about it."""

LONGEST_WAIT = 0.1
"""Seconds that an observation waits for others at most."""
SHORTEST_WAIT = 0.001
"""Seconds below which waiting is not worth a look at the clock."""
REMEMBERED = 0.9
"""Weight of what was known of a policy's calls before the last one."""
TRY_AGAIN = 16
"""Calls after which it is tried whether waiting has become worth it."""


class Waiting(NamedTuple, Generic[Place]):
    """An observation and where its episode is played."""

    observation: Observation
    seat: Place
    alone: bool
    """Whether it gets a batch of its own."""


class CallCost:
    """Seconds of a policy's calls as a line over the number of observations, mostly of the last ten."""

    def __init__(self) -> None:
        self._calls = 0
        self._n = self._seconds = self._variance = self._covariance = 0.0

    def add(self, observations: int, seconds: float) -> None:
        """One more call. The first is left out, libraries warm up in it."""
        self._calls += 1
        if self._calls == 2:
            self._n, self._seconds = observations, seconds
        elif self._calls > 2:
            off, late = observations - self._n, seconds - self._seconds
            new = 1.0 - REMEMBERED
            self._n += new * off
            self._seconds += new * late
            self._variance = REMEMBERED * (self._variance + new * off * off)
            self._covariance = REMEMBERED * (self._covariance + new * off * late)

    @property
    def fixed(self) -> float:
        """Seconds that a call takes whatever its size. Half of all, as long as the sizes hardly differ."""
        if self._calls < 2:
            return 0.0
        half, doubt = self._seconds / (2 * self._n), (self._n / 4) ** 2
        each = (self._covariance + half * doubt) / (self._variance + doubt)
        return min(max(self._seconds - each * self._n, 0.0), self._seconds)


class WaitingCost:
    """Seconds that were waited for every observation which came meanwhile, mostly before the last ten calls."""

    def __init__(self) -> None:
        self._calls, self._seconds, self._came = 0, 0.0, 0.0

    def add(self, seconds: float, came: int) -> None:
        """A call was made after so much waiting."""
        self._calls += 1
        if seconds > 0.0:
            self._seconds = REMEMBERED * self._seconds + seconds
            self._came = REMEMBERED * self._came + came

    def is_worth(self, seconds: float) -> bool:
        """Whether one more observation costs less than that. Tried again now and then, whatever is known."""
        return self._seconds <= seconds * self._came or not self._seconds or self._calls % TRY_AGAIN == 0


class Batching(Generic[Place]):
    """Observations that wait for the policy, in the order in which they came."""

    def __init__(self) -> None:
        self.cost, self.waiting_cost = CallCost(), WaitingCost()
        self._waiting: list[Waiting[Place]] = []
        self._first = self._last = 0.0
        self._patient_since: float | None = None
        self._came = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, one: Waiting[Place]) -> None:
        """One more is ready."""
        self._last = time.monotonic()
        if not self._waiting:
            self._first = self._last
        self._waiting.append(one)
        self._came += self._patient_since is not None

    def forget(self, lost: Callable[[Place], bool]) -> None:
        """Some places are gone, and their episodes with them."""
        self._waiting = [one for one in self._waiting if not lost(one.seat)]
        if not self._waiting:
            self._patient_since, self._came = None, 0

    def seconds_left(self, size: int | None, under_way: int) -> float:
        """How long the policy's next call may wait for more; 0 or less: it is due.

        Args:
            size: observations of a full batch; None: whatever is ready is one.
            under_way: episodes whose observations can be had.
        """
        if size is None or len(self._waiting) >= min(size, under_way) or any(one.alone for one in self._waiting):
            return 0.0
        fixed = self.cost.fixed
        if fixed < SHORTEST_WAIT:
            return 0.0
        worth = fixed / len(self._waiting)
        if self._patient_since is None and not self.waiting_cost.is_worth(worth):
            return 0.0
        now = time.monotonic()
        left = min(self._first + min(fixed, LONGEST_WAIT), self._last + worth) - now
        if left > 0 and self._patient_since is None:
            self._patient_since = now
        return left

    def take(self, size: int | None) -> list[Waiting[Place]]:
        """The next batch: an episode that is to be asked alone, else those that wait longest."""
        waited = 0.0 if self._patient_since is None else time.monotonic() - self._patient_since
        self.waiting_cost.add(waited, self._came)
        self._patient_since, self._came = None, 0
        alone = next((one for one in self._waiting if one.alone), None)
        batch = self._waiting[:size] if alone is None else [alone]
        taken = set(map(id, batch))
        self._waiting = [one for one in self._waiting if id(one) not in taken]
        return batch
