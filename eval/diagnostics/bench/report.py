"""What a measurement leaves: rows with their repeats, and what they were measured on and with."""

from __future__ import annotations

import statistics
from abc import abstractmethod
from collections.abc import Sequence
from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from eval.backends.vulkan import vulkan_devices
from eval.nouns import counted
from eval.records.header import Provenance
from eval.records.provenance import provenance


class Measured(BaseModel):
    """Frozen; an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Rate(Measured):
    """A number that was measured several times."""

    median: float
    repeats: tuple[float, ...] = Field(min_length=1)

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Of one value a repeat."""
        return cls(median=statistics.median(values), repeats=tuple(values))

    def shown(self, digits: int = 1) -> str:
        """Median, and from where to where the repeats went."""
        text = f"{self.median:.{digits}f}"
        if len(self.repeats) == 1:
            return text
        return f"{text} ({min(self.repeats):.{digits}f} to {max(self.repeats):.{digits}f})"


class Row(Measured):
    """One line of a report."""

    @abstractmethod
    def cells(self) -> dict[str, str]:
        """Column -> text."""


class Report(Measured):
    """A measurement, with what is needed to read it in a year."""

    bench: str
    """``sim``, ``rt``, ``policy``, ..."""
    device: str
    """What rendered, in the simulator's words, or the policy's device where nothing did."""
    drivers: tuple[str, ...]
    """Vulkan devices with their drivers' versions."""
    measured: Provenance
    """Command, commit, versions, processor, cores."""

    @property
    @abstractmethod
    def table(self) -> Sequence[Row]:
        """The rows, whatever else there is."""

    @property
    def heading(self) -> str:
        """One line: on what, with what."""
        machine, git = self.measured.machine, self.measured.git
        commit = "" if git is None else f", commit {git.commit[:7]}{' with changes' if git.dirty else ''}"
        return (
            f"{self.device}; {machine.cpu or machine.system}, {counted(machine.cores, 'core')}{commit}; "
            f"{self.measured.started[:10]}"
        )

    def markdown(self) -> str:
        """Heading, command and a table."""
        rows = [row.cells() for row in self.table]
        columns = list(dict.fromkeys(name for row in rows for name in row))
        lines = [columns, ["---"] * len(columns), *([row.get(name, "") for name in columns] for row in rows)]
        drivers = f"\n\n{'; '.join(self.drivers)}" if self.drivers else ""
        table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
        return f"`{self.measured.command}`\n\n{self.heading}{drivers}\n\n{table}"

    def lines(self) -> list[str]:
        """The same for a terminal: a line a row."""
        return [self.heading, *("  ".join(f"{name} {text}" for name, text in row.cells().items()) for row in self.table)]


def measured_here() -> tuple[Provenance, tuple[str, ...]]:
    """What every report ends with: provenance, and the drivers of this machine."""
    return provenance(), tuple(map(str, vulkan_devices()))
