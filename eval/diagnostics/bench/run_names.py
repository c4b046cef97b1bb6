"""What runs of one policy are called in a plot, so that those of different conditions are told apart."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from eval.diagnostics.bench.end2end import EndToEndReport

SHOWN = ("--workers", "--batch", "--out", "--json", "--markdown", "--with-baseline", "--baseline-episodes")
"""Options that a plot shows by itself, or that change nothing of the run."""
NOT_BROKEN = "\N{NO-BREAK SPACE}"
ROOM = 44
"""Characters for what is particular to a run."""


def run_names(reports: Sequence[EndToEndReport]) -> list[str]:
    """A name for each: the policy, and which options of its command not all runs of that policy have.

    Calls that went on with a run have the same command, and so the same name.
    """
    options = [_options(report.measured.command) for report in reports]
    names = []
    for report, own in zip(reports, options, strict=True):
        policy = report.speed.policy
        others = [given for other, given in zip(reports, options, strict=True) if other.speed.policy == policy]
        particular = [option for option in own if not all(option in other for other in others)]
        names.append(" ".join([policy, *_that_fit(particular)]))
    return names


def _options(command: str) -> list[str]:
    """Options of a command with their values, each as one text."""
    found: list[str] = []
    for word in shlex.split(command):
        if word.startswith("--"):
            found.append(word.replace("=", " ", 1))
        elif found:
            found[-1] += f" {word}"
    return [option for option in found if option.split()[0] not in SHOWN]


def _that_fit(options: Sequence[str]) -> list[str]:
    """The shortest of them, in their own order."""
    room, chosen = ROOM, set()
    for option in sorted(options, key=len):
        room -= len(option) + 1
        if room >= 0:
            chosen.add(option)
    return [option.replace(" ", NOT_BROKEN) for option in options if option in chosen]
