"""Every command line of every page: its verb takes it as it stands there, and what it names to be played makes a plan."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer
from pages import PAGES, blocks_of, shell_lines_of

from eval.cli.app import app
from eval.errors import UserError
from eval.plan.suites import make_plan, suite_names
from eval.records.folder import load_run
from eval.tasks.loading import task_names

COMMAND = re.compile(r"^(?:\w+=\S+ )*simpler-eval (.+)$", re.MULTILINE)


def commands_of(page: str) -> list[list[str]]:
    """The words behind ``simpler-eval`` in its blocks; what a shell does after them (``&&``, ``|``, ``&``) is left out."""
    return [
        shlex.split(re.split(r" (?:&&?|\|\|?|;|>) ?", line)[0], comments=True)
        for line in COMMAND.findall("\n".join(shell_lines_of(page)))
        if not {"...", "["} & {*line.split("#")[0].split()}  # a synopsis
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)])
def test_the_commands_of_a_page_are_taken_as_they_stand_there(page):
    check(page, commands_of(page))


def verbs(group: object = None, *before: str) -> dict[tuple[str, ...], typer.core.TyperCommand]:
    """All of them, also those of groups."""
    found = {}
    for name, command in (group or typer.main.get_command(app)).commands.items():
        found |= verbs(command, *before, name) if hasattr(command, "commands") else {(*before, name): command}
    return found


@pytest.mark.parametrize(
    "verb", [" ".join(verb) for verb, command in verbs().items() if "simpler-eval " in (command.help or "")]
)
def test_the_examples_of_a_help_are_taken_as_they_stand_there(verb, cli):
    """And each is on a line of its own, to be copied."""
    _, out, _ = cli(*verb.split(), "--help")
    shown = [line.strip() for line in out.splitlines()]
    examples = re.findall(r"^ *(simpler-eval .+)$", verbs()[tuple(verb.split())].help, re.MULTILINE)
    assert examples
    for example in examples:
        assert example in shown
        assert example.startswith(f"simpler-eval {verb} ")
    check(verb, [shlex.split(example)[1:] for example in examples])


def check(page: str, commands: list[list[str]]) -> None:
    """That they are taken, and that what they name to be played is there."""
    for words in commands:
        command, rest = typer.main.get_command(app), words
        while hasattr(command, "get_command"):
            name, *rest = rest
            command = command.get_command(None, name)
            assert command is not None, words
        context = command.make_context(shlex.join(words), [*rest])
        tasks = [name for name in context.params.get("task") or () if name in task_names()]
        suites = [name for name in given(context.params.get("suite")) if name in suite_names()]
        if tasks or suites:
            try:
                assert make_plan(suites, tasks, variants=given(context.params.get("variant")), limit=1)
            except UserError as error:
                pytest.fail(f"{page}: simpler-eval {shlex.join(words)}: {error}")


def given(value: object) -> list[str]:
    """Of an option, whether or not it may be repeated."""
    return [] if not value else [value] if isinstance(value, str) else [*value]


def test_the_dataset_of_the_page_about_exports_is_read_by_its_program(cli, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
    words, export = [words for words in commands_of("docs/exports.md") if "results/carrots" in words]
    (program,) = blocks_of("docs/exports.md", "python")
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*words, "--world", "playful_world", "--policy", "random", "--max-steps", 3, "--workers", 1)
    assert code == 0, err
    assert len(load_run(Path("results/carrots")).records) == 4
    assert cli(*export)[:2] == (0, f"{Path('carrots/widowx')}\n")
    exec(compile(program, "docs/exports.md", "exec"), {})
    assert capsys.readouterr().out.startswith("12 put carrot on plate (")
