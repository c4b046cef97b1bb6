"""A run with several replicas of its policy is the same run, whatever becomes of some of them."""

from __future__ import annotations

import json

import numpy as np
import pytest
from fake_policies import Still

from eval.errors import UserError
from eval.records.folder import RunData, load_run
from eval.records.options import RunOptions
from eval.records.results import RecordKey
from eval.records.videos import scene_path
from eval.rollout.replicas.placement import placements
from eval.rollout.run import run

pytestmark = pytest.mark.alone  # who plays how much depends on what else the machine does


def numbers(data):
    """What must not depend on who played."""
    table = data.table(partial=True)
    return table.drop(columns="steps_to_success").to_csv(), sorted((key, r.status, r.steps) for key, r in data.records.items())


def same_actions(a, b):
    """Of the episodes of ``a``, which may be fewer than those of ``b``."""
    names = sorted(path.name for path in (a.path / "actions").iterdir())
    assert len(names) == len(a.records)
    for name in names:
        assert np.array_equal(np.load(a.path / "actions" / name), np.load(b.path / "actions" / name))


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i % 3}", max_steps=6) for i in range(24)]


PLAYED = {}


@pytest.fixture
def alone(tmp_path_factory, plan):
    """What one policy in the run's own process plays; once for all tests."""
    if not PLAYED:
        out, world = tmp_path_factory.mktemp("alone") / "run", {"world": "fake_world", "workers": 1}
        PLAYED["alone"] = run(plan, "replica_policies:Seeded", out=out, repeat=2, video="first:1", **world)
    return PLAYED["alone"]


def once(data):
    """A run of one repeat of what it played."""
    return RunData(data.path, data.header.model_copy(update={"repeats": 1}), data.plan,
                   {key: record for key, record in data.records.items() if not key.repeat})  # fmt: skip


def test_replicas_play_what_one_policy_plays(play, plan, alone):
    slow = {"seconds": "0.02"}  # so that one that is a second late has something left to play
    both = play(plan, "replica_policies:Seeded", replicas=2, repeat=2, video="first:1", workers=1, policy_args=slow)
    assert numbers(both) == numbers(alone)
    same_actions(both, alone)
    videos = [record.video for record in both.records.values() if record.video]
    assert videos == [record.video for record in alone.records.values() if record.video]
    assert [(both.path / video).stat().st_size > 1000 for video in videos] == [True]
    pictures = {str(path.relative_to(both.path)) for path in both.path.rglob("*.jpg")}
    assert pictures == {*(record.poster for record in both.records.values() if record.poster), scene_path(videos[0], plan[0])}
    assert len(pictures) == 2
    session = both.header.sessions[-1]
    assert session.outcome == "finished"
    assert [replica.lost for replica in session.replicas] == [None, None]
    assert sum(replica.episodes for replica in session.replicas) == 48
    assert min(replica.episodes for replica in session.replicas) > 8  # nobody is given all
    processes = {both.header.policy.details["process"], *(other["process"] for other in both.header.policy.details["replicas"])}
    assert len(processes) == 2
    assert len((both.path / "episodes.jsonl").read_text().splitlines()) == 48


@pytest.mark.parametrize("how", ["dies", "card lost", pytest.param("hangs", marks=pytest.mark.slow)])
def test_the_episodes_of_a_lost_replica_are_played_by_others(play, plan, alone, tmp_path, how, capsys):
    (tmp_path / "marks").mkdir(exist_ok=True)
    args = {"folder": str(tmp_path / "marks"), "how": how}
    watchdog = 0.2 if how == "hangs" else 60.0
    data = play(plan, "replica_policies:Grief", policy_args=args, replicas=2, watchdog=watchdog, workers=1)
    assert (tmp_path / "marks" / "grief").exists()
    assert numbers(data) == numbers(once(alone))
    same_actions(data, alone)
    lost = [replica.lost for replica in data.header.sessions[-1].replicas if replica.lost]
    said = {"dies": "signal 9", "card lost": "ECC error", "hangs": "silent"}[how]
    assert len(lost) == 1
    assert said in lost[0]
    err = capsys.readouterr().err
    assert [line for line in err.splitlines() if "was lost, others played its episodes" in line and said in line]
    assert len((data.path / "episodes.jsonl").read_text().splitlines()) == 24


