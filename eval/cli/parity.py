"""The verbs ``parity ...``: comparisons with recordings of the original."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from pydantic import Field

from eval.cli import ranking
from eval.cli.layout import show_rows, show_text
from eval.cli.options import AssetsOption, Json, ModelOptions, Only, RenderDevice, expand_options
from eval.cli.verbs import Verbs
from eval.errors import UserError, needs_extra
from task_configs.schema.parsing import StrictModel

if TYPE_CHECKING:
    from eval.parity.recordings.actions import ActionReport, KindSummary
    from eval.parity.report import ParityReport

HTML = "Also write an HTML page: checks, notes and, for images, ours beside the originals."

parity = Verbs(no_args_is_help=True, help="Compare with recordings of the original.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    ranking.add_to(parity)
    app.add_typer(parity, name="parity")


class ReportOptions(StrictModel):
    """Which recordings are compared, and what is written besides."""

    only: str = Field(default="", description="Comma-separated key patterns, such as 'coke_*,carrot_*'.")
    html: str | None = Field(default=None, description=HTML)

    @property
    def patterns(self) -> list[str]:
        """The parts of ``only``."""
        patterns = [pattern.strip() for pattern in self.only.split(",")] if self.only else []
        if not all(patterns):
            raise UserError(f'--only "{self.only}" names nothing beside a comma; give key patterns, separated by commas.')
        return patterns


def _folder(content: str) -> object:
    return typer.Argument(help=f"Folder of {content}.")


def _like(example: str, kind: str = "key") -> Only:
    return Only(("only", "html"), {"only": f"Comma-separated {kind} patterns, such as '{example}'."})


Recordings = Annotated[Path, _folder("recordings (one folder per key)")]
RecordedImages = Annotated[Path, _folder("recorded images (with frames/)")]
ModelRecordings = Annotated[Path, _folder("recordings of the model (model_*.json, processor.npz, ...)")]
TraceRecordings = Annotated[Path, _folder("recorded trace runs (with runs/)")]
WorldReport = Annotated[ReportOptions, _like("coke_*,carrot_*")]
ImagesReport = Annotated[ReportOptions, _like("*coke*,*carrot*")]
ActionsReport = Annotated[ReportOptions, Only(("only",), {"only": "Comma-separated key patterns, such as '*coke*,*_rt'."})]
OriginalReport = Annotated[ReportOptions, _like("coke_*,vm_*")]
ModelReport = Annotated[ReportOptions, _like("A/*,rotary/*")]
TraceReport = Annotated[ReportOptions, _like("stub_*,real_*", "run")]


@parity.command("world")
@expand_options
def parity_world_verb(folder: Recordings, report: WorldReport, assets: AssetsOption = None, as_json: Json = False) -> None:
    """Kinematics, controllers, resets and replays against recordings; exit 1 if a check misses its limit."""
    from eval.parity.recordings.world import compare_world

    _show("world", lambda: compare_world(folder, report.patterns, assets), as_json, report)


@parity.command("images")
@expand_options
def parity_images_verb(
    folder: RecordedImages,
    report: ImagesReport,
    assets: AssetsOption = None,
    rt: Annotated[str, typer.Option(help="Rendering of ray-traced keys: trace, as recorded (default), or fast.")] = "trace",
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Render recorded states again and compare images; exit 1 if a check misses its limit."""
    from eval.parity.recordings.images import compare_images

    _show("images", lambda: compare_images(folder, report.patterns, assets, render_device, rt), as_json, report)


