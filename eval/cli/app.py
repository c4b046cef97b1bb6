"""The application: a table of all verbs. A verb's module is imported when the verb is called, or its help is asked for."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup

from eval.cli.stop_signals import Interrupted, exit_code_of
from eval.cli.verbs import Verbs
from eval.errors import UserError, did_you_mean


class Verb(NamedTuple):
    """Where a verb is, and what the list of verbs says of it: the first sentence of its help."""

    module: str
    about: str


VERBS = {
    "demo": Verb("demo", "Show both robots: a scripted policy, then each neural policy with random weights."),
    "run": Verb("run", "Run episodes with a policy; write a table, a report and videos."),
    "smoke": Verb("smoke", "Run one short episode per robot and check images, table and videos; under 3 minutes on 2 cores."),
    "checkpoints": Verb(
        "checkpoints",
        "Evaluate every checkpoint of a training on the same episodes; write a table and a plot of success "
        "against training step.",
    ),
    "train": Verb("train", "Train a policy on demonstrations; write checkpoints for `run`."),
    "reproduce": Verb(
        "reproduce", "Run a cell of the published tables exactly as published, and print our number beside the published ones."
    ),
    "list": Verb("list", "List tasks with their settings, suites, and installed policies."),
    "plan": Verb("plan", "Show what `run` would do with the same options: episodes, steps and disk space."),
    "report": Verb("report", "Rebuild the tables and the report of a run; also works during the run."),
    "compare": Verb(
        "compare", "Compare policies on the same initial states, episode by episode; the first run is the reference."
    ),
    "gate": Verb("gate", "Pass or fail a policy change in CI: one line and an exit code."),
    "audit": Verb(
        "audit",
        "Check what a policy's success rests on: does it use the image and the instruction, or has it memorised the grid?",
    ),
    "export": Verb(
        "export",
        "Export results for other programs: tables, all episodes, or recorded frames as LeRobot datasets.",
    ),
    "record": Verb(
        "record",
        "Record demonstrations as a LeRobot dataset: by the scripted oracle, or by a policy that it corrects (DAgger).",
    ),
    "annotate-traces": Verb(
        "annotate_traces",
        "Add visual traces to a dataset, as tracevla_phi3 would draw them at inference.",
    ),
    "replay": Verb("replay", "Replay one episode from its stored actions, and check that the simulation is bit-identical."),
    "serve": Verb("serve", "Serve a policy to other harnesses, programs and robots over a WebSocket."),
    "vla-eval-config": Verb(
        "vla_eval_config", "Write the YAML for running the same episodes with vla-eval in this simulator: one entry per cell."
    ),
    "check-adapter": Verb(
        "check_adapter",
        "Compare two adapters of the same model on the same observations, and name the convention in which they differ.",
    ),
    "parity": Verb("parity", "Compare with recordings of the original."),
    "bench": Verb("bench", "Measure speed on this machine."),
    "doctor": Verb(
        "doctor",
        "Check Python, packages, Vulkan, video encoder, assets and GPU; one line per problem with its fix.",
    ),
    "assets": Verb("assets", "The original asset files: check, locate, fetch."),
}


class VerbGroup(TyperGroup):
    """The table of verbs as a group of commands."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401  click's or typer's own context
        """All verbs."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ANN401  click's or typer's own command
        """The verb, from its module; None where there is none of that name."""
        if cmd_name in VERBS and cmd_name not in self.commands:
            part = Verbs()
            importlib.import_module(f"eval.cli.{VERBS[cmd_name].module}").add_to(part)
            self.commands[cmd_name] = typer.main.get_group(part).commands[cmd_name]
        return self.commands.get(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401
        """Raises UserError for a verb that there is not."""
        if args[0] not in VERBS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise UserError(f'There is no verb "{args[0]}".{did_you_mean(args[0], VERBS)}')
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401
        """Raises Interrupted where a verb was stopped and did not answer that itself."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            raise Interrupted(exit_code_of(stop)) from None

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """The table as a list; no verb is imported for it."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, verb.about) for name, verb in VERBS.items()])


app = typer.Typer(
    name="simpler-eval",
    cls=VerbGroup,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Evaluate vision-language-action policies on SIMPLER: success rates, a report and rollout videos by one command.\n\n"
    "Start with `simpler-eval demo` (it needs no data) or `simpler-eval doctor`.",
)


def command(arguments: Sequence[str]) -> object:
    """Run the command; its exit code, where it has one."""
    return app([*arguments], prog_name="simpler-eval", standalone_mode=False)


def _print_version(asked: bool) -> None:
    if asked:
        from eval.version import VERSION

        typer.echo(VERSION)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    pass
