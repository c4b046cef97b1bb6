"""Everything that waits for a server runs in one thread with one event loop; callers wait for the results."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

Result = TypeVar("Result")
CLOSE_SECONDS = 5.0


class EventLoop:
    """Begins with its first use; :meth:`close` ends it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="policy server", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """What ``work`` comes to; it is cancelled if the caller is interrupted meanwhile. Raises RuntimeError after the end."""
        if not self.runs:
            work.close()
            raise RuntimeError("the connection to the policy server was closed")
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    @property
    def runs(self) -> bool:
        """Whether it has not been closed."""
        return self._thread.is_alive()

    def close(self) -> None:
        """Stop; what still waits is told, so that it hangs up. May be called twice."""
        if self.runs:
            with contextlib.suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(_end_all(), self._loop).result(timeout=CLOSE_SECONDS)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(timeout=CLOSE_SECONDS)


async def _end_all() -> None:
    """Cancel all tasks but this one, and wait for them."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
