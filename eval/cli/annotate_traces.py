"""The verb ``annotate-traces``."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from eval.annotation.drawing import TraceOptions
from eval.cli.options import Json, expand_options
from eval.nouns import counted, noun


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("annotate-traces")(annotate_traces_verb)


@expand_options
def annotate_traces_verb(
    dataset: Annotated[Path, typer.Argument(help="Folder of any LeRobot dataset (layout v3.0).")],
    options: TraceOptions,
    out: Annotated[Path | None, typer.Option(help="Folder of the dataset with traces; default: <DATASET>-traces.")] = None,
    camera: Annotated[
        str | None, typer.Option(help="Image feature to annotate; default: the only one, or Bridge's or Fractal's.")
    ] = None,
    robot: Annotated[str | None, typer.Option(help="google_robot or widowx, if the dataset does not specify it.")] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; default: one per core for optical flow, one for CoTracker.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Add visual traces to a dataset, as tracevla_phi3 would draw them at inference.

    If interrupted, the same command continues. Licence of CoTracker and its weights: CC-BY-NC 4.0.

    \b
    Examples:
      simpler-eval annotate-traces results/demos/dataset/widowx
      simpler-eval annotate-traces bridge_orig_lerobot --tracker-checkpoint scaled_offline.pth --out bridge_traces
    """
    from eval.annotation.annotate import annotate_traces
    from eval.cli.stop_signals import exit_code_of, stop_like_ctrl_c
    from eval.datasets.features import trace_key
    from eval.datasets.origin import read_origin
    from eval.datasets.reader import LeRobotReader

    stop_like_ctrl_c()
    try:
        root = annotate_traces(dataset, out, options, camera=camera, robot=robot, workers=workers, on_drawn=_tell)
    except KeyboardInterrupt as stop:
        typer.echo("Stopped. What is drawn is kept; the same command goes on.", err=True)
        raise typer.Exit(exit_code_of(stop)) from None
    reader, origin = LeRobotReader(root), read_origin(root)
    assert origin is not None
    assert origin.traces is not None
    key = next(trace_key(name) for name in reader.cameras if trace_key(name) in reader.cameras)
    said = {"dataset": str(root), "images": key, "tracker": origin.traces.tracker, "episodes": len(reader.episodes)}
    if as_json:
        typer.echo(json.dumps(said, indent=2))
        return
    by = "CoTracker" if origin.traces.tracker == "cotracker" else f"{origin.traces.tracker} (optical flow, not CoTracker)"
    typer.echo(f"{root}: {counted(len(reader.episodes), 'episode')} with {key}, traces by {by}")


def _tell(done: int, total: int) -> None:
    end = "\n" if done == total else "\r"
    if sys.stderr.isatty() or done in (0, total) or done % 100 == 0:
        print(
            f"{done} of {counted(total, 'episode')} {noun(done, 'has', 'have')} traces",
            end=end if sys.stderr.isatty() else "\n",
            file=sys.stderr,
            flush=True,
        )
