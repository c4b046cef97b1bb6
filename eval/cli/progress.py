"""A run that is watched on stderr, can be stopped, and says how to go on."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from eval.cli.display import RunProgress as RunProgress
from eval.cli.estimate import Estimate
from eval.cli.live_page import RunPage
from eval.cli.policy_output import stdout_to_stderr
from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
from eval.episode import EpisodeSpec
from eval.nouns import counted, noun
from eval.plan.shards import take_shard
from eval.records.escaping import visible
from eval.records.folder import RunData, load_run
from eval.records.options import RunOptions
from eval.records.turns import turns_of
from eval.records.videos import VideoRule
from eval.rollout.closing import Closing
from eval.rollout.run import Session, play

Show = Callable[[RunData, Path | None], bool]
"""Shows the tables of a finished run, and where its page is if it has one; whether the disk took what it wrote."""


@dataclass(frozen=True)
class Played:
    """A run that was watched."""

    data: RunData
    kept: bool
    """Whether all that was asked for is on disk: tables, videos, frames, the page."""

    @property
    def exit_code(self) -> int:
        """1 if the run stopped, an episode has no verdict, or something is not on disk."""
        stopped = self.data.header.sessions[-1].outcome == "stopped"
        errored = any(record.status == "errored" for record in self.data.records.values())
        return int(stopped or errored or not self.kept)


def play_with_progress(
    plan: Sequence[EpisodeSpec],
    options: RunOptions,
    path: Path,
    shard: str | None = None,
    show: Show | None = None,
    page: bool = True,
) -> Played:
    """:func:`eval.rollout.run.play`, watched on stderr; Ctrl-C and ``kill`` say how to go on.

    Args:
        plan: the whole plan, whatever the shard.
        options: how it is played.
        path: folder of the run.
        shard: the part of the plan to be played.
        show: shows the tables; what went wrong is said below them.
        page: keep a page of the run in its ``report/``, also while it goes on.
    """
    stop_like_ctrl_c()
    folder = path.absolute()  # a policy may change the working folder
    turns = list(turns_of(take_shard(plan, shard) if shard else plan, max(1, options.repeat)))
    estimate = Estimate(turns, VideoRule.parse(options.video))
    ends: list[Closing] = []
    progress = RunProgress(Console(stderr=True), options.policy, turns, estimate)
    live = RunPage(len(turns), estimate, lambda page: progress.page(path / page.relative_to(folder))) if page else None
    try:
        with stdout_to_stderr(), progress:
            session = Session(
                path, shard, progress.begin, progress.episode, progress.waits, ends.append, progress.course,
                on_replicas=progress.replicas, on_remark=progress.remark,
            )  # fmt: skip
            data = play(plan, options, session=session if live is None else live.listening(session))
        written = None if live is None else live.final(data)
        kept = live is None or written is not None
        if show is not None:
            kept = show(data, written) and kept
    except KeyboardInterrupt as stop:
        _say_all(ends)
        _say(_how_to_go_on(folder, path, len(turns)))
        raise typer.Exit(exit_code_of(stop)) from None
    except Exception:
        _say_all(ends)
        raise
    finally:
        if live is not None:
            live.leave()
    _say_all(ends)
    return Played(data, kept and not any(closing.unkept for closing in ends))


def _how_to_go_on(folder: Path, shown: Path, total: int) -> str:
    if not (folder / "run.json").is_file():
        return "Stopped before the first episode; nothing was written."
    command = shlex.join(["simpler-eval", "run", "--resume", str(shown)])
    statuses = [record.status for record in load_run(folder).records.values()]
    if errored := statuses.count("errored"):
        have = (
            f"{len(statuses) - errored} of {counted(total, 'episode')} {noun(len(statuses) - errored, 'has', 'have')} a verdict"
        )
        return f"Stopped; {have}. To play only the {total - len(statuses)} that are left: {command}"
    return (
        f"Stopped; {len(statuses)} of {counted(total, 'episode')} {noun(len(statuses), 'is', 'are')} done. "
        f"Continue with: {command}"
    )


def _say_all(ends: Sequence[Closing]) -> None:
    for line in (line for closing in ends for line in closing.lines):
        _say(wrapped(line))


def wrapped(line: str) -> str:
    """A sentence of ours between words on a terminal; a command or a traceback (both are indented) as it is, to be copied."""
    if not line.startswith("simpler-eval: ") or not sys.stderr.isatty():
        return line
    return textwrap.fill(
        line, Console(stderr=True).width, break_long_words=False, break_on_hyphens=False, subsequent_indent="  "
    )


def _say(line: str) -> None:
    """On stderr, or where that is gone for good, nowhere."""
    try:
        print(visible(line), file=sys.stderr, flush=True)
    except (OSError, ValueError):  # somebody's code closed it
        with contextlib.suppress(OSError):
            os.write(2, f"{line}\n".encode(errors="backslashreplace"))
