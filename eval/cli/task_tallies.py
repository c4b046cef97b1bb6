"""How far each task of a run is, while it goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from eval.nouns import noun
from eval.records.results import EpisodeRecord, RecordKey, Status
from eval.records.turns import Turn


@dataclass
class TaskTally:
    """One task, in one setting."""

    name: str
    total: int = 0
    """Episodes of it, repeats included."""
    states: dict[RecordKey, Status] = field(default_factory=dict)
    last: int = 0
    """Number of the newest record of the run that was its own; 0: it has none yet."""

    @property
    def done(self) -> int:
        """Episodes that ended."""
        return len(self.states)

    @property
    def success(self) -> str:
        """Successes so far, as text; empty while there is no verdict."""
        counts = Counter(self.states.values())
        return success_text(counts)


class TaskTallies:
    """All tasks of a run, in the order of its plan."""

    def __init__(self, turns: Iterable[Turn]) -> None:
        every = list(turns)
        settings = Counter(task for task, _ in {(turn.spec.task, turn.spec.setting) for turn in every})
        self._tallies: dict[tuple[str, str], TaskTally] = {}
        for turn in every:
            task, setting = turn.spec.task, turn.spec.setting
            name = f"{task}/{setting}" if settings[task] > 1 else task
            self._tallies.setdefault((task, setting), TaskTally(name)).total += 1
        self._taken = 0

    def __len__(self) -> int:
        return len(self._tallies)

    @property
    def done(self) -> int:
        """Episodes that ended, of all tasks."""
        return sum(tally.done for tally in self._tallies.values())

    @property
    def counts(self) -> Counter[Status]:
        """How often episodes of all tasks ended as what."""
        return Counter(status for tally in self._tallies.values() for status in tally.states.values())

    def take(self, record: EpisodeRecord) -> TaskTally | None:
        """One more result; one of the same episode replaces it. Returns the task if it is done with this one."""
        tally = self._tallies.setdefault((record.task, record.setting), TaskTally(record.task))
        before = tally.done
        tally.states[record.key] = record.status
        self._taken += 1
        tally.last = self._taken
        return tally if before < tally.done == tally.total else None

    def shown(self, most: int) -> list[TaskTally]:
        """At most so many tasks, in the order of the plan: those that are being played, then what was done last."""
        every = list(self._tallies.values())
        if len(every) <= most:
            return every
        first = sorted(every, key=lambda tally: (not 0 < tally.done < tally.total, -tally.last))[: max(0, most)]
        return [tally for tally in every if any(tally is one for one in first)]

    def others(self, shown: Sequence[TaskTally]) -> str:
        """What is not shown, as text; empty if nothing is missing."""
        left = [tally for tally in self._tallies.values() if not any(tally is one for one in shown)]
        if not left:
            return ""
        done, begun = sum(tally.done == tally.total for tally in left), sum(tally.done > 0 for tally in left)
        parts = {"done": done, "under way": begun - done, "not begun": len(left) - begun}
        return (
            f"{len(left)} more {noun(len(left), 'task')}: "
            f"{', '.join(f'{count} {what}' for what, count in parts.items() if count)}"
        )


def success_text(counts: Counter[Status]) -> str:
    """``success 8/12 (67 %)``, with what was errored; empty while there is nothing."""
    judged = counts["success"] + counts["failure"]
    rate = f" ({100 * counts['success'] / judged:.0f} %)" if judged else ""
    errored = f", errored {counts['errored']}" if counts["errored"] else ""
    return f"success {counts['success']}/{judged}{rate}{errored}" if judged or errored else ""
