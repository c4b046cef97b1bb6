"""``record``: what the expert would do is what is learned, whoever plays; and nothing that is tested on is recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="the extra datasets is not installed")

from eval.datasets.origin import ORIGIN_FILE, read_origin
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError
from eval.plan.layouts import layout_of
from eval.plan.leakage import leakage_of, refuse_leakage
from eval.plan.options import PlanOptions
from eval.rollout.run import run

TASK = "widowx_carrot_on_plate"


@pytest.fixture
def record(tmp_path, make_spec):
    """Episodes of a demonstrator in the fake world -> reader of its dataset."""

    def record(name="run", episodes=2, keep="all", **options):
        given = {"expert": "demonstrating_policies:Expert", **options}
        plan = [make_spec(index) for index in range(episodes)]
        run(plan, "demonstrator", policy_args=given, world="fake_world", workers=1, out=tmp_path / name, record="lerobot",
            keep=keep)  # fmt: skip
        return LeRobotReader(tmp_path / name / "dataset/widowx")

    return record


def played(reader, number=0):
    """(T, 7) what is to be learned, and what was played."""
    return reader.values(number, "action"), reader.values(number, "executed_action")


def test_the_label_is_the_undisturbed_action(record):
    actions, executed = played(record(disturb="0.3"))
    assert (actions == np.arange(5)[:, None]).all()
    assert (executed[:, 6] == actions[:, 6]).all()  # the gripper is not disturbed
    assert (executed[:, :6] != actions[:, :6]).all()
    again, same = played(record("again", disturb="0.3"))
    assert (again == actions).all()
    assert (same == executed).all()


def test_an_undisturbed_expert_needs_no_second_column(record):
    reader = record()
    assert "executed_action" not in reader.info.features
    assert (reader.values(0, "action") == np.arange(5)[:, None]).all()


def test_levels_of_noise_are_shared_out_among_episodes(record):
    reader = record(episodes=8, disturb="0,0.5")
    quiet = [(np.diff(played(reader, number), axis=0) == 0).all() for number in range(8)]
    assert {*quiet} == {True, False}


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_the_learner_plays_and_the_expert_says_what_is_right(record, beta):
    reader = record(episodes=8, learner="demonstrating_policies:Learner", command="-7", beta=beta)
    by_expert = []
    for number in range(8):
        actions, executed = played(reader, number)
        assert (actions == np.arange(5)[:, None]).all()
        assert ((executed == -7) | (executed == actions)).all()
        by_expert.append((executed == actions).all(axis=1))
    assert {0.0: 0 <= np.mean(by_expert) <= 0, 0.5: 0.3 < np.mean(by_expert) < 0.7, 1.0: np.all(by_expert)}[beta]
    assert reader.episodes[0].row["simpler_eval/policy"] == "demonstrator"


def test_an_expert_that_has_words_for_the_states_of_others_is_asked_for_them(record):
    reader = record(expert="demonstrating_policies:Corrects", learner="demonstrating_policies:Learner")
    assert (reader.values(0, "action")[:, 0] == 100 + np.arange(5)).all()


def test_only_successes(record, tmp_path):
    reader = record(episodes=4, keep="successes")  # even numbers succeed
    assert [episode.row["success"] for episode in reader.episodes] == [True, True]
    assert read_origin(reader.root).keep == "successes"
    assert len(list((tmp_path / "run/dataset/.episodes").glob("*.mp4"))) == 2


@pytest.mark.parametrize(("options", "said"), [
    ({"beta": 0.5}, "beta has no effect"),
    ({"checkpoint": "x"}, "checkpoint has no effect"),
    ({"disturb": "much"}, "disturb is much"),
    ({"disturb": "0.1,"}, 'disturb is ""'),
    ({"beta": 2, "learner": "random"}, "beta is 2"),
    ({"expert": "oracel"}, 'Did you mean "oracle"'),
])  # fmt: skip
def test_what_cannot_be_demonstrated_is_one_line(record, options, said):
    with pytest.raises(UserError, match=said):
        record(**options)


# ---- placements --------------------------------------------------------------------------------------------------------


def plan_of(placements, count=3, task=TASK):
    given = {"tasks": (task,), "placements": placements, **({} if placements == "published" else {"count": count})}
    return PlanOptions.model_validate(given).plan()


def test_what_is_tested_on_is_told_by_its_set_and_by_metres():
    train, published = plan_of("train"), plan_of("published")
    assert not leakage_of(train).any
    assert leakage_of(train).nearest > 0.01
    assert leakage_of(plan_of("heldout")).by_set == {"heldout": 3}
    assert leakage_of(published).nearest == pytest.approx(0)
    spots = layout_of(published[0]).objects
    moved = tuple(item.model_copy(update={"xy": spots.get(item.role, item.xy)}) for item in train[0].objects)
    disguised = train[0].model_copy(update={"objects": moved})
    assert (disguised.placements, leakage_of([disguised]).near) == ("train", 1)
    refuse_leakage(train)
    for plan in (published, [*train, disguised]):
        with pytest.raises(UserError, match="--placements train"):
            refuse_leakage(plan)


def test_record_writes_a_dataset_apart_from_what_is_tested(cli, tmp_path):
    out = tmp_path / "demos"
    given = ("record", "--task", TASK, "--count", 2, "--max-steps", 3, "--world", "fake_world", "--workers", 1, "--out", out,
             "--expert", "demonstrating_policies:Expert", "--disturb", "0,0.1")  # fmt: skip
    code, said, _ = cli(*given, "--keep", "all", "--json")
    (dataset,) = json.loads(said)["datasets"]
    assert (code, dataset["episodes"], dataset["frames"]) == (0, 2, 6)
    origin = read_origin(Path(dataset["path"]))
    assert (origin.placements, origin.test_placements) == (("train",), False)
    assert origin.nearest_published > 0.01
    assert "TRAINING PLACEMENTS" in origin.title
    assert "executed_action" in (Path(dataset["path"]) / "README.md").read_text()


@pytest.mark.parametrize("placements", ["published", "heldout"])
def test_record_refuses_what_is_tested_unless_told(cli, tmp_path, placements):
    given = ("record", "--task", TASK, "--placements", placements, "--limit", 2, "--max-steps", 3, "--workers", 1,
             "--world", "fake_world", "--out", tmp_path / "demos", "--keep", "all",
             "--expert", "demonstrating_policies:Expert")  # fmt: skip
    code, _, said = cli(*given)
    assert code == 2
    assert f"{placements} placements, on which policies are tested" in said
    assert not (tmp_path / "demos").exists()
    assert cli(*given, "--allow-test-placements")[0] == 0
    root = tmp_path / "demos/dataset/widowx"
    assert read_origin(root).test_placements
    assert "TEST PLACEMENTS" in (root / "README.md").read_text()


@pytest.mark.parametrize(("given", "said"), [
    ((), "record needs --task or --suite"),
    (("--task", TASK, "--beta", "0.5"), "--beta has no effect without --policy"),
    (("--task", TASK, "--checkpoint", "x"), "checkpoint has no effect without --policy"),
    (("--task", TASK, "--record", "none"), "--record none leaves nothing"),
])  # fmt: skip
def test_options_in_vain_are_one_line(cli, tmp_path, given, said):
    code, _, error = cli("record", *given, "--out", tmp_path / "demos")
    assert (code, said in error) == (2, True), error


def test_a_damaged_origin_is_one_line(tmp_path):
    assert read_origin(tmp_path) is None
    (tmp_path / "meta").mkdir()
    (tmp_path / ORIGIN_FILE).write_text("{")
    with pytest.raises(UserError, match="is damaged"):
        read_origin(tmp_path)
