"""The code that the README shows runs as it stands there, the policy by the command that stands below it."""

from __future__ import annotations

import re
import shlex
from functools import partial
from pathlib import Path

import simpler_eval
from eval.records.folder import load_run

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")
POLICY = re.search(r"```python\n(# my_policy\.py.*?)```", README, re.DOTALL)
PROGRAM = re.search(r"```python\n(import simpler_eval.*?)```", README, re.DOTALL)
COMMAND = re.search(r"^simpler-eval (run --policy my_policy\.py.*)$", README, re.MULTILINE)


def test_the_policy_of_the_readme_plays(cli, tmp_path, monkeypatch):
    assert POLICY is not None
    assert COMMAND is not None
    monkeypatch.chdir(tmp_path)
    Path("my_policy.py").write_text(POLICY[1], encoding="utf-8")
    code, out, err = cli(*shlex.split(COMMAND[1]), "--max-steps", 2, "--workers", 1, "--out", "run")
    assert code == 0, err
    assert "widowx_carrot_on_plate" in out
    data = load_run(Path("run"))
    assert [record.status for record in data.records.values()] == ["failure", "failure"]
    assert data.header.policy.name == "my_policy"
    assert data.header.identity.policy.code is not None


def test_the_program_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    assert POLICY is not None
    assert PROGRAM is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(simpler_eval, "make_plan", partial(simpler_eval.make_plan, max_steps=2), raising=False)
    monkeypatch.setattr(simpler_eval, "run", partial(simpler_eval.run, world="fake_world", workers=1), raising=False)
    Path("my_policy.py").write_text(POLICY[1], encoding="utf-8")
    exec(PROGRAM[1], {"__name__": "__main__"})
    assert capsys.readouterr().out == "['success', 'failure']\n"
    assert load_run("results/mine").header.policy.name == "my_policy"


def test_each_way_in_is_within_one_screen_of_the_readme():
    """Its section, with the command or the page that leads on."""
    sections = {part.split("\n", 1)[0]: part for part in README.split("\n## ")}
    for title, leads_on in {
        "Your own policy": "(docs/add_a_policy.md)",
        "Your own checkpoint": "--checkpoint",
        "Your own task": "(docs/add_a_task.md)",
        "From Python": "simpler_eval.run(",
        "Going on after a failure": "--policy-changed",
    }.items():
        assert len(sections[title].splitlines()) <= 40
        assert leads_on in sections[title]
        assert f"](#{title.lower().replace(' ', '-')})" in README
