"""Runs that belong together become one; what contradicts itself is one clear line. All runs are made by ``eval.run``."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from fake_policies import Notes, Still
from scripted_runs import scripted_run

from eval.backends.base import OwnBackend, OwnWorker, WorldOptions
from eval.cli import main
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import load_run, plan_hash
from eval.records.header import AssetsRecord, RenderingRecord, WorldIdentity, WorldRecord
from eval.records.identity import require_comparable, require_poolable
from eval.records.merging import load_runs
from eval.records.results import RecordKey
from eval.records.tables import summary, title
from eval.report.entries import entries_of
from eval.rollout.run import run
from policies.base import PolicyDescription


class Net(Still):
    """A network that says which weights it has and where they lie."""

    def __init__(self, weights="w", place="here", **more):
        self.weights, self.place, self.more = weights, place, more

    def describe(self):
        details = {"checkpoint": self.place, "device": f"card of {self.place}", "tokens": len(self.place)}
        return PolicyDescription(name="net", weights=self.weights, details=details, **self.more)


@pytest.fixture
def plan(make_spec):
    return [make_spec(i, variant=f"v{i // 5}") for i in range(20)]


@pytest.fixture
def play(tmp_path):
    """A run, its folder: ``play(name, plan, ...)``."""
    return lambda name, *arguments, **options: scripted_run(tmp_path / name, *arguments, **options).path


def files(packs=(), stand_ins=(), **content):
    return WorldRecord(name="w", assets=AssetsRecord(packs=packs, stand_ins=stand_ins, files=content))


def test_shards_become_the_plan_again(plan, play):
    runs = [play(f"r{k}", plan, shard=f"{k}/3", ends="s" * len(plan)) for k in (1, 2, 3)]
    merged = load_runs(runs)
    assert {spec.id for spec in merged.plan} == {spec.id for spec in plan}
    assert summary(merged.plan, merged.records).set_index("variant").loc["all", ["n", "missing"]].tolist() == [20, 0]
    assert "3 runs together" in title(merged.header, merged.plan)
    assert (merged.header.episodes, merged.header.shard, len(merged.header.sessions)) == (20, None, 3)
    part = load_run(runs[1])
    assert "shard 2/3: 7 of 20 episodes" in title(part.header, part.plan)


def test_a_run_of_a_shard_remembers_the_plan(plan, play):
    done = load_run(play("run", plan, shard=" 2/10"))
    assert [spec.index for spec in done.plan] == [1, 11]
    assert (done.header.shard.shard, done.header.shard.episodes, done.header.shard.plan_hash) == ("2/10", 20, plan_hash(plan))


def test_an_absent_shard_is_named(plan, play):
    runs = [play(f"r{k}", plan, shard=f"{k}/3") for k in (1, 3)]
    with pytest.raises(UserError, match=r"Shard 2/3 of the plan of 20 episodes is not among the runs"):
        load_runs(runs)
    merged = load_runs(runs, partial=True)
    assert "Shard 2/3" in title(merged.header, merged.plan)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        (Net("one"), Net("two"), "policy.weights 'one', .* has 'two'"),
        (Net(dtype="float32"), Net(dtype="bfloat16"), "policy.dtype"),
        (Net(generation="full"), Net(generation="restricted"), "policy.generation"),
        (Net(inference="eager"), Net(inference="compiled"), "policy.inference"),
        (Net(tracker="cotracker"), Net(tracker="lucas_kanade"), "policy.tracker"),
        (Net(tracker_weights="a"), Net(tracker_weights="b"), "policy.tracker_weights"),
        (Net(preset="paper"), Net(preset="released"), "policy.preset"),
        (Net(unnorm_keys={"widowx": "a"}), Net(unnorm_keys={"widowx": "b"}), "policy.unnorm_keys.widowx 'a'"),
        (Net(code="a"), Net(code="b"), "policy.code"),
        (Net(seed=1), Net(seed=2), "policy.seed 1, .* has 2"),
        (Net(settings={"gain": 1}), Net(settings={"gain": 2}), "policy.settings.gain 1"),
        (Net(), Still(), "policy.name 'net', .* has 'still'"),
    ],
)
def test_shards_of_another_policy_are_refused(plan, play, first, second, words):
    a, b = play("a", plan, policy=first, shard="1/2"), play("b", plan, policy=second, shard="2/2")
    with pytest.raises(UserError, match=words) as caught:
        load_runs([a, b])
    assert "\n" not in str(caught.value)
    require_comparable(load_run(a), load_run(b))  # as two policies they may be set side by side


def test_a_shard_that_is_there_and_does_not_fit_is_not_called_forgotten(plan, play):
    """Such as one that somebody went on with by --repeat 2, or that another checkpoint played."""
    runs = [load_run(play(f"r{k}", plan, shard=f"{k}/3", repeat=2 if k == 2 else 1)) for k in (1, 2, 3)]
    with pytest.raises(UserError, match=r"Shard 2/3 of .* is absent: \S*r2 is that shard, but .* once, \S*r2 2 times; add one"):
        entries_of(runs)
    assert len(entries_of(runs, partial=True)) == 2
    with pytest.raises(UserError, match="Shard 2/3 of the plan of 20 episodes is not among the runs"):
        entries_of([runs[0], runs[2]])


def test_where_weights_lie_and_how_they_were_played_decides_nothing(plan, play):
    a = play("a", plan, policy=Net(place="/host1/weights"), shard="1/2", workers=1)
    b = play("b", plan, policy=Net(place="/elsewhere"), shard="2/2", workers=8, video="failures", watchdog=9.0)
    assert len(load_runs([a, b]).records) == 20


def test_the_options_of_a_policy_that_names_none_count(plan, play, tmp_path, monkeypatch):
    """A policy of version 0.1 describes itself by a mapping, and its options were never read."""
    source = "from fake_policies import Notes, Still\nclass Mine(Still):\n def __init__(self, gain='1', device='cpu'): pass\n"
    for host in ("host1", "host2"):
        (tmp_path / host).mkdir()
        (tmp_path / host / "mine.py").write_text(source)

    def half(name, k, gain, host="host1"):
        args = {"gain": gain, "device": host}
        return play(name, plan, policy=f"{tmp_path}/{host}/mine.py:Mine", policy_args=args, shard=f"{k}/2")

    a, b, c = half("a", 1, "1"), half("b", 2, "1", "host2"), half("c", 2, "2")
    assert len(load_runs([a, b]).records) == 20
    with pytest.raises(UserError, match=r"policy.settings.gain '1', .* has '2'"):
        load_runs([a, c])


def test_other_files_in_one_half_are_refused(plan, play):
    """The workers' reports of their files decide where the runs share some."""
    original = play("a", plan[:10], recorded=files(stand_ins=(), can="11"))
    with pytest.raises(UserError, match=r"asset can '11', .* has '22'"):
        load_runs([original, play("b", plan[10:], recorded=files(can="22"))])
    with pytest.raises(UserError, match=r"asset can '11', .* has 'stand-in'"):
        load_runs([original, play("c", plan[10:], recorded=files(stand_ins=("can",)))])
    assert load_runs([original, play("d", plan[10:], recorded=files(packs=("/other",), can="11", table="3"))])


