"""Shards keep the ids, cover the plan once, and come together again; what contradicts itself is one clear line."""

from __future__ import annotations

import json

import pytest

from eval.errors import UserError
from eval.plan.shards import parse_shard, shard_record, take_shard
from eval.records.folder import RunFolder, load_run, plan_hash
from eval.records.merging import load_runs
from eval.records.results import EpisodeRecord
from eval.records.tables import summary, title

HEADER = {"identity": {"policy": "oracle", "policy_args": {}}}


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i // 5}") for i in range(20)]


@pytest.fixture
def write(tmp_path):
    """A finished run: ``write(name, episodes, header, status)``."""

    def write(name, episodes, header=HEADER, status="success"):
        with RunFolder(tmp_path / name, episodes, header) as run:
            for s in episodes:
                run.append(EpisodeRecord(id=s.id, task=s.task, setting=s.setting, variant=s.variant, status=status))
        return tmp_path / name

    return write


def test_shards_cover_the_plan_once_and_evenly(plan):
    parts = [take_shard(plan, f"{k}/8") for k in range(1, 9)]
    assert sorted(spec.id for part in parts for spec in part) == sorted(spec.id for spec in plan)
    assert {len(part) for part in parts} == {2, 3}
    assert take_shard(plan, "1/1") == plan


@pytest.mark.parametrize(
    ("text", "said"),
    [("2", "2/8"), ("a/b", "NUMBER/OF"), ("0/8", "out of range"), ("9/8", "out of range"), ("-1/3", "NUMBER/OF")],
)
def test_what_is_no_shard_is_one_line(text, said):
    with pytest.raises(UserError, match=said):
        parse_shard(text)


def test_an_empty_shard_is_refused(plan):
    with pytest.raises(UserError, match="make at most 20 shards"):
        take_shard(plan, "25/30")


def shard_of(plan, shard):
    return HEADER | {"shard": shard_record(plan, shard, plan_hash(plan))}


def test_shards_become_the_plan_again(plan, write):
    runs = [write(f"r{k}", take_shard(plan, f"{k}/3"), shard_of(plan, f"{k}/3")) for k in (1, 2, 3)]
    merged = load_runs(runs)
    assert {spec.id for spec in merged.plan} == {spec.id for spec in plan}
    assert summary(merged.plan, merged.records).set_index("variant").loc["all", ["n", "missing"]].tolist() == [20, 0]
    assert "3 runs together" in title(merged.header, merged.plan)
    assert "shard 2/3: 7 of 20 episodes" in title(load_run(runs[1]).header, take_shard(plan, "2/3"))


def test_an_absent_shard_is_named(plan, write):
    runs = [write(f"r{k}", take_shard(plan, f"{k}/3"), shard_of(plan, f"{k}/3")) for k in (1, 3)]
    with pytest.raises(UserError, match=r"Shard 2/3 of the plan of 20 episodes is not among the runs"):
        load_runs(runs)
    merged = load_runs(runs, partial=True)
    assert "Shard 2/3" in title(merged.header, merged.plan)


def test_another_policy_or_world_is_refused(plan, write):
    a = write("a", plan[:5])
    for name, other, said in (
        ("b", {"identity": {"policy": "random", "policy_args": {}}}, "policy 'oracle'"),
        ("c", {"identity": {"policy": "oracle", "policy_args": {"seed": "3"}}}, "policy arguments"),
        ("d", HEADER | {"policy": {"checkpoint_sha256": "abc"}}, "policy description"),
    ):
        with pytest.raises(UserError, match=said):
            load_runs([a, write(name, plan[5:], other)])
    e = write("e", plan[:5], HEADER | {"world": {"name": "one"}})
    with pytest.raises(UserError, match="played in one"):
        load_runs([e, write("f", plan[5:], HEADER | {"world": {"name": "two"}})])


def test_another_device_is_the_same_policy(plan, write):
    headers = [
        {
            "identity": {"policy": "p", "policy_args": {"device": f"cuda:{k}", "checkpoint": f"/host{k}/weights"}},
            "policy": {"checkpoint_sha256": "abc", "device": f"GPU {k}", "tokens": 7 * k},
        }
        for k in (0, 1)
    ]
    assert len(load_runs([write("a", plan[:5], headers[0]), write("b", plan[5:], headers[1])]).records) == 20


def test_contradicting_plans_name_what_differs(make_spec, write):
    a, b = write("a", [make_spec(0)]), write("b", [make_spec(0, max_steps=80)])
    with pytest.raises(UserError, match=r"contradict each other: max_steps of fake_task base number 0 is 5 .* and 80"):
        load_runs([a, b])


def test_two_verdicts_for_an_episode_contradict_and_an_error_does_not(plan, write):
    a, b = write("a", plan[:3]), write("b", plan[2:], status="failure")
    with pytest.raises(UserError, match="is a success in"):
        load_runs([a, b])
    errored = write("c", plan[:3], status="errored")
    assert load_runs([errored, a]).records[plan[0].id].status == "success"
    assert load_runs([a, errored]).records[plan[0].id].status == "success"
    with pytest.raises(UserError, match="given twice"):
        load_runs([a, a])


def test_standins_of_any_run_are_confessed(plan, write):
    worlds = [
        {"name": "w", "assets": {"standins": files, "kind": kind}} for files, kind in (([], "original"), (["a"], "mixed"))
    ]
    runs = [write(f"r{k}", plan[k::2], HEADER | {"world": world}) for k, world in enumerate(worlds)]
    assert "STAND-INS for 1 asset files" in title(load_runs(runs).header)


def test_the_command_plays_and_reports_shards(tmp_path, monkeypatch, capsys):
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


def test_a_run_of_a_shard_remembers_the_plan(tmp_path, plan):
    from eval.rollout.run import run

    done = run(plan, "random", shard="2/10", out=tmp_path / "run", world="fake_world", workers=1)
    assert [spec.index for spec in done.plan] == [1, 11]
    assert done.header["shard"] == {"shard": "2/10", "episodes": 20, "plan_hash": plan_hash(plan)}
