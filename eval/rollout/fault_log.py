"""``errors.log`` of a run folder: every distinct fault once, in full, and how often it came."""

from __future__ import annotations

import contextlib
import faulthandler
from dataclasses import dataclass
from pathlib import Path

from eval.records.provenance import now
from eval.records.turns import Turn
from eval.rollout.faults import Fault

FILE = "errors.log"


@dataclass
class SeenFault:
    """A fault and how often it came."""

    fault: Fault
    number: int
    where: str
    """What failed, if it took no verdict."""
    count: int = 0


class FaultLog:
    """Appends to the file as faults come, and their numbers at the end; a disk that refuses costs nothing else."""

    def __init__(self, run: Path) -> None:
        self.path = run / FILE
        self.lost: dict[str, SeenFault] = {}
        """Faults that took the verdict of episodes."""
        self.noticed: dict[str, SeenFault] = {}
        """Faults that did not."""
        self._numbers: dict[str, int] = {}
        """Place of a fault -> its number in the file."""

    def episode_lost(self, fault: Fault, turn: Turn, step: int) -> None:
        """A fault took the verdict of an episode."""
        self._add(self.lost, fault.place, fault, "", turn, f"after {_number(step, 'step')}")

    def notice(self, fault: Fault, turn: Turn, where: str) -> None:
        """A fault took no verdict; ``where`` says what failed."""
        self._add(self.noticed, f"{where.split()[0]} {fault.place}", fault, where, turn, f"in {where}")

    def _add(self, seen: dict[str, SeenFault], key: str, fault: Fault, where: str, turn: Turn, at: str) -> None:
        if fault.place not in self._numbers:
            self._numbers[fault.place] = number = len(self._numbers) + 1
            spec = turn.spec
            place = f"{turn.key.name} ({spec.task}, {spec.setting}, {spec.variant}, number {spec.index}), {at}"
            self._write(f"[{number}] {now()} {fault.text}\nfirst in episode {place}\n{fault.traceback}\n")
        seen.setdefault(key, SeenFault(fault, self._numbers[fault.place], where)).count += 1

    def stacks(self, text: str) -> None:
        """Where every thread of the process is."""
        self._write(f"{now()} {text}\n")
        with contextlib.suppress(OSError), self.path.open("a") as file:
            faulthandler.dump_traceback(file, all_threads=True)

    def close(self) -> None:
        """Write how often each fault came since the log was opened."""
        lines = [f"[{seen.number}] took the verdict of {_number(seen.count, 'episode')}" for seen in self.lost.values()]
        lines += [f"[{seen.number}] came {_number(seen.count, 'time')} in {seen.where}" for seen in self.noticed.values()]
        if lines:
            self._write("\n".join([f"{now()} end of the session", *lines, "", ""]))

    def _write(self, text: str) -> None:
        with contextlib.suppress(OSError), self.path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
