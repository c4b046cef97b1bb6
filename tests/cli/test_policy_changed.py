"""A policy that failed is mended by editing it, and its run goes on; nothing else of a policy may change."""

from __future__ import annotations

import json

import pytest

from eval.errors import UserError
from eval.records.folder import load_run
from eval.records.merging import load_runs

POLICY = """
from fake_policies import Still
from policies.base import PolicyDescription

class Mine(Still):
    begun = 0
    def __init__(self, gain="1"): self.gain = gain
    def reset(self, episodes):
        Mine.begun += 1
        if {broken} and Mine.begun > 1: raise ValueError("a bug")
    def describe(self): return PolicyDescription(name="mine", settings={{"gain": self.gain, "more": {more}}})
"""
PLAN = ("--task", "widowx_carrot_on_plate", "--limit", 3, "--max-steps", 1)
OPTIONS = ("--world", "fake_world", "--workers", 1, "--video", "none")


@pytest.fixture
def edit(tmp_path):
    def write(broken=False, more=0, note=""):
        (tmp_path / "mine.py").write_text(POLICY.format(broken=broken, more=more) + f"# {note}")
        return f"{tmp_path}/mine.py:Mine"

    return write


@pytest.fixture
def broken_run(cli, edit, tmp_path):
    """The folder of a run of 3 episodes, 1 of which has a verdict."""
    code, _, _ = cli("run", "--policy", edit(broken=True), *PLAN, *OPTIONS, "--out", tmp_path / "run")
    assert code == 1
    return tmp_path / "run"


def one_line(err):
    (line,) = [line for line in err.splitlines() if line.startswith("simpler-eval: ")]
    return line


def test_changed_code_is_refused_unless_it_is_allowed_and_then_stands_in_every_title(cli, edit, broken_run):
    edit()
    code, _, err = cli("run", "--resume", broken_run, "--retry-errored")
    assert code == 2
    assert "Give `run` or `reproduce` --policy-changed to go on" in one_line(err)
    assert "another --out" in one_line(err)

    code, out, err = cli("run", "--resume", broken_run, "--retry-errored", "--policy-changed", "--json")
    assert code == 0, err
    assert "POLICY CODE CHANGED after 1 of 3 episodes" in json.loads(out)["title"]
    assert "POLICY CODE CHANGED after 1 of 3 episodes" in (broken_run / "tables/summary.md").read_text()
    header = load_run(broken_run).header
    first, second = (session.policy_code for session in header.sessions)
    assert header.identity.policy.code == f"{first}+{second}"

    assert cli("run", "--resume", broken_run)[0] == 0  # the newest code is now the run's own
    assert "POLICY CODE CHANGED after 1 of 3" in cli("report", broken_run, "--json")[1]
    edit(broken=True)
    assert cli("run", "--resume", broken_run)[0] == 2  # the first one no more
    edit(note="once more")
    title = json.loads(cli("run", "--resume", broken_run, "--policy-changed", "--json")[1])["title"]
    assert "CHANGED after 1 of 3 episodes; POLICY CODE CHANGED after 3 of 3 episodes" in title


def test_the_permission_may_be_given_where_the_fault_lay_elsewhere(cli, broken_run):
    """The command that a stopped run prints holds it, whether or not the policy is edited then."""
    code, out, _ = cli("run", "--resume", broken_run, "--policy-changed", "--json")
    assert code == 1, "the policy is as broken as before"
    assert "CHANGED" not in json.loads(out)["title"]


def test_an_option_without_effect_is_an_error(cli, edit, broken_run, tmp_path):
    code, _, err = cli("run", "--policy", "random", *PLAN, *OPTIONS, "--out", tmp_path / "new", "--policy-changed")
    assert code == 2
    assert "new holds no run to go on with" in one_line(err)
    assert not (tmp_path / "new").exists()


def test_what_a_policy_was_made_with_stays(cli, edit, broken_run):
    edit(more=1)
    code, _, err = cli("run", "--resume", broken_run, "--policy-changed")
    assert code == 2
    assert "policy.settings.more 0, this one has 1; start a new run" in one_line(err)
    assert "--policy-changed is about the policy's code alone" in one_line(err)


def test_a_run_of_two_versions_is_pooled_with_no_run_of_one(cli, edit, tmp_path):
    for shard, versions in {"1/2": "ab", "2/2": "b"}.items():
        out = tmp_path / shard[0]
        for number, version in enumerate(versions):
            command = ("run", "--policy", edit(note=version), *PLAN, *OPTIONS, "--shard", shard, "--out", out)
            assert cli(*command, *["--policy-changed"] * number)[0] == 0
    with pytest.raises(UserError, match=r"policy\.code"):
        load_runs([tmp_path / "1", tmp_path / "2"])
