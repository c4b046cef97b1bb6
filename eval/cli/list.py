"""The verb ``list``."""

from __future__ import annotations

import json
from dataclasses import asdict

import typer

from eval.cli.layout import show_text
from eval.cli.options import Json


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("list")(list_verb)


def list_verb(as_json: Json = False) -> None:
    """List tasks with their settings, suites, and installed policies."""
    from eval.plan.listing import describe_suites, describe_tasks
    from eval.tasks.loading import usable_tasks
    from policies.registry import policy_names

    tasks, suites = describe_tasks(), describe_suites()
    unusable = usable_tasks()[1]
    if unusable:
        typer.echo(f"simpler-eval: {len(unusable)} of your task files cannot be used: {unusable[0]}", err=True)
    if as_json:
        content = {
            "tasks": [asdict(t) for t in tasks], "suites": [asdict(s) for s in suites], "policies": policy_names(),
        }  # fmt: skip
        typer.echo(json.dumps(content, indent=2))
        return
    from eval.cli.layout import show_rows

    show_rows("Tasks (--task, --setting)", ["task", "setting", "robot", "variants", "episodes", "steps"], [
        [t.task, t.setting, t.robot, t.variants, t.episodes, t.max_steps] for t in tasks
    ])  # fmt: skip
    show_text(
        "Every setting also has initial states beside the published ones: --placements heldout (between them) or train, "
        "--count N a variant."
    )
    show_rows("Suites (--suite)", ["suite", "episodes", "about"], [[s.suite, s.episodes, s.about] for s in suites])
    show_text(f"Policies (--policy): {', '.join(policy_names())}, module:Class, path/to/file.py:Class")
