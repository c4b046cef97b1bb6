"""What works on this machine, and for each thing that does not, one line on how to fix it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Column, Table
from rich.text import Text

from eval.diagnostics import checks
from eval.diagnostics.checks import Check
from eval.given import Texts


def run_doctor(assets: Texts | None = None) -> list[Check]:
    """Check everything that a run needs, in the order in which to fix it.

    assets: the folders that ``--assets`` would name; None takes ``SIMPLER_EVAL_ASSETS``.
    """
    return [
        checks.check_python(),
        checks.check_packages(),
        checks.check_opencv(),
        *checks.check_vulkan(),
        checks.check_video(),
        checks.check_assets(assets),
        checks.check_gpu(),
        checks.check_torch(),
        checks.check_extras(),
        checks.check_checkpoints(),
        checks.check_original(),
    ]


def passed(results: Sequence[Check]) -> bool:
    """Whether everything that every run needs is there."""
    return all(check.ok for check in results if check.required)


def doctor_table(results: Sequence[Check]) -> Table:
    """The checks for a terminal: what is absent or wrong is followed by a line on how to fix it."""
    table = Table("", "", Column(overflow="fold"), show_header=False, box=None, padding=(0, 1))
    for check in results:
        mark = Text("ok", "green") if check.ok else Text("no", "red" if check.required else "yellow")
        table.add_row(mark, Text(check.name, "bold"), Text(check.detail))
        if check.fix:
            table.add_row("", "", Text(f"-> {check.fix}", "cyan"))
    return table
