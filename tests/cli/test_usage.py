"""A command line that does not fit is one line: which option, which value, what to write instead."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("plan --limit 2.5", '--limit is "2.5"; give a whole number, such as 3.'),
        ("plan --sample=10%", '--sample is "10%"; give a number, such as 0.5.'),
        ("plan --sample 1.0000001", "--sample is 1.0000001; it must be at most 1."),
        ("demo --workers 0", '--workers is "0"; it must be at least 1.'),
        ("bench sim x.json", "x.json is more than is asked for; `simpler-eval bench sim --help` shows what is."),
        ("report", "RUNS is missing. Folder of a run, such as"),
        ("assets chek", 'There is no verb "chek" here. Did you mean "check"?'),
        ("plan --policy random", "--policy changes nothing of a plan; leave it out here, and give it to `run`."),
        ("plan \u2014task x", "begins with a long dash; an option begins with two short ones: --task"),
        ("reproduce widowx_stack_cube oracle", "The policy comes first: simpler-eval reproduce oracle widowx_stack_cube"),
        ("--install-completion fish", "--install-completion stands alone"),
        ("plan --task WIDOWX_STACK_CUBE", 'No task "WIDOWX_STACK_CUBE". Did you mean "widowx_stack_cube"?'),
        ("plan --task xyzzy", 'No task "xyzzy". `simpler-eval list` shows all '),
        ("plan --task a,b", "One name an option: --task a --task b"),
        ("plan --task widowx_*", "--task takes no patterns"),
        ("plan --task demo", "That is a suite: --suite demo"),
        ("plan --suite widowx_stack_cube", "That is a task: --task widowx_stack_cube"),
        ("plan --task /", "It is a folder"),
    ],
)
def test_what_does_not_fit_is_one_line_that_says_what_would(cli, arguments, said):
    code, out, err = cli(*arguments.split())
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert said in err


def test_a_task_file_is_found_by_its_path_alone_and_says_so(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("mine.yaml", "other.YAML"):
        (tmp_path / name).write_text("extends: widowx_stack_cube\n")
    assert "There is a file of that name; give its path: --task mine.yaml" in cli("plan", "--task", "mine")[2]
    assert "ends in .yaml or .yml" in cli("plan", "--task", "other.YAML")[2]


def test_what_was_pasted_by_mistake_fills_no_screen(cli):
    _, _, err = cli("plan", "--task", "x" * 100_000)
    assert len(err) < 400
    assert "characters)" in err
