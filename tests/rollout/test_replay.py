"""One episode of a run again: the same, or where it parts; and what cannot be played again is one line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from fake_policies import Still

from eval.errors import UserError
from eval.records.folder import load_run
from eval.records.moments import Moment, as_array, first_difference
from eval.records.results import RecordKey
from eval.rollout.replay import find_episode, replay
from eval.rollout.run import run
from policies.base import Action

STEPS = 8


class Carries(Still):
    """Closes the gripper at the third step, and moves by what its seed says."""

    def reset(self, episodes):
        self.seeds = {**getattr(self, "seeds", {}), **{info.episode: info.seed for info in episodes}}

    def act(self, observations):
        return [Action(self.command(o.step, self.seeds[o.episode])) for o in observations]

    def command(self, step, seed):
        move = np.random.default_rng((seed, step)).uniform(0, 0.05, 3)
        return np.array([*move, 0, 0, 0, 1.0 if step < 2 else -1.0])


class Tires(Carries):
    def act(self, observations):
        if any(o.step == 3 for o in observations):
            raise ValueError("tired")
        return super().act(observations)


@pytest.fixture(scope="module")
def once(make_spec, tmp_path_factory):
    """A run of three episodes, twice each."""
    plan = [make_spec(index, max_steps=STEPS) for index in range(3)]
    return run(plan, Carries(), world="pushed_world", workers=1, repeat=2, out=tmp_path_factory.mktemp("once") / "run")


@pytest.fixture
def played(once, tmp_path):
    """A copy of it, to be changed."""
    shutil.copytree(once.path, tmp_path / "run")
    return load_run(tmp_path / "run")


@pytest.fixture
def play(make_spec, tmp_path):
    def play(policy, **options):
        plan = [make_spec(index, max_steps=STEPS) for index in range(3)]
        return run(plan, policy, world="pushed_world", workers=1, out=tmp_path / "other", **options)

    return play


def edit(path: Path, row: int, column: int, by: float) -> None:
    actions = np.load(path)
    actions[row, column] += by
    np.save(path, actions)


def test_what_was_played_happens_again_to_the_bit(played):
    before = sorted(played.path.rglob("*"))
    again = replay(played.path, f"{played.plan[1].id}-r1")
    assert again.same
    assert again.states == STEPS + 1
    assert again.surroundings
    assert again.elsewhere == ()
    assert sorted(played.path.rglob("*")) == before, "nothing is left behind"


@pytest.mark.parametrize(
    ("row", "column", "step", "what"),
    [(5, 0, 6, "the tool's pose and the joints and the objects"), (0, 1, 1, "the tool's pose and the joints")],
)
def test_the_first_step_that_differs_is_told(played, cli, row, column, step, what):
    data, name = played, f"{played.plan[1].id}-r1"
    edit(data.path / f"actions/{name}.npy", row, column, 0.25)
    again = replay(data.path, name)
    assert not again.same
    assert again.difference is not None
    assert (again.difference.step, again.difference.what) == (step, what)
    assert again.difference.by == pytest.approx(0.25)
    assert again.difference.at_end == pytest.approx(0.25)
    code, out, _ = cli("replay", data.path, name)
    assert code == 1
    assert f"Not the same: it differs first at step {step} of {STEPS}, in {what} (by up to 0.25" in " ".join(out.split())


def test_an_object_that_moves_otherwise_is_noticed(played):
    data = played
    file = data.path / f"states/{data.plan[0].id}.npy"
    states = np.load(file)
    states["surroundings"][4, 1] = np.nextafter(states["surroundings"][4, 1], 1, dtype=states["surroundings"].dtype)
    np.save(file, states)
    difference = replay(data.path, "0").difference
    assert difference is not None
    assert (difference.step, difference.what) == (4, "the objects")


def test_without_states_the_end_is_compared_and_that_is_said(played, cli):
    data, name = played, played.plan[0].id
    (data.path / f"states/{name}.npy").unlink()
    code, out, _ = cli("replay", data.path, name)
    assert code == 0
    assert "It ends the same. The run kept no states" in out
    edit(data.path / f"actions/{name}.npy", 4, 0, -9)
    code, out, _ = cli("replay", data.path, name)
    assert code == 1
    assert "status is failure instead of success" in " ".join(out.split())


def test_an_episode_that_was_errored_is_compared_until_then(play, cli):
    data = play(Tires())
    code, out, _ = cli("replay", data.path, 0)
    words = " ".join(out.split())
    assert code == 0
    assert "errored after 3 steps" in words
    assert "no end to compare" in words
    assert "all 4 states" in words


def test_another_machine_and_other_versions_are_told(played, cli):
    data = played
    content = json.loads((data.path / "run.json").read_text())
    content["sessions"][-1]["machine"]["cpu"] = "Abacus 9000"
    content["sessions"][-1]["packages"]["sapien"] = "9.9.9"
    (data.path / "run.json").write_text(json.dumps(content))
    code, out, _ = cli("replay", data.path, 0, "--json")
    assert code == 0
    told = json.loads(out)["elsewhere"]
    assert "Abacus 9000" in told[0]
    assert told[1].startswith("sapien 9.9.9, here ")


def test_an_episode_is_found_by_its_beginning_and_its_place(played, cli):
    data = played
    ids = [spec.id for spec in data.plan]
    for text in (ids[2], ids[2][:-3], ids[2].removeprefix("v2-")[:8], "2"):
        assert find_episode(data, text) == RecordKey(ids[2])
        assert find_episode(data, f"{text}-r1") == RecordKey(ids[2], 1)
    for text, said in (
        ("v2-", "is the beginning of 3 episodes, such as v2-"),
        (ids[1][:-1] + "!", f'has no episode "{ids[1][:-1]}!". Did you mean "{ids[1]}"?'),
        ("99", 'has no episode "99"'),
        ("0-r7", "plays each episode 2 times; the last repeat is -r1"),
    ):
        code, _, err = cli("replay", data.path, text)
        assert code == 2
        assert said in err
        assert err.count("\n") == 1


def test_what_cannot_be_played_again_is_one_line(played, play, cli):
    data = played
    folder = data.path / "actions"
    (folder / f"{data.plan[0].id}.npy").write_text("no array")
    (folder / f"{data.plan[1].id}.npy").unlink()
    (data.path / f"states/{data.plan[2].id}.npy").write_text("no array")
    lines = (data.path / "episodes.jsonl").read_text().splitlines()
    for text, said in (("0", "Cannot read actions from"), ("1", "its actions"), ("2", "Cannot read the kept states")):
        code, _, err = cli("replay", data.path, text)
        assert (code, err.count("\n")) == (2, 1)
        assert said in err
    states = data.path / f"states/{data.plan[2].id}.npy"
    states.unlink()
    os.mkfifo(states)
    code, _, err = cli("replay", data.path, "2")
    assert (code, err.count("\n")) == (2, 1)
    assert "(it is a pipe or a device, no file); remove the file to compare how the episode ends" in err
    (data.path / "episodes.jsonl").write_text("\n".join(line for line in lines if data.plan[2].id not in line) + "\n")
    with pytest.raises(UserError, match="was not played yet"):
        replay(data.path, "2")
    none = play(Carries(), no_actions=True)
    assert not (none.path / "states").exists(), "states are kept with the actions"
    with pytest.raises(UserError, match="--no-actions"):
        replay(none.path, "0")


def test_runs_of_version_0_1_are_refused(cli):
    (run_folder, *_) = (path for path in (Path(__file__).parents[1] / "golden/run_folders_v1").iterdir() if path.is_dir())
    code, _, err = cli("replay", run_folder, 0)
    assert code == 2
    assert "version 0.1" in err


def test_a_video_lies_beside_the_run_and_its_own_stay(play, cli):
    data = play(Carries(), video="all")
    before = {path: path.stat().st_mtime_ns for path in (data.path / "videos").rglob("*.*")}
    code, out, _ = cli("replay", data.path, 1, "--video", "--json")
    assert code == 0
    assert json.loads(out)["video"] == str(data.path / f"replays/{data.plan[1].id}.mp4")
    assert (data.path / f"replays/{data.plan[1].id}.mp4").stat().st_size > 1000
    assert {path: path.stat().st_mtime_ns for path in (data.path / "videos").rglob("*.*")} == before
    assert cli("replay", data.path, 1, "--render-device", "cuda:0")[0] == 2


def test_states_are_kept_exactly_and_briefly():
    def moments(*values):
        return [Moment(False, 1.0, (value,) * 7, (0.5, value)) for value in values]

    single, double = float(np.float32(0.1)), 0.1
    assert as_array(moments(single))["qpos"].dtype == np.float32
    kept = as_array(moments(single, double))
    assert kept["qpos"][1, 1] == double
    assert first_difference(kept, as_array(moments(single, double))) is None
    assert first_difference(as_array(moments(1, np.nan)), as_array(moments(1, np.nan))) is None
    parted = first_difference(as_array(moments(1, 2, 3)), as_array(moments(1, 2)))
    assert parted is not None
    assert (parted.step, parted.what) == (2, "that it ends after 1 step")
    assert as_array([Moment(False, 1.0, (1.0,) * 7, (0.5,) * n) for n in (1, 2)]) is None, "no array holds them"


def test_our_own_world_does_the_same_again(tmp_path):
    from eval.plan.suites import make_plan

    plan = make_plan(tasks="widowx_carrot_on_plate", limit=1, max_steps=6)
    data = run(plan, "random", workers=1, out=tmp_path / "own")
    again = replay(data.path, "0")
    assert again.same
    assert again.states == 7
    assert again.surroundings
