"""Every command line of every page: its verb takes it as it stands there, and what it names to be played makes a plan."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
import typer

from eval.cli.app import app
from eval.errors import UserError
from eval.plan.suites import make_plan, suite_names
from eval.records.folder import load_run
from eval.tasks.loading import task_names

REPO = Path(__file__).parents[2]
PAGES = sorted(str(page.relative_to(REPO)) for page in (REPO / "README.md", *(REPO / "docs").glob("*.md")))
BLOCK = re.compile(r"^[ ]*```(?:sh|text|)\n(.*?)^[ ]*```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\s*(?:\w+=\S+ )*simpler-eval (.+)$", re.MULTILINE)


def commands_of(page: str) -> list[list[str]]:
    """The words behind ``simpler-eval`` in its blocks; what a shell does after them (``&&``, ``|``, ``&``) is left out."""
    text = "\n".join(BLOCK.findall((REPO / page).read_text(encoding="utf-8"))).replace("\\\n", " ")
    return [
        shlex.split(re.split(r" (?:&&?|\|\|?|;|>) ?", line)[0], comments=True)
        for line in COMMAND.findall(text)
        if not {"...", "["} & {*line.split("#")[0].split()}  # a synopsis
    ]


@pytest.mark.parametrize("page", [page for page in PAGES if commands_of(page)])
def test_the_commands_of_a_page_are_taken_as_they_stand_there(page):
    for words in commands_of(page):
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
    (words,) = [words for words in commands_of("docs/exports.md") if "--record" in words]
    (program,) = re.findall(r"```python\n(.*?)```", (REPO / "docs/exports.md").read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    code, _, err = cli(*words, "--world", "playful_world", "--policy", "random", "--max-steps", 3, "--workers", 1)
    assert code == 0, err
    assert len(load_run(Path("results/carrots")).records) == 4
    exec(compile(program, "docs/exports.md", "exec"), {})
    assert capsys.readouterr().out.startswith("12 put carrot on plate (")
