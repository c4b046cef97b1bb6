"""The demonstration: its rows, what is left out, one table over all runs, and that the same folder continues."""

from __future__ import annotations

import json

import pytest
from scripted_runs import scripted_run

import eval.diagnostics.demo as module
from eval.cli import main
from eval.diagnostics.demo import COLUMNS, DemoRow, demo_rows, run_demo
from eval.diagnostics.smoke import run_smoke
from eval.records.folder import load_run


@pytest.fixture
def scripted(monkeypatch):
    """Every run of the demonstration follows a script: all succeed but the last episode."""

    def play(plan, options, session):
        kept = options.model_dump(exclude={"policy", "world"}) | {"video": "none"}
        hooks = {"on_start": session.on_start, "listener": session.listener}
        return scripted_run(session.out, plan, "s" * (len(plan) - 1) + "f", options.policy, **kept, **hooks)

    monkeypatch.setattr(module, "play", play)


ROWS = (
    DemoRow(policy="oracle"),
    DemoRow(policy="random", limit=1, policy_args={"seed": "3"}),
    DemoRow(policy="gone", needs=("no_such",)),
)


def test_the_rows_of_the_demonstration_name_what_they_need():
    rows = {row.policy: row for row in demo_rows()}
    assert rows["oracle"].needs == ()
    assert rows["openvla_phi3"].policy_args["checkpoint"] == "tiny-random"
    assert "torch" in rows["openvla_phi3"].needs


def test_one_table_over_all_rows(scripted, tmp_path):
    started, finished = [], []
    demo = run_demo(ROWS, tmp_path, on_start=lambda row, path, plan: started.append((row.policy, path, len(plan))),
                    listener=finished.append)  # fmt: skip
    assert [(policy, path) for policy, path, _ in started] == [("oracle", tmp_path / "oracle"), ("random", tmp_path / "random")]
    assert len(finished) == sum(n for _, _, n in started)
    assert list(demo.table.columns) == COLUMNS
    assert list(dict.fromkeys(demo.table["policy"])) == ["oracle", "random"]
    assert demo.table["n"].sum() == len(finished)
    assert demo.left_out == {"gone": "no_such not installed; `make vla` brings what it needs"}
    assert load_run(tmp_path / "random").header.identity.policy.seed == 3
    heading = (tmp_path / "summary.md").read_text().splitlines()[:2]
    assert [line.removeprefix("# ").split()[0] for line in heading] == ["oracle", "random"]
    assert json.loads((tmp_path / "demo.json").read_text())["runs"] == ["oracle", "random"]


def test_the_same_folder_plays_nothing_twice(scripted, tmp_path):
    run_demo(ROWS[:1], tmp_path)
    finished = []
    run_demo(ROWS[:1], tmp_path, listener=finished.append)
    assert finished == []
    assert len(load_run(tmp_path / "oracle").header.sessions) == 2


def test_the_verb_shows_table_and_folders(scripted, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("eval.cli.demo.demo_rows", lambda: ROWS)
    for arguments in (["--json"], []):
        with pytest.raises(SystemExit) as end:
            main(["demo", "--out", str(tmp_path / "demo"), *arguments])
        assert end.value.code == 0
        out = capsys.readouterr().out
        if arguments:
            content = json.loads(out)
            assert [title.split()[0] for title in content["titles"]] == ["oracle", "random"]
            assert {row["policy"] for row in content["rows"]} == {"oracle", "random"}
        else:
            assert "gone was left out: no_such not installed" in out
            assert f"{tmp_path}/demo/summary.md" in out


@pytest.mark.parametrize("kept", [True, False])
def test_a_smoke_test_that_fails_says_a_command_that_there_is(tmp_path, capsys, monkeypatch, kept):
    """Not how to go on in a folder that is removed."""
    (tmp_path / "own.py").write_text(
        "from fake_policies import Still\nclass Raises(Still):\n def act(self, observations): raise KeyError('no')\n"
    )
    row = DemoRow(policy=f"{tmp_path}/own.py:Raises")
    monkeypatch.setattr("eval.diagnostics.smoke.demo_rows", lambda: (row,))
    checks = run_smoke(out=tmp_path / "kept" if kept else None, world="fake_world")
    assert not checks[0].passed
    err = capsys.readouterr().err.splitlines()
    assert err[-1] == ("  simpler-eval smoke --out " + str(tmp_path / "kept") if kept else "  simpler-eval smoke")