@parity.command("actions")
@expand_options
def parity_actions_verb(
    folder: RecordedImages,
    report: ActionsReport,
    model: ModelOptions,
    policy: Annotated[str, typer.Option(help="As for run: a name, module:Class or file.py:Class.", rich_help_panel="Policy")],
    assets: AssetsOption = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """Compare a policy's actions on the original's images and on ours of the same states; exit 1 if the policy fails.

    Ray-traced keys are drawn as in `parity images`: on a CPU only where a pattern of --only ends in _rt.

    Examples:

      simpler-eval parity actions IMAGES --policy scripted_vision --only '*coke*,vm_bridge_*'

      simpler-eval parity actions IMAGES --policy openvla_phi3 --checkpoint CHECKPOINT --json
    """
    from eval.parity.recordings.actions import compare_actions

    found = compare_actions(folder, policy, model.args(), report.patterns, assets, render_device)
    if as_json:
        typer.echo(json.dumps(found.to_json(), indent=2))
    else:
        _show_actions(found)
    raise typer.Exit(1 if found.faults else 0)


LARGEST = 5
"""Pairs that are shown one by one."""


def _show_actions(report: ActionReport) -> None:
    """The summary of every kind, the pairs that are furthest apart, and what failed or was left out."""
    remarks = f" ({'; '.join(report.policy.remarks)})" if report.policy.remarks else ""
    tokens = any(kind.tokens_compared for kind in report.kinds)
    columns = ["images", "states", "actions that differ", "translation [m] mean", "max", "rotation [rad] mean", "max",
               "gripper flips", *["tokens that differ"] * tokens, "commanded [m]", "image, of 255", "pixels"]  # fmt: skip
    heading = f"{report.policy.name}{remarks}: its actions on our images and on the original's"
    show_rows(heading, columns, [_summary_row(kind, tokens) for kind in report.kinds])
    furthest = sorted((pair for pair in report.pairs if pair.differs), key=lambda pair: -pair.translation)[:LARGEST]
    if furthest:
        rows = [
            (f"{pair.key} {pair.frame}", f"{pair.translation:.2g}", f"{pair.rotation:.2g}", "yes" if pair.gripper_flips else "",
             f"{pair.image:.2g}") for pair in furthest
        ]  # fmt: skip
        show_rows("Furthest apart", ("state", "translation [m]", "rotation [rad]", "gripper flips", "image, of 255"), rows)
    for line in (*(f"FAILED {fault}" for fault in report.faults), *report.notes):
        show_text(line, "  ")


def _summary_row(kind: KindSummary, tokens: bool) -> list[object]:
    ids = [f"{kind.tokens_differ} of {kind.tokens_compared}"] * tokens
    moved = [f"{value:.2g}" for value in (kind.translation_mean, kind.translation_max, kind.rotation_mean, kind.rotation_max)]
    seen = f"{kind.image_mean:.2g}", f"{kind.pixels_mean:.1%}"
    return [kind.kind, kind.pairs, kind.actions_differ, *moved, kind.gripper_flips, *ids, f"{kind.commanded:.2g}", *seen]


@parity.command("original")
@expand_options
def parity_original_verb(
    folder: Recordings,
    report: OriginalReport,
    images: Annotated[Path | None, typer.Option(help="Folder of recorded images, as for `parity images`.")] = None,
    world_python: Annotated[
        str | None, typer.Option(help="Python interpreter for the original; default: SIMPLER_ENV_PYTHON, else the current one.")
    ] = None,
    sequences: Annotated[int, typer.Option(help="Sequences per key.", min=1)] = 3,
    workers: Annotated[int | None, typer.Option(help="Simulator processes; default: one per core.", min=1)] = None,
    render_device: RenderDevice = None,
    as_json: Json = False,
) -> None:
    """The original simulator behind our runner against recordings; exit 1 if a check misses its limit."""
    from eval.parity.recordings.original import compare_original

    def compare() -> ParityReport:
        return compare_original(folder, images, world_python, report.patterns, sequences, workers, render_device)

    _show("original", compare, as_json, report)


@parity.command("model")
@expand_options
def parity_model_verb(folder: ModelRecordings, report: ModelReport, as_json: Json = False) -> None:
    """The VLA model's tokens, images, logits and actions against recordings; exit 1 if a check misses its limit."""
    _show("model", lambda: _comparison("model", folder)(folder, report.patterns), as_json, report)


@parity.command("trace")
@expand_options
def parity_trace_verb(folder: TraceRecordings, report: TraceReport, as_json: Json = False) -> None:
    """Trace processor, overlay and tracker against recorded runs; exit 1 if a check misses its limit."""
    _show("trace", lambda: _comparison("trace", folder)(folder, report.patterns), as_json, report)


def _comparison(name: str, folder: Path) -> Callable[[Path, Sequence[str]], ParityReport]:
    """What a policy's package offers to be compared by; the harness itself knows no concrete policy."""
    points = list(entry_points(group="simpler_eval.parity", name=name))
    if not points:
        raise UserError(f'this installation knows no comparison "{name}". Install simpler-eval again (make setup).')
    try:
        compare: Callable[[Path, Sequence[str]], ParityReport] = points[0].load()
    except ModuleNotFoundError as error:
        if not folder.is_dir():
            raise UserError(f"{folder} is not a folder.") from error
        raise needs_extra(f"parity {name}", error.name, "vla") from error
    return compare


def _show(what: str, compare: Callable[[], ParityReport], as_json: bool, options: ReportOptions) -> None:
    """Compare, print the report, write its page if asked for, and exit with the verdict."""
    html = None if options.html is None else Path(options.html)
    if html is None:
        report = compare()
    else:
        from eval.parity.page import prepare_page, write_page

        prepare_page(html)
        report = compare()
        write_page(report, html, f"Parity with the original: {what}")
    content = report.to_json()
    if as_json:
        typer.echo(json.dumps(content, indent=2))
    else:
        for check in content["checks"]:
            verdict = "ok    " if check["passed"] else "MISSED"
            numbers = f"{check['worst']:.3g} (limit {check['limit']:.3g}) {check['unit']}, n {check['n']}"
            show_text(f"{verdict} {check['key']:28} {check['check']:32} {numbers}", " " * 7)
        for note in content.get("notes", ()):
            show_text(note, "  ")
        if html is not None:
            typer.echo(html)
    raise typer.Exit(0 if content["passed"] else 1)
