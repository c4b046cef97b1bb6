"""The verb ``check-adapter``: two ways of asking the same model, side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eval.cli.options import AssetsOption, Json, expand_options, policy_args_of
from eval.errors import UserError
from eval.nouns import counted, noun

if TYPE_CHECKING:
    from eval.adapters.check import AdapterReport, RobotComparison

DEFAULT_TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")
SHOWN = 4
"""Steps of a robot that are shown side by side."""

PolicyName = Annotated[str, typer.Argument(help="The policy, as for `run --policy`: a name, a file, or a server.")]
Against = Annotated[str, typer.Option(help="A reference adapter of the same model that is known to be right.")]
PolicyArgs = Annotated[
    list[str] | None, typer.Option("--policy-arg", help="NAME=VALUE argument of the policy; may be repeated.")
]
AgainstArgs = Annotated[
    list[str] | None, typer.Option("--against-arg", help="NAME=VALUE argument of the reference; may be repeated.")
]
Tasks = Annotated[list[str] | None, typer.Option("--task", help="Task for collecting observations; default: one per robot.")]
DEFAULT_EPISODES, DEFAULT_STEPS = 2, 40
Episodes = Annotated[int | None, typer.Option(help=f"Episodes per task; default: {DEFAULT_EPISODES}.", min=1)]
Steps = Annotated[int | None, typer.Option(help=f"Observations per episode; default: {DEFAULT_STEPS}.", min=2, max=1000)]
Observations = Annotated[Path | None, typer.Option(help="Folder of observations; filled if new, and reused afterwards.")]
Tolerance = Annotated[float, typer.Option(help="Allowed difference between action components (m, rad, gripper -1..1).", min=0)]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("check-adapter")(check_adapter_verb)


@expand_options
def check_adapter_verb(
    policy: PolicyName,
    against: Against,
    policy_arg: PolicyArgs = None,
    against_arg: AgainstArgs = None,
    task: Tasks = None,
    episodes: Episodes = None,
    steps: Steps = None,
    observations: Observations = None,
    tolerance: Tolerance = 1e-6,
    assets: AssetsOption = None,
    as_json: Json = False,
) -> None:
    """Compare two adapters of the same model on the same observations, and name the convention in which they differ.

    Exit 0 if all actions agree, 1 if not.

    \b
    Examples:
      simpler-eval check-adapter vla-eval://127.0.0.1:8000 --against my_policy.py:MyPolicy
      simpler-eval check-adapter new.py:Policy --against old.py:Policy --observations seen
    """
    from eval.adapters.check import check_adapter
    from eval.adapters.observations import LIST
    from eval.cli.policy_output import stdout_to_stderr
    from eval.plan.suites import make_plan

    if not tolerance < 1e9:
        raise UserError(f"--tolerance {tolerance} is no distance; give a number such as 1e-4.")
    stored = observations is not None and (observations / LIST).is_file()
    for name, given in (("task", task), ("episodes", episodes), ("steps", steps)):
        if stored and given:
            raise UserError(
                f"--{name} has no effect: {observations} holds observations already; give another folder to gather anew."
            )
    limit, most = episodes or DEFAULT_EPISODES, steps or DEFAULT_STEPS
    plan = [] if stored else make_plan(tasks=task or DEFAULT_TASKS, limit=limit, max_steps=most)
    with stdout_to_stderr():
        report = check_adapter(
            policy,
            against,
            policy_args_of(policy_arg or ()),
            policy_args_of(against_arg or ()),
            plan=plan,
            observations=observations,
            tolerance=tolerance,
            assets=assets,
        )
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2))
    else:
        show(report)
    raise typer.Exit(0 if report.agree else 1)


def show(report: AdapterReport) -> None:
    """What differs by how much, the steps that are furthest apart, and why it may be so."""
    from eval.cli.layout import show_rows, show_text

    columns = ("robot", "episodes", "observations", "differ", "translation [m]", "rotation [rad]", "gripper")
    rows = [
        (robot.robot, robot.episodes, robot.steps, robot.differing, *(f"{value:.2g}" for value in robot.largest.values()))
        for robot in report.robots
    ]
    show_rows(f"POLICY {report.policy}, REFERENCE {report.reference}: largest differences of their actions", columns, rows)
    for robot in report.robots:
        if robot.diagnosis.verdict != "agree":
            furthest = sorted(robot.actions, key=lambda one: -_distance(one.policy, one.reference))[:SHOWN]
            side = [
                row
                for one in sorted(furthest, key=lambda one: (one.episode, one.step))
                for row in ((one.step, "POLICY", *_numbers(one.policy)), ("", "REFERENCE", *_numbers(one.reference)))
            ]
            show_rows(f"{robot.robot}: furthest apart", ("step", "", "x", "y", "z", "rx", "ry", "rz", "gripper"), side)
    for robot in report.robots:
        for line in verdict(robot):
            show_text(line)


def verdict(robot: RobotComparison) -> list[str]:
    """What is to be said of one robot."""
    found, lines = robot.diagnosis, []
    if robot.noise:
        lines.append(f"{robot.robot}: asked twice, a side differs from itself by {robot.noise:.2g}; 3 times that is let pass")
    if found.verdict == "agree":
        return [*lines, f"{robot.robot}: {'the one action agrees' if robot.steps == 1 else f'all {robot.steps} actions agree'}"]
    if found.verdict == "unexplained":
        return [*lines, f"{robot.robot}: no known error of convention makes them agree; {robot.steps - robot.differing} of "
                f"{counted(robot.steps, 'action')} {noun(robot.steps - robot.differing, 'is', 'are')} the same"]  # fmt: skip
    causes = "; ".join(f"{finding.side} {finding.text} [{finding.error}]" for finding in found.findings)
    if found.verdict == "likely":
        return [*lines, f"{robot.robot}: LIKELY {causes}: {found.left:.0%} of the difference is left then"]
    rest = "all actions agree" if found.agreeing == 1.0 else f"{found.agreeing:.0%} of the actions agree"
    return [*lines, f"{robot.robot}: {causes}: {rest} then"]


def _distance(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    return max(abs(x - y) for x, y in zip(a, b, strict=True))


def _numbers(action: tuple[float, ...]) -> list[str]:
    return [f"{value:.4f}" for value in action]
