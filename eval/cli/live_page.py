"""The page of a run that the command plays: kept up while it goes on, written for good at its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.cli.estimate import Estimate, duration
from eval.cli.tables import warn
from eval.errors import UserError
from eval.records.folder import RunData
from eval.records.results import EpisodeRecord
from eval.report import FOLDER
from eval.report.live import LiveReport
from eval.rollout.run import Session


class RunPage:
    """The page of one run; what becomes of it is never the run's concern.

    Args:
        total: episodes of the run, repeats included.
        estimate: what the time left is estimated with; it hears of the episodes from somebody else.
        on_page: hears where the page is, once there is one while the run goes on.
    """

    def __init__(self, total: int, estimate: Estimate, on_page: Callable[[Path], None]) -> None:
        self._estimate, self._began = estimate, time.monotonic()
        self._live = LiveReport(total, self._time_left, on_page)

    def listening(self, session: Session) -> Session:
        """The session with listeners that tell the page, too."""
        return replace(
            session,
            on_start=_both(session.on_start, self._begin),
            listener=_both(session.listener, self._live.episode),
            status=_both(session.status, self._live.waits),
            on_course=_both(session.on_course, self._live.course),
            on_replicas=_both(session.on_replicas, self._live.replicas),
        )

    def final(self, data: RunData) -> Path | None:
        """Write the page of the run as it ended; None with a warning where that fails."""
        self._live.close()
        page = write_page(lambda: _written(data))
        if page is not None and self._live.problem is not None:
            warn(f"the page was not kept up to date while the run went on: {self._live.problem}")
        return page

    def leave(self) -> None:
        """The run ended otherwise, if it was not ``final``: a last page says how far it came."""
        self._live.leave()

    def _begin(self, path: Path, before: Sequence[EpisodeRecord]) -> None:
        self._began = time.monotonic()
        self._live.begin(path, before)

    def _time_left(self) -> str | None:
        seconds = self._estimate.seconds_left(time.monotonic() - self._began)
        return None if not seconds else f"about {duration(seconds)}"


def write_page(write: Callable[[], Path]) -> Path | None:
    """A page at the end of a run, which is safe on disk by then: whatever goes wrong here is a warning."""
    try:
        return write()
    except UserError as error:
        warn(f"the page is not kept: {error}")
    except Exception as error:
        warn(f"the page is not kept: {type(error).__name__}: {error}")
    return None


def _written(data: RunData) -> Path:
    from eval.report.page import write_report  # heavy, and needed at the end only

    return write_report([data], data.path / FOLDER, partial=data.header.options.partial)


def _both(first: Callable[..., Any] | None, second: Callable[..., Any]) -> Callable[..., Any]:
    def tell(*arguments: Any) -> None:  # noqa: ANN401  whatever the listeners take
        if first is not None:
            first(*arguments)
        second(*arguments)

    return tell
