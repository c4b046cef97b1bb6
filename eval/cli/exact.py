"""The verb ``bench exact``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from eval.cli.layout import show_text
from eval.cli.options import Json, ModelOptions, expand_options
from eval.cli.verbs import Verbs
from eval.nouns import counted, noun


def add_to(bench: Verbs) -> None:
    """Register the verb."""
    bench.command("exact")(bench_exact_verb)


@expand_options
def bench_exact_verb(
    policy: Annotated[str, typer.Argument(help="As for run --policy.")],
    model: ModelOptions,
    images: Annotated[Path, typer.Option(help="Folder of camera images (PNG, JPEG), the steps of one episode.")],
    batch: Annotated[int, typer.Option(help="Batch size of the fast path.", min=1, max=256)] = 32,
    limit: Annotated[int | None, typer.Option(help="Use the first N images.", min=1)] = None,
    as_json: Json = False,
) -> None:
    """Action tokens of the fast path against the reference (eager, one observation at a time); exit 1 if any differ in fp32."""
    from eval.diagnostics.bench.exact import measure_exactness

    found = measure_exactness(policy, model.args(), images, batch, limit)
    if as_json:
        typer.echo(found.model_dump_json(indent=2))
    else:
        differing = sum(found.differing)
        show_text(
            f"{counted(found.observations, 'observation')} in batches of {found.batch}, {found.dtype}; "
            f"reference: {found.reference}"
        )
        differ = noun(differing, "differs", "differ")
        share = f"{differing} of {counted(found.tokens, 'token')} {differ} ({differing / found.tokens:.2%})"
        show_text(f"{share}, in {counted(found.observations_differing, 'observation')}", "  ")
        show_text(f"first differing token, by place in the action: {_numbers(found.first_differing)}", "  ")
        show_text(f"smallest margin of the reference, by place: {_numbers(found.smallest_margins)}", "  ")
        if found.largest_margin_that_differed is not None:
            show_text(f"largest margin at a first differing token: {found.largest_margin_that_differed:.4g}", "  ")
        show_text(f"largest difference of a logit: {found.largest_logit_difference:.4g}", "  ")
    if found.dtype == "float32" and found.observations_differing:
        raise typer.Exit(1)


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
