"""Tables keep to the width of the terminal, and no word is ever split."""

from __future__ import annotations

import pytest
from scripted_runs import scripted_run

from eval.cli.layout import show_rows
from eval.plan.suites import make_plan

COLUMNS = ["task", "setting", "about", "success % [95 %]", "n"]
ROWS = [
    [f"google_robot_{name}", "visual_matching", "a sentence of quite a few words that has to be wrapped somewhere", number, n]
    for name, number, n in (("pick_coke_can", "48.3 [42.7-54.0]", 300), ("close_drawer", "100.0 [86.7-100.0]", 25))
]


@pytest.fixture
def shown(capsys, monkeypatch):
    """What is printed on a terminal of some columns, or into a file (None)."""

    def shown(width, *arguments):
        if width is None:
            monkeypatch.delenv("COLUMNS", raising=False)
        else:
            monkeypatch.setenv("COLUMNS", str(width))
        show_rows(*arguments)
        return capsys.readouterr().out

    return shown


@pytest.mark.parametrize("width", [140, 120, 80, 70, 60, 50, 45])
def test_a_table_keeps_to_the_width_and_splits_no_word(shown, width):
    out = shown(width, "Title of the table", COLUMNS, ROWS)
    assert all(len(line) <= width for line in out.splitlines())
    assert {word for row in ROWS for cell in row for word in str(cell).split()} <= {*out.replace(",", " ").split()}
    assert out.count("visual_matching") == 1  # what all rows share is said once
    assert ("task: google_robot_pick_coke_can" in out) is (width < 60)  # a block a row


def test_numbers_of_different_length_stand_under_each_other(shown):
    lines = shown(80, "", ["name", "n"], [["a b", 5], ["c d", 1000]]).splitlines()
    assert lines[2:4] == ["a b      5", "c d   1000"]


def test_a_table_that_is_too_wide_is_several_with_the_same_names(shown):
    columns = ["policy", *(f"cell_{k}" for k in range(6))]
    out = shown(80, "Success", columns, [[name, *["50.0 [42.7-54.0]"] * 6] for name in ("random", "oracle")])
    assert out.count("random") == out.count("oracle") == 2
    assert all(len(line) <= 80 for line in out.splitlines())


def test_a_file_has_no_edge(shown):
    rows = [[f"{'x' * 90}{k}", f"{'y' * 70}{k}"] for k in range(3)]
    lines = shown(None, "t", ["a", "b"], rows).splitlines()
    assert lines[3] == f"{rows[0][0]}  {rows[0][1]}"


@pytest.mark.parametrize("width", [80, 50])
@pytest.mark.parametrize("verb", ["plan", "report", "reproduce"])
def test_the_verbs_that_show_tables(cli, tmp_path, monkeypatch, width, verb):
    monkeypatch.setenv("COLUMNS", str(width))
    task = "google_robot_pick_coke_can"
    arguments = {"plan": ["--task", task], "report": [tmp_path], "reproduce": ["random", task, "--from", tmp_path]}
    plan = make_plan(tasks=[task])
    if verb in ("report", "reproduce"):
        scripted_run(tmp_path, plan)
    code, out, _ = cli(verb, *arguments[verb])
    assert code == 0
    lines = [line for line in out.splitlines() if len(line) > width and str(tmp_path) not in line]
    assert all(width < 60 and " " not in line.strip() for line in lines)  # single words that no such terminal holds
    if verb != "reproduce":
        assert task in out
    assert "…" not in out