def test_when_all_replicas_are_lost_what_is_done_is_kept_and_the_run_goes_on_later(play, plan, tmp_path):
    with pytest.raises(UserError, match=r"All 2 replicas of the policy were lost \(.*signal 9\); what is done is kept"):
        play(plan, "replica_policies:AllDie", replicas=2, workers=1)
    data = load_run(tmp_path / "run")
    assert data.header.sessions[-1].outcome == "stopped"
    assert not any(record.status == "errored" for record in data.records.values())


def test_a_bug_of_the_policy_is_no_fault_of_a_replica(play, plan):
    data = play(plan, "replica_policies:Fails", replicas=2, stop_after=100, workers=1)
    assert {record.status for record in data.records.values() if int(record.steps) == 0} == {"errored"}
    assert sum(record.status == "errored" for record in data.records.values()) == 12
    assert [replica.lost for replica in data.header.sessions[-1].replicas] == [None, None]
    assert len(data.records) == 24


@pytest.mark.slow
def test_a_run_stops_when_the_policy_fails_again_and_again(play, plan):
    data = play([spec for spec in plan if spec.seed % 2], "replica_policies:Fails", replicas=2, stop_after=3, workers=1)
    assert data.header.sessions[-1].outcome == "stopped"
    assert 3 <= len(data.records) < 12


def test_a_policy_that_cannot_be_made_is_said_once(play, plan, tmp_path):
    with pytest.raises(UserError, match=r"^Policy replica_policies:NotMade cannot be made: .*no such weights"):
        play(plan, "replica_policies:NotMade", replicas=2)
    assert not (tmp_path / "run").exists()


def test_what_is_wrong_for_all_replicas_is_one_line(cli):
    command = ("run", "--task", "widowx_carrot_on_plate", "--limit", 2, "--world", "fake_world", "--replicas", 2)
    for policy, said in (("replica_policies:NotMade", "no such weights"), ("absent.py:Mine", "absent.py does not exist")):
        code, out, err = cli(*command, "--policy", policy)
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert said in err


def test_a_replica_with_another_policy_plays_no_part(play, plan):
    data = play(plan, "replica_policies:Another", replicas=2, workers=1)
    assert len(data.records) == 24
    lost = [replica.lost for replica in data.header.sessions[-1].replicas if replica.lost]
    assert len(lost) == 1
    assert "differs from the others: it has weights" in lost[0]


@pytest.mark.slow
def test_a_run_goes_on_with_other_replicas(play, plan, alone):
    begun = play(plan, "replica_policies:Seeded", workers=1)
    lines = (begun.path / "episodes.jsonl").read_text().splitlines(keepends=True)
    (begun.path / "episodes.jsonl").write_text("".join(lines[:10]))
    data = play(plan, "replica_policies:Seeded", replicas=2, workers=1)
    assert numbers(data) == numbers(once(alone))
    same_actions(data, alone)
    assert [len(session.replicas) for session in data.header.sessions] == [0, 2]
    assert [session.episodes for session in data.header.sessions] == [24, 14]


def test_an_object_has_no_replicas(play, plan):
    for option in ({"gpus": 1}, {"replicas": 2}, {"cluster": "local"}):
        with pytest.raises(UserError, match=f"{next(iter(option))} has no effect: the policy is an object; give its name"):
            play(plan, Still(), **option)


CARDS = [{"number": n, "name": "NVIDIA H100"} for n in range(3)]


@pytest.fixture
def three_cards(monkeypatch):
    from eval.backends.cards import Card

    monkeypatch.setattr("eval.rollout.replicas.placement.visible_cards", lambda: [Card(**card) for card in CARDS])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def placed(options, episodes=100):
    return [(place.name, place.environment) for place in placements(options, True, episodes)]


