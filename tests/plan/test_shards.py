"""Shards keep the ids and cover the plan once."""

from __future__ import annotations

import json

import pytest

from eval.errors import UserError
from eval.plan.shards import parse_shard, take_shard


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i // 5}") for i in range(20)]


def test_shards_cover_the_plan_once_and_evenly(plan):
    parts = [take_shard(plan, f"{k}/8") for k in range(1, 9)]
    assert sorted(spec.id for part in parts for spec in part) == sorted(spec.id for spec in plan)
    assert {len(part) for part in parts} == {2, 3}
    assert take_shard(plan, "1/1") == plan


@pytest.mark.parametrize(
    ("text", "words"),
    [("2", "2/8"), ("a/b", "NUMBER/OF"), ("0/8", "out of range"), ("9/8", "out of range"), ("-1/3", "NUMBER/OF")],
)
def test_what_is_no_shard_is_one_line(text, words):
    with pytest.raises(UserError, match=words):
        parse_shard(text)


def test_an_empty_shard_is_refused(plan):
    with pytest.raises(UserError, match="make at most 20 shards"):
        take_shard(plan, "25/30")


def test_the_command_plans_shards(tmp_path, monkeypatch, capsys):
    from eval.cli import main

    monkeypatch.chdir(tmp_path)

    def cli(*arguments):
        with pytest.raises(SystemExit) as end:
            main([str(a) for a in arguments])
        captured = capsys.readouterr()
        return end.value.code, captured.out, captured.err

    can = ["--task", "google_robot_pick_coke_can"]
    whole = {e["id"] for e in json.loads(cli("plan", *can, "--json")[1])["episodes"]}
    parts = [{e["id"] for e in json.loads(cli("plan", *can, "--shard", f"{k}/2", "--json")[1])["episodes"]} for k in (1, 2)]
    assert parts[0] | parts[1] == whole
    assert not parts[0] & parts[1]
    code, out, err = cli("run", *can, "--shard", "9/8")
    assert (code, out) == (2, "")
    assert "shard 9/8 is out of range" in err
    assert not (tmp_path / "results").exists()