def test_shards_that_began_with_other_files_are_refused(tmp_path, play):
    """In our own world, with a pack that lacks everything and one that has another photo."""
    plan = make_plan(tasks=["widowx_carrot_on_plate"], limit=2, max_steps=1)
    packs = []
    for name in ("empty", "photo"):
        (tmp_path / name / "data" / "real_inpainting").mkdir(parents=True)
        packs.append(str(tmp_path / name))
    (tmp_path / "photo" / "data" / plan[0].overlay).write_bytes(_png())
    own = {"world": "simpler-eval", "recorded": None}
    runs = [play(f"r{k}", plan, shard=f"{k + 1}/2", assets=pack, **own) for k, pack in enumerate(packs)]
    with pytest.raises(UserError, match="has assets '"):
        load_runs(runs)
    moved = shutil.move(packs[0], tmp_path / "moved")
    assert load_runs([runs[0], play("r2", plan, shard="2/2", assets=str(moved), **own)], partial=True)


def _png():
    import cv2

    return cv2.imencode(".png", np.zeros((512, 640, 3), np.uint8))[1].tobytes()


def test_another_world_is_refused(plan, play):
    a = play("a", plan, shard="1/2")
    b = play("b", plan, shard="2/2", world="shutil")  # any module will do for a script
    for check in (require_poolable, require_comparable):
        with pytest.raises(UserError, match=r"has world.name 'fake_world', .* has 'shutil'"):
            check(load_run(a), load_run(b))


def test_contradicting_plans_name_what_differs(make_spec, play):
    a, b = play("a", [make_spec(0)]), play("b", [make_spec(0, max_steps=80)])
    words = r"contradict each other: max_steps of fake_task base number 0 is 5 .* and 80"
    with pytest.raises(UserError, match=words):
        load_runs([a, b])
    with pytest.raises(UserError, match=words):
        require_comparable(load_run(a), load_run(b))


