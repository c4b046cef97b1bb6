"""Runs in a fake world: nothing that a worker, a policy or an encoder does costs more than its own episode."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from fake_policies import Answers, Counts, Looks, Notes, Still, Terminates

import eval.rollout.loop
import eval.rollout.run
from eval.diagnostics.smoke import check_run
from eval.errors import UserError
from eval.records.folder import load_run
from eval.records.results import RecordKey
from eval.records.video_frames import picture_size
from eval.rollout.run import run
from policies.base import PolicyDescription
from policies.random import RandomPolicy
from policies.registry import load_policy


def statuses(data):
    return [data.record(spec.id).status for spec in data.plan]


def test_images_states_and_results_belong_together(play, make_spec, tmp_path):
    plan = [make_spec(i) for i in range(6)]
    data = play(plan, Looks())
    assert statuses(data) == ["success", "failure"] * 3
    record = data.record(plan[0].id)
    assert (record.steps, record.first_success_step, record.episode_stats) == (5, 1, {"moved": True, "steps": 5})
    built = (tmp_path / "marks/built").read_text().splitlines()
    assert len(built) == len(set(built)) <= 2  # one world a worker, reused
    assert "a fake world (STAND-INS for 1" in (tmp_path / "run/tables/summary.md").read_text()
    assert data.header.sessions[0].python


def test_without_need_of_images_nothing_is_rendered(play, make_spec, tmp_path):
    play([make_spec(0)], Still(), workers=1)
    assert (tmp_path / "marks/rendered").read_text().split() == ["False"]


def test_terminate_moves_on_and_ends_only_in_the_final_subtask(play, make_spec):
    spec = make_spec(1, variant="subtasks", max_steps=9)
    record = play([spec], Terminates(), workers=1).record(spec.id)
    # done is said before steps 2 and 4; the step is made each time, and the flag of the last step (up at 3 only) counts
    assert (record.steps, record.status, record.success_any, record.first_success_step) == (4, "failure", True, 3)


def test_dying_hanging_and_raising_workers_cost_one_retry(play, make_spec):
    variants = ["die_once", "die_always", "hang_once", "raise_once", "raise_always", "base"]
    plan = [make_spec(2 * i, variant=v) for i, v in enumerate(variants)]
    data = play(plan, Still(), watchdog=1.0)
    assert statuses(data) == ["success", "errored", "success", "success", "errored", "success"]
    assert [data.record(s.id).attempts for s in plan] == [2, 2, 2, 2, 2, 1]
    assert "killed by signal 9" in data.record(plan[1].id).error
    assert "RuntimeError: the world broke" in data.record(plan[4].id).error


def test_hanging_twice_is_errored(play, make_spec):
    plan = [make_spec(0, variant="hang_always")]
    data = play(plan, Still(), watchdog=0.7, workers=1)
    assert data.record(plan[0].id).error == "the worker was silent for 0.7 s (attempt 2)"


def test_raising_policy_costs_its_episode_alone(play, make_spec):
    plan = [make_spec(2 * i) for i in range(5)]
    data = play(plan, Counts(plan[1].id))
    assert statuses(data) == ["success", "errored", "success", "success", "success"]
    assert data.record(plan[1].id).error == "policy raised ZeroDivisionError: policy bug"


@pytest.mark.parametrize("method", ["reset", "act"])
def test_a_policy_that_ends_the_program_costs_its_episodes_alone(play, make_spec, method):
    def leave(*_):
        sys.exit(3)

    plan = [make_spec(0), make_spec(1)]
    data = play(plan, type("Leaves", (Still,), {method: leave})(), workers=1)
    assert [data.record(spec.id).error for spec in plan] == ["policy raised SystemExit: 3"] * 2


@pytest.mark.parametrize("fault", [RuntimeError("no\nclose"), SystemExit(3)])
def test_a_fault_of_close_costs_a_line_and_not_the_table(play, make_spec, monkeypatch, capsys, fault):
    def close(_):
        raise fault

    monkeypatch.setattr(RandomPolicy, "close", close)
    data = play([make_spec(0)], "random", workers=1)
    assert statuses(data) == ["success"]
    assert (data.path / "tables/summary.md").exists()
    said = capsys.readouterr().err
    assert said.startswith("simpler-eval: close() of random failed: ")
    assert type(fault).__name__ in said
    assert said.count("\n") == 1


def test_a_policy_that_changes_the_working_folder_does_not_move_the_results(play, make_spec, tmp_path, monkeypatch):
    class Wanders(Still):
        def act(self, observations):
            monkeypatch.chdir(tmp_path / "elsewhere")
            return super().act(observations)

    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    data = play([make_spec(0), make_spec(2)], Wanders(), workers=1, out="wanders")
    assert statuses(data) == ["success", "success"]
    assert data.path == tmp_path / "wanders"
    assert (data.path / "tables/summary.md").exists()
    monkeypatch.chdir(tmp_path)
    assert play([make_spec(0), make_spec(2)], Wanders(), workers=1, out="wanders").path == tmp_path / "wanders", "all done"


def test_a_policy_from_a_file_has_one_identity_as_text_and_as_an_object(play, make_spec, tmp_path):
    text = """
