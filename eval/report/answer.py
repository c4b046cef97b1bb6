"""The answer in one sentence: how good the policy is, how sure that is, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from eval.nouns import noun
from eval.records.cell_tables import percent
from eval.records.latex import SETTING_TITLES
from eval.records.means import TaskMean, task_means
from eval.records.tallies import JUDGES
from eval.report.entries import Entry

NAMED, NAMED_OF_SEVERAL = 4, 2
"""Tasks that are named one by one, of one mean and of several; more are counted."""


def answer(entries: Sequence[Entry], running: bool) -> list[str]:
    """A sentence an entry.

    Its rate is that of the table below it: of a task as its table has it, of several tasks of one robot in one setting their
    plain mean, as published averages are formed. Robots and settings have a rate each: no number is of unlike things.
    """
    return [_answer(entry, running) for entry in entries]


def _answer(entry: Entry, running: bool) -> str:
    name = f"{entry.label} ({entry.remarks})" if entry.remarks else entry.label
    played = [episode for episode in entry.episodes if episode.outcome in ("success", "failure")]
    solved = sum(episode.outcome == "success" for episode in played)
    total = len(entry.episodes)
    gaps = {
        "lost to errors": sum(episode.outcome == "errored" for episode in entry.episodes),
        "not played yet" if running else "not played": sum(episode.outcome == "missing" for episode in entry.episodes),
    }
    missing = " and ".join(f"{count:,} {what}" for what, count in gaps.items() if count)
    if not played:
        return f"{name}: none of {total:,} {noun(total, 'episode')} has a verdict ({missing})."
    so_far = (" so far" if running else "") + (" at any step" if entry.run.header.options.success == "any" else "")
    episodes = f"{solved:,} of {len(played):,} {noun(len(played), 'episode')}"
    header = entry.run.header
    means = task_means(entry.run.plan, entry.run.records, JUDGES[header.options.success], header.repeats)
    text = f"{name} solved {_said(means, so_far, episodes, solved / len(played))}"
    return text + (f"; {missing}, so the rates may still change." if missing else "; no episode is missing.")


def _said(means: Sequence[TaskMean], so_far: str, episodes: str, pooled: float) -> str:
    """The rates with their intervals and what they are of."""
    if len(means) > 1:
        return f"{_joined([_part(mean, so_far) for mean in means])}: {episodes} in all"
    (mean,) = means
    rate, interval = f"{percent(mean.rate)} %{so_far}", f"95 % interval {_span(mean)}"
    if len(mean.tasks) > 1:
        of = f"the mean of {_tasks(mean, NAMED)} ({_place(mean)})"
        return f"{rate} on average, {of}: {episodes}, {interval}"
    how = "" if abs(mean.rate - pooled) < 5e-4 else ", each variant with the same weight"
    return f"{rate}: {episodes} of {mean.tasks[0].name}{how}, {interval}"


def _part(mean: TaskMean, so_far: str) -> str:
    of = mean.tasks[0].title if len(mean.tasks) == 1 else f"mean of {_tasks(mean, NAMED_OF_SEVERAL)}"
    return f"{percent(mean.rate)} %{so_far} on {_place(mean)} ({of}; 95 % interval {_span(mean)})"


def _tasks(mean: TaskMean, most: int) -> str:
    titles = [task.title for task in mean.tasks]
    return f"{len(titles)} tasks" if len(titles) > most else _joined(titles)


def _place(mean: TaskMean) -> str:
    return f"{mean.robot}, {SETTING_TITLES.get(mean.setting, mean.setting)}"


def _span(mean: TaskMean) -> str:
    return f"{percent(mean.interval.low)} to {percent(mean.interval.high)} %"


def _joined(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} and {texts[-1]}"
