"""The demonstration: the demo suite with a scripted policy, and one episode a robot with each neural one.

The neural policies have random weights here. They show that everything works, and what a model sees; they solve nothing.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from eval.backends.render_devices import find_render_device
from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.records.folder import RunData, refuse_folder_of_run
from eval.records.options import PolicyArgument, RunOptions
from eval.records.tables import TOTAL, markdown, summary, title
from eval.rollout.closing import Closing
from eval.rollout.policy_watch import Status
from eval.rollout.recorder import Listener
from eval.rollout.run import Session, default_out, play
from task_configs.schema.parsing import StrictModel, parse
from task_configs.schema.yaml_files import read_yaml

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["policy", "task", "n", "successes", "rate", "low", "high", "errored"]


class DemoRow(StrictModel):
    """One policy of the demonstration."""

    policy: str
    policy_args: dict[str, PolicyArgument] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    """Episodes a task; all of the demo suite if absent."""
    needs: tuple[str, ...] = ()

    def absent(self) -> list[str]:
        """Modules of ``needs`` that are not installed."""
        return [name for name in self.needs if importlib.util.find_spec(name) is None]


class _DemoFile(StrictModel):
    rows: tuple[DemoRow, ...]


@dataclass(frozen=True)
class Demo:
    """What came of it."""

    path: Path
    runs: tuple[RunData, ...]
    left_out: dict[str, str]
    """Policy -> why it was not run."""
    table: pd.DataFrame
    """Columns as in ``COLUMNS``; one row a policy and task."""


def demo_rows() -> tuple[DemoRow, ...]:
    """The rows of ``task_configs/demo.yaml``."""
    file = Path(str(resources.files("task_configs"))) / "demo.yaml"
    return parse(_DemoFile, read_yaml(file), str(file)).rows


def run_demo(
    rows: Sequence[DemoRow],
    out: Path | None = None,
    assets: str | None = None,
    workers: int | None = None,
    on_start: Callable[[DemoRow, Path, Sequence[EpisodeSpec]], None] | None = None,
    listener: Listener | None = None,
    render_device: str | None = None,
    status: Status | None = None,
    on_end: Callable[[Closing], None] | None = None,
) -> Demo:
    """Play the rows into subfolders of a folder, each with policy-view videos. Ctrl-C passes through.

    Args:
        rows: what is played; a row whose modules are not installed is left out.
        out: the folder, default: a new ``results/<date>-demo``; the same one continues.
        assets: as ``--assets``.
        workers: simulator processes, default: one a core.
        on_start: called with each row, its folder and its plan before it begins.
        listener: called with every finished episode.
        render_device: as of ``--render-device``.
        status: told what a row waits for.
        on_end: told at the end of each row what went wrong; None: it is printed on stderr.

    Returns:
        The runs and their common table.

    Raises:
        UserError: as of ``eval.run``.
    """
    if render_device is not None:
        find_render_device(render_device)  # a wrong one is said before anything begins
    if out is not None:
        refuse_folder_of_run(Path(out))
    path = out or default_out("demo")
    runs, left_out = [], {}
    for row in rows:
        if absent := row.absent():
            left_out[row.policy] = f"{', '.join(absent)} not installed; `make vla` brings what it needs"
            continue
        plan = make_plan(limit=row.limit)
        folder = path / row.policy
        if on_start is not None:
            on_start(row, folder, plan)
        options = RunOptions(
            policy=row.policy,
            policy_args=row.policy_args,
            assets=assets,
            workers=workers,
            video="policy-view",
            render_device=render_device,
        )
        runs.append(play(plan, options, session=Session(folder, listener=listener, status=status, on_end=on_end)))
    table = _combined(runs)
    path.mkdir(parents=True, exist_ok=True)
    heading = "\n".join(title(data.header, data.plan) for data in runs)
    (path / "summary.md").write_text(markdown(table, heading))
    summary_json = {"runs": [data.path.name for data in runs], "left_out": left_out}
    (path / "demo.json").write_text(json.dumps(summary_json, indent=2) + "\n")
    return Demo(path, tuple(runs), left_out, table)


def _combined(runs: Sequence[RunData]) -> pd.DataFrame:
    """The totals of all runs, one under the other."""
    import pandas as pd

    tables = []
    for data in runs:
        table = summary(data.plan, data.records)
        table = table[table["variant"] == TOTAL].copy()
        table.insert(0, "policy", data.header.options.policy)
        tables.append(table[COLUMNS])
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