def test_two_verdicts_for_an_episode_contradict_and_an_error_does_not(plan, play):
    a, b = play("a", plan[:3]), play("b", plan[2:], "f" * 18)
    with pytest.raises(UserError, match="is a success in"):
        load_runs([a, b])
    errored = play("c", plan[:3], "eee")
    for order in ([errored, a], [a, errored]):
        with pytest.warns(UserWarning, match="c: .*a holds all of its 3 episodes, too; they are counted once"):
            merged = load_runs(order)
        assert merged.records[RecordKey(plan[0].id)].status == "success"
    with pytest.raises(UserError, match="given twice"):
        load_runs([a, a])


def test_stand_ins_of_any_run_are_confessed(plan, play):
    assets = [AssetsRecord(stand_ins=(), kind="original"), AssetsRecord(stand_ins=("a",), kind="mixed")]
    records = [WorldRecord(name="w", assets=record) for record in assets]
    merged = load_runs([play(f"r{k}", plan[k::2], recorded=record) for k, record in enumerate(records)])
    assert "STAND-INS for 1 asset file:" in title(merged.header)
    assert merged.header.world.assets.kind == "mixed"


def test_runs_without_a_common_way_of_rendering_are_refused(play, make_spec, monkeypatch):
    """Drawer episodes seen by a policy, traced here and rastered there; what nobody looks at may differ."""
    traced = [make_spec(i).model_copy(update={"shader": "rt"}) for i in range(4)]
    records = {rt: RenderingRecord(rt=rt) for rt in ("raster", "trace")}

    worker = OwnWorker("fake_world", WorldOptions())

    def world_of(options, plan):
        return OwnBackend(WorldIdentity(name="fake_world", rendering=records[options.rt]), worker)

    monkeypatch.setattr("eval.rollout.run.find_backend_of", world_of)
    seen = [play(f"s{k}", traced, shard=f"{k + 1}/2", rt=rt, policy=Notes()) for k, rt in enumerate(records)]
    with pytest.raises(UserError, match=r"has world.rendering"):
        load_runs(seen)
    blind = [play(f"b{k}", traced, shard=f"{k + 1}/2", rt=rt, policy=Still()) for k, rt in enumerate(records)]
    assert len(load_runs(blind).records) == 4


def test_shards_of_a_network_are_pooled_by_its_weights(tmp_path, make_spec, capsys):
    """The whole way: two folders with equal weights, one with a single other number, ``report`` on the runs."""
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    from safetensors.torch import load_file, save_file

    from policies.phi3v.checkpoint import find_checkpoint

    plan = [make_spec(i, max_steps=1) for i in range(2)]
    made = find_checkpoint("tiny-random")
    for name in ("here", "there", "other"):
        shutil.copytree(made, tmp_path / name)
    (file,) = (tmp_path / "other").glob("*.safetensors")
    weights = load_file(file)
    changed = next(iter(weights))
    weights[changed].view(-1)[0] += 1
    save_file(weights, file, metadata={"format": "pt"})

    def half(k, folder):
        args = {"checkpoint": str(folder), "device": "cpu"}
        out = tmp_path / f"half{k}-{folder.name}-{folder.parent.name}"
        return run(plan, "openvla_phi3", policy_args=args, shard=f"{k}/2", out=out, world="fake_world", workers=1).path

    first, second, third = half(1, tmp_path / "here"), half(2, tmp_path / "there"), half(2, tmp_path / "other")
    (tmp_path / "here").rename(tmp_path / "gone")
    (tmp_path / "other").rename(tmp_path / "here")  # other weights under the same path
    fourth = half(2, tmp_path / "here")

    def report(*folders):
        with pytest.raises(SystemExit) as end:
            main(["report", "--json", *map(str, folders)])
        return end.value.code, capsys.readouterr()

    code, said = report(first, second)
    assert code == 0
    assert json.loads(said.out)["rows"][-1]["n"] == 2
    hashes = [load_run(folder).header.identity.policy.weights[:8] for folder in (first, fourth)]
    for other, labels in ((third, ["here", "other"]), (fourth, [f"weights {text}" for text in hashes])):
        with pytest.raises(UserError, match=r"has policy\.weights '"):
            load_runs([first, other])
        code, said = report(first, other)
        assert code == 0
        rows = json.loads(said.out)["runs"]
        assert [row["run"] for row in rows] == [f"openvla_phi3, {label}, shard {k}/2" for k, label in enumerate(labels, 1)]
        assert [row["rows"][-1]["n"] for row in rows] == [1, 1]
