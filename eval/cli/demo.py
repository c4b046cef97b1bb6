"""The verb ``demo``."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from eval.cli.layout import show_text
from eval.cli.live_page import write_page
from eval.cli.options import AssetsOption, Json, Out, RenderDevice, Workers
from eval.cli.progress import RunProgress, wrapped
from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
from eval.cli.tables import print_rows
from eval.diagnostics.demo import Demo, DemoRow, demo_rows, run_demo
from eval.episode import EpisodeSpec
from eval.records.results import EpisodeRecord
from eval.records.tables import title
from eval.records.turns import turns_of
from eval.report import FOLDER
from eval.rollout.closing import Closing


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("demo")(demo_verb)


def demo_verb(
    assets: AssetsOption = None,
    out: Out = None,
    workers: Workers = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Show both robots: a scripted policy, then each neural policy with random weights.

    Writes a table and videos with the camera image and each policy's input images and raw action.
    """
    stop_like_ctrl_c()
    bars = _Bars(out)
    ends: list[Closing] = []
    try:
        demo = run_demo(demo_rows(), out, assets, workers, bars.begin, bars.episode, render_device, bars.waits, ends.append)
    except KeyboardInterrupt as stop:
        bars.close()
        typer.echo(f"Stopped. Continue with: {shlex.join(['simpler-eval', 'demo', '--out', str(bars.path)])}", err=True)
        raise typer.Exit(exit_code_of(stop)) from None
    finally:
        bars.close()
    page = write_page(lambda: _page(demo)) if demo.runs else None
    _show(demo, page, as_json)
    for line in (line for closing in ends for line in closing.lines):
        typer.echo(wrapped(line), err=True)
    errored = any(record.status == "errored" for data in demo.runs for record in data.records.values())
    unkept = (demo.runs and page is None) or any(closing.unkept or closing.reason is not None for closing in ends)
    if errored or unkept:
        raise typer.Exit(1)


def _page(demo: Demo) -> Path:
    """One page of all rows."""
    from eval.report.page import write_report

    return write_report(demo.runs, demo.path / FOLDER)


def _show(demo: Demo, page: Path | None, as_json: bool) -> None:
    if as_json:
        rows = json.loads(demo.table.to_json(orient="records"))
        titles = [title(data.header, data.plan) for data in demo.runs]
        shown = {"out": str(demo.path), "page": None if page is None else str(page), "titles": titles, "rows": rows}
        typer.echo(json.dumps({**shown, "left_out": demo.left_out}, indent=2))
        return
    for data in demo.runs:
        show_text(title(data.header, data.plan), "  ")
    typer.echo()
    print_rows("", demo.table)
    for policy, why in demo.left_out.items():
        typer.echo(f"{policy} was left out: {why}")
    typer.echo(f"{demo.path}/summary.md")
    for data in demo.runs:
        typer.echo(f"{data.path}/videos")
    if page is not None:
        typer.echo(str(page))


class _Bars:
    """A progress bar a row."""

    def __init__(self, out: Path | None) -> None:
        self.path = out
        self._bar: RunProgress | None = None

    def begin(self, row: DemoRow, path: Path, plan: Sequence[EpisodeSpec]) -> None:
        """A row begins."""
        self.close()
        self.path = path.parent
        self._bar = RunProgress(Console(stderr=True), row.policy, list(turns_of(plan, 1))).__enter__()
        self._bar.begin(path, [])

    def episode(self, record: EpisodeRecord) -> None:
        """One more is done."""
        if self._bar is not None:
            self._bar.episode(record)

    def waits(self, text: str | None) -> None:
        """What the row waits for."""
        if self._bar is not None:
            self._bar.waits(text)

    def close(self) -> None:
        """End the present bar."""
        if self._bar is not None:
            self._bar.__exit__(None, None, None)
            self._bar = None