def test_a_policy_that_uses_a_gpu_gets_one_replica_a_gpu(three_cards, monkeypatch):
    model = RunOptions(policy="openvla_phi3")
    names = [f"replica {n + 1} on cuda:{n} (NVIDIA H100)" for n in range(3)]
    assert placed(model) == [
        (name, {"CUDA_VISIBLE_DEVICES": str(n), "SIMPLER_EVAL_CARD": f"cuda:{n}"}) for n, name in enumerate(names)
    ]
    assert len(placed(model.model_copy(update={"gpus": 2}))) == 2
    assert placed(model.model_copy(update={"gpus": 1})) == []  # nothing to share out
    assert placed(RunOptions(policy="oracle")) == []
    assert len(placed(RunOptions(policy="oracle", gpus=3))) == 3  # its videos are rendered on all of them
    assert placed(RunOptions(policy="openvla_phi3", policy_args={"device": "cpu"})) == []
    assert placed(RunOptions(policy="openvla_phi3", render_device="cuda:1")) == []
    assert len(placed(model, episodes=2)) == 2
    shared = placed(RunOptions(policy="openvla_phi3", gpus=2, replicas=4))
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in shared] == ["0", "1", "0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,GPU-1234,7")
    assert [environment["CUDA_VISIBLE_DEVICES"] for _, environment in placed(model)] == ["4", "GPU-1234", "7"]


def test_every_replica_sees_one_gpu_alone(three_cards, play, plan):
    data = play(plan[:4], "replica_policies:OnCard", gpus=2, workers=1)
    first = data.header.policy.details
    assert [(one["device"], one["card"]) for one in (first, *first["replicas"])] == [("cuda:0", "0"), ("cuda:0", "1")]
    names = [replica.name for replica in data.header.sessions[-1].replicas]
    assert names == ["replica 1 on cuda:0 (NVIDIA H100)", "replica 2 on cuda:1 (NVIDIA H100)"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (RunOptions(gpus=4), r"--gpus 4 is not possible. 3 GPUs are visible here: cuda:0 \(NVIDIA H100\), "),
        (RunOptions(gpus=2, replicas=1), "--replicas 1 leaves GPUs of --gpus 2 idle"),
        (RunOptions(gpus=2, render_device="cuda:1"), "--gpus has no effect with --render-device cuda:1"),
        (RunOptions(policy="openvla_phi3", gpus=2, policy_args={"device": "cuda:1"}), "no effect with --device cuda:1"),
    ],
)
def test_gpus_that_cannot_be_used_are_one_line(three_cards, options, said):
    with pytest.raises(UserError, match=said):
        placements(options, True, 100)


def test_gpus_where_there_are_none_are_one_line(cli, tmp_path, monkeypatch):
    monkeypatch.setattr("eval.backends.cards.DRIVER_FILES", ())
    code, out, err = cli("run", "--task", "widowx_carrot_on_plate", "--gpus", 2, "--out", tmp_path / "run")
    assert (code, out) == (2, "")
    assert "simpler-eval: --gpus 2 is not possible. No GPU is visible here" in err
    assert not (tmp_path / "run").exists()


def test_the_command_plays_with_replicas(cli, tmp_path):
    options = ["--task", "widowx_carrot_on_plate", "--limit", 3, "--max-steps", 2, "--world", "fake_world", "--workers", 1]
    code, out, err = cli("run", "--policy", "random", *options, "--replicas", 2, "--out", tmp_path / "run", "--json")
    assert code == 0
    assert "2 replicas of the policy: replica 1, replica 2; each with\n1 worker" in err
    assert json.loads(out)["rows"]
    assert set(load_run(tmp_path / "run").records) == {RecordKey(spec.id) for spec in load_run(tmp_path / "run").plan}
    code, _, err = cli("run", "--resume", tmp_path / "run")
    assert code == 0
    assert "all done before" in err