from fake_policies import Still
class Mine(Still):
    def describe(self):
        return {}
"""
    identities = []
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mine.py").write_text(text)
        place = f"{tmp_path}/{name}/mine.py:Mine"
        for policy in (place, load_policy(place)):
            data = play([make_spec(0)], policy, workers=1, policy_args=None, out=str(tmp_path / "run"))  # continued
            identities.append(data.header.identity)
    assert {identity.policy.name for identity in identities} == {"mine.py:Mine"}
    assert data.header.options.policy == "mine.py:Mine"


def test_a_setting_that_is_not_a_number_does_not_keep_a_run_from_being_continued(play, make_spec):
    class Unlimited(Still):
        def describe(self):
            return PolicyDescription(name="unlimited", settings={"most": float("inf"), "each": [float("nan")]})

    play([make_spec(0)], Unlimited(), workers=1)
    policy = play([make_spec(0)], Unlimited(), workers=1).header.identity.policy
    assert policy.settings == {"most": "inf", "each": ["nan"]}


@pytest.mark.parametrize(
    ("answer", "words"), [([np.nan] * 7, "not finite"), (np.zeros(6), r"shape (6,), not (7,)"), ("up", "Action")]
)
def test_nonsense_actions_are_errored(play, make_spec, answer, words):
    plan = [make_spec(2 * i) for i in range(3)]
    data = play(plan, Answers(plan[0].id, answer))
    assert statuses(data) == ["errored", "success", "success"]
    assert words in data.record(plan[0].id).error


def test_videos_show_every_step_in_order(play, make_spec, tmp_path):
    plan = [make_spec(i) for i in range(4)]
    data = play(plan, Still(), video="failures")
    assert [data.record(s.id).video is not None for s in plan] == [False, True, False, True]
    film = cv2.VideoCapture(str(tmp_path / "run" / data.record(plan[1].id).video))
    frames = np.array([film.read()[1] for _ in range(int(film.get(cv2.CAP_PROP_FRAME_COUNT)))])
    height, width = picture_size(32, 48)
    assert len(frames) == 6
    assert frames.shape[2] == width
    assert np.all(np.abs(frames[:, 4 : height - 4].mean(axis=(1, 2, 3)) - np.arange(6)) < 2)
    assert not list((tmp_path / "run/videos").rglob("*.part*"))


def test_first_n_videos_are_of_each_task(play, make_spec):
    plan = [make_spec(i, task=task) for task in ("a", "b") for i in range(3)]
    data = play(plan, Still(), video="first:1")
    assert [data.record(s.id).video is not None for s in plan] == [True, False, False] * 2


def test_failing_encoder_is_recorded_and_the_run_goes_on(play, make_spec, monkeypatch):
    monkeypatch.setattr("imageio_ffmpeg.get_ffmpeg_exe", lambda: "/nowhere/ffmpeg")
    plan = [make_spec(i) for i in range(2)]
    data = play(plan, Still(), video="all")
    assert statuses(data) == ["success", "failure"]
    assert all(data.record(s.id).video is None and data.record(s.id).video_error for s in plan)


def test_a_video_that_the_disk_refuses_stops_the_run_and_is_made_when_it_goes_on(play, make_spec, monkeypatch, capsys):
    plan = [make_spec(i) for i in range(20)]

    def full(*_):
        raise RuntimeError("Error writing 'x.mp4': av_interleaved_write_frame(): No space left on device")

    monkeypatch.setattr("eval.records.videos.write_video", full)
    data = play(plan, Still(), video="all", workers=1, per_worker=1)
    first = data.record(plan[0].id)
    assert (first.status, first.video_error, first.unwritten) == ("success", *["No space left on device"] * 2)
    lost = [record for record in data.records.values() if record.unwritten]
    assert len(lost) == len(data.records) < 20
    assert data.header.sessions[-1].outcome == "stopped"
    assert "the disk refuses what was asked for (No space left on device): free some space." in capsys.readouterr().err
    monkeypatch.undo()
    data = play(plan, Still(), video="none", workers=1)
    assert data.record(plan[0].id).unwritten, "nobody asks for its video now"
    data = play(plan, Still(), video="all", workers=1)
    assert (data.path / data.record(plan[0].id).video).is_file()
    assert data.record(plan[0].id).unwritten is None
    assert data.header.sessions[-1].episodes == len(lost), "the others were complete"


def test_refusing_world_is_one_line(play, make_spec):
    with pytest.raises(UserError, match=r"^No Vulkan device\.$"):
        play([make_spec(0)], Still(), assets="no_vulkan")


def test_unknown_world_is_one_line(make_spec, tmp_path):
    with pytest.raises(UserError, match=r'no world "simplerenv". Did you mean "simpler-env"'):
        run([make_spec(0)], Still(), world="simplerenv", out=tmp_path / "run", workers=1)


def test_world_that_cannot_be_imported_is_one_line(make_spec, tmp_path, monkeypatch):
    (tmp_path / "broken_world.py").write_text("import no_such_package")
    monkeypatch.syspath_prepend(tmp_path)  # spawned processes take the path over
    with pytest.raises(UserError, match=r"cannot start.*no_such_package"):
        run([make_spec(0)], Still(), world="broken_world", out=tmp_path / "run", workers=1)


def test_a_world_of_functions_is_told_what_to_become(make_spec, tmp_path, monkeypatch):
    (tmp_path / "old_world.py").write_text("def make_world(spec, assets, render): pass")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"old_world has functions of an earlier version .*backends.base.Simulation"):
        run([make_spec(0)], Still(), world="old_world", out=tmp_path / "run", workers=1)


def test_errored_episodes_are_run_again_only_on_request(play, make_spec, tmp_path):
    plan = [make_spec(0), make_spec(2)]
    data = play(plan, Answers(plan[0].id, [np.nan] * 7), workers=1)
    bad = type("Answers", (Still,), {"__module__": "fake_policies", "__qualname__": "Answers"})()
    resets = tmp_path / "marks/resets"
    before = resets.read_text()
    assert statuses(play(plan, bad)) == statuses(data) == ["errored", "success"]
    assert resets.read_text() == before
    assert statuses(play(plan, bad, retry_errored=True)) == ["success", "success"]


def read_video(path):
    video = cv2.VideoCapture(str(path))
    frames = []
    while (answer := video.read())[0]:
        frames.append(answer[1][..., ::-1])
    return np.array(frames)


def test_workers_lost_one_after_the_other_end_the_run_and_nothing_is_lost(play, make_spec, tmp_path):
    plan = [make_spec(2 * i, variant="base" if i == 0 else "die_always") for i in range(20)]
    with pytest.raises(UserError, match=r"8 simulator processes were lost .* killed by signal 9.*is kept"):
        play(plan, Still(), workers=1)
    records = load_run(tmp_path / "run").records
    assert records[RecordKey(plan[0].id)].status == "success"
    assert sum(record.status == "errored" for record in records.values()) == 4


def test_a_long_film_shows_its_last_steps(play, make_spec, monkeypatch):
    monkeypatch.setattr(eval.rollout.loop, "FILM_SLOTS", 4)
    spec = make_spec(0, max_steps=9)
    data = play([spec], Looks(), workers=1, video="all")
    frames = read_video(data.path / data.record(spec.id).video)
    assert [frame[: picture_size(32, 48)[0]].mean() for frame in frames] == pytest.approx([6, 7, 8, 9], abs=1.5)


def test_policy_view_lies_beside_the_camera_image(play, make_spec):
    spec = make_spec(0)
    data = play([spec], Notes(), workers=1, video="policy-view")
    assert data.record(spec.id).video_error is None
    frames = read_video(data.path / data.record(spec.id).video)
    assert len(frames) == 6
    assert frames.shape[2] > picture_size(32, 48)[1]


class Weights(Still):
    """Says which weights it has, and counts."""

    def __init__(self, weights, **more):
        self.weights, self.more, self.described = weights, more, 0

    def describe(self):
        self.described += 1
        details = {"checkpoint": f"/somewhere/{self.described}", "described": self.described}
        return PolicyDescription(name="net", weights=self.weights, remarks=("RANDOM WEIGHTS",), details=details, **self.more)


def test_a_run_is_not_continued_with_other_weights(play, make_spec):
    plan = [make_spec(0), make_spec(1)]
    data = play(plan, Weights("one"))
    assert "(RANDOM WEIGHTS)" in (data.path / "tables/summary.md").read_text()
    assert data.header.policy.details["described"] == 2, "what it counted is recorded when the run ends"
    play(plan, Weights("one"))  # from another place on another day
    for other, name in (
        (Weights("two"), r"policy.weights 'one', this one has 'two'"),
        (Weights("one", seed=1), r"policy.seed None, this one has 1"),
        (Weights("one", settings={"gain": 2}), r"policy.settings.gain None, this one has 2"),
    ):
        with pytest.raises(UserError, match=name):
            play(plan, other)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (None, r"describe\(\) of the policy .*Silent gives None; return a policies.base.PolicyDescription"),
        (["name"], "gives a list; return"),
        ({"remarks": 3}, "cannot be recorded: remarks: Input should be a valid tuple"),
        ({"gain": object()}, "cannot be recorded: .* is a "),
    ],
)
def test_a_policy_that_does_not_describe_itself_is_one_line(play, make_spec, tmp_path, answer, words):
    class Silent(Still):
        def describe(self):
            return answer

    with pytest.raises(UserError, match=words) as caught:
        play([make_spec(0)], Silent())
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_the_mapping_of_an_older_policy_is_sorted_into_the_description(play, make_spec):
    class Older(Still):
        def describe(self):
            return {"fingerprint": "abc", "dtype": "float32", "gain": np.float32(2), "device": "cuda:1", "tokens": 7}

    data = play([make_spec(0)], Older(), workers=1)
    policy = data.header.identity.policy
    assert (policy.weights, policy.dtype, policy.settings) == ("abc", "float32", {"gain": 2.0})
    assert data.header.policy.details == {"device": "cuda:1", "tokens": 7}


def test_the_smoke_check_notices_images_that_show_nothing(play, make_spec):
    data = play([make_spec(0)], Looks(), workers=1, video="all")
    checks = {check.name: check.passed for check in check_run(data)}
    assert checks == {"episodes": True, "table": True, "video fake_task": True, "image fake_task": False}


@pytest.mark.parametrize(
    ("given", "variable", "recorded"),
    [(None, "b", "/x/b"), ("a", "b", "/x/a"), (["a", Path("/c")], "b", "/x/a,/c"), ("", "b", ""), (None, "", None)],
)
def test_the_assets_that_the_environment_names_are_recorded(make_spec, monkeypatch, given, variable, recorded):
    asked = []

    def find(options, _):
        asked.append(options.assets)
        raise UserError("enough")

    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", variable)
    monkeypatch.setattr(eval.rollout.run, "find_backend_of", find)
    with pytest.raises(UserError, match="enough"):
        run([make_spec(0)], "random", assets=given)
    assert asked == [recorded and recorded.replace("/x", str(Path.cwd()))]
