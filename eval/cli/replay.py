"""The verb ``replay``: one episode of a run once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import Json
from eval.nouns import counted, noun

if TYPE_CHECKING:
    from eval.rollout.replay import Replayed


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("replay")(replay_verb)


def replay_verb(
    run: Annotated[Path, typer.Argument(help="Folder of the run.")],
    episode: Annotated[
        str,
        typer.Argument(help="Id of the episode, a prefix of it, or its index in the plan from 0; <id>-r2 for repeat 2."),
    ],
    video: Annotated[bool, typer.Option("--video", help="Write a video to RUN/replays.")] = False,
    assets: Annotated[
        str | None, typer.Option(help="Location of the run's asset packs on this machine; default: the recorded one.")
    ] = None,
    render_device: Annotated[
        str | None, typer.Option(help="GPU for rendering the video, such as cuda:1; default: the run's.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Replay one episode from its stored actions, and check that the simulation is bit-identical.

    Exit code 0: bit-identical; 1: not, and the first step that differs is printed.
    """
    from eval.cli.run import go_to_folder_of
    from eval.errors import UserError
    from eval.records.folder import load_run
    from eval.rollout.replay import replay

    if render_device is not None and not video:
        raise UserError("--render-device has no effect without --video: nothing is rendered.")
    data = load_run(run)
    go_to_folder_of(data)
    replayed = replay(data.path, episode, video, assets, render_device)
    if as_json:
        _print_json(replayed)
    else:
        from eval.cli.layout import show_text

        for line in _lines(replayed):
            show_text(line, "  ")
    if not replayed.same:
        raise typer.Exit(1)


def _lines(replayed: Replayed) -> Iterator[str]:
    spec, kept = replayed.spec, replayed.kept
    steps = counted(kept.steps, "step")
    yield f"{replayed.name} ({spec.task}, {spec.setting}, {spec.variant}): {kept.status} after {steps} in the run."
    if kept.status == "errored":
        yield f"It was errored ({kept.error}), so it has no end to compare; what was played before is."
    yield from _verdict(replayed)
    if replayed.elsewhere:
        yield f"Not as in the run: {'; '.join(replayed.elsewhere)}."
        if not replayed.same:
            yield "That may be why: bits are the same only on the same kind of machine, with the same code and files."
    if replayed.video is not None:
        yield f"Video: {replayed.video}"


def _verdict(replayed: Replayed) -> Iterator[str]:
    difference, states = replayed.difference, replayed.states
    what = "success, gripper, tool, joints and objects" if replayed.surroundings else "success, gripper, tool and joints"
    if replayed.same and states is not None:
        end = "" if replayed.kept.status == "errored" else ", and so is the end"
        yield (
            f"The same: {'the one state' if states == 1 else f'all {states} states'} ({what}) "
            f"{noun(states, 'is', 'are')} equal to the bit{end}."
        )
        if not replayed.surroundings:
            yield "Its world does not say where the objects are."
    elif replayed.same:
        yield "It ends the same. The run kept no states (it was played before version 0.3), so nothing else could be compared."
    elif difference is not None:
        place = f"at step {difference.step} of {replayed.kept.steps}" if difference.step else "from the start"
        size = f" (by up to {difference.by:.3g}; in the last state by {difference.at_end:.3g})" if difference.by else ""
        yield f"Not the same: it differs first {place}, in {difference.what}{size}."
    else:
        yield "Not the same: it ends otherwise."
    if replayed.ends:
        yield f"The end: {'; '.join(replayed.ends)}."


def _print_json(replayed: Replayed) -> None:
    import dataclasses
    import json

    difference = replayed.difference
    content = {
        "episode": replayed.name,
        "same": replayed.same,
        "states_compared": replayed.states,
        "objects_compared": replayed.surroundings,
        "first_difference": None if difference is None else dataclasses.asdict(difference),
        "ends": list(replayed.ends),
        "elsewhere": list(replayed.elsewhere),
        "run": replayed.kept.model_dump(mode="json"),
        "replay": replayed.now.model_dump(mode="json", exclude={"video", "poster", "video_error", "unwritten"}),
        "video": None if replayed.video is None else str(replayed.video),
    }
    typer.echo(json.dumps(content, indent=2))
