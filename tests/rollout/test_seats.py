"""A worker may hold several episodes: each ends as it would alone, whatever becomes of the others and in whatever order."""

from __future__ import annotations

import time

import cv2
import numpy as np
import pytest
from fake_policies import Looks, Still, Terminates

from eval.backends.base import OwnBackend, OwnWorker, WorldOptions
from eval.backends.selection import OWN
from eval.backends.simpler_env.backend import OriginalBackend
from eval.errors import UserError
from eval.records.folder import load_run
from eval.records.header import Course, RenderingRecord, WorldIdentity
from eval.records.options import RunOptions
from eval.rollout.course import course_of, course_text
from eval.rollout.policy_calls import PolicyNeeds
from policies.base import Action


class Batches(Looks):
    """Checks what it sees, and remembers the size of every batch; wishes what it is told to."""

    def __init__(self, *wishes):
        self.wishes, self.sizes, self.together = list(wishes), [], set()

    @property
    def preferred_batch(self):
        return self.wishes[0] if self.wishes else None

    def act(self, observations):
        self.sizes.append(len(observations))
        self.together.add(frozenset(o.episode for o in observations))
        if len(self.wishes) > 1:
            self.wishes.pop(0)
        time.sleep(0.02)  # meanwhile others come to wait, also on a busy machine
        return super().act(observations)


def results(data):
    """Of every episode, all that does not depend on the clock."""
    return {key: record.model_dump(exclude={"seconds", "attempts"}) for key, record in data.records.items()}


@pytest.mark.alone
def test_episodes_side_by_side_in_one_worker_end_as_they_do_alone(play, make_spec, tmp_path):
    per_worker = 3
    plan = [make_spec(i, max_steps=4 + i) for i in range(7)]
    policy = Batches(16)
    data = play(plan, policy, workers=1, per_worker=per_worker)
    assert max(policy.sizes) == per_worker
    assert len((tmp_path / "marks/built").read_text().split()) == per_worker, "a world a seat"
    assert len(set((tmp_path / "marks/built").read_text().split())) == 1, "in one process"
    assert results(data) == results(play(plan, Looks(), workers=1, out=tmp_path / "alone"))


def test_videos_of_episodes_side_by_side_are_not_mixed_up(play, make_spec):
    plan = [make_spec(i, max_steps=3 + 2 * i) for i in range(4)]
    data = play(plan, Looks(), workers=1, per_worker=2, video="all")
    for spec in plan:
        film = cv2.VideoCapture(str(data.path / data.record(spec.id).video))
        frames = np.array([film.read()[1] for _ in range(int(film.get(cv2.CAP_PROP_FRAME_COUNT)))])
        assert np.all(np.abs(frames[:, 4:28, 8:40].mean(axis=(1, 2, 3)) - np.arange(spec.max_steps + 1)) < 2)


def test_no_call_gets_more_than_the_policy_or_the_user_wishes(play, make_spec, tmp_path):
    plan = [make_spec(i, max_steps=6) for i in range(8)]
    policy = Batches(4, 4, 4, 1)  # in mid-run its memory turns out to be too small
    play(plan, policy, workers=1, per_worker=4)
    assert max(policy.sizes[:3]) <= 4
    assert set(policy.sizes[3:]) == {1}
    policy = Batches(5)
    data = play(plan, policy, workers=1, per_worker=4, batch=2, out=tmp_path / "two")
    assert max(policy.sizes) == 2
    assert len(data.records) == len(plan)


def test_no_episode_is_lost_to_the_fault_of_another_in_its_worker(play, make_spec):
    variants = ["die_always", "base", "raise_always", "base", "hang_once", "base", "die_once", "base"]
    plan = [make_spec(2 * i, variant=variant, max_steps=12) for i, variant in enumerate(variants)]
    data = play(plan, Batches(), workers=1, per_worker=4, watchdog=1.0)
    assert [data.record(spec.id).status for spec in plan] == ["errored", "success", "errored", *["success"] * 5]
    assert [data.record(spec.id).attempts for spec in plan] == [2, 1, 2, 1, 2, 1, 2, 1]
    assert all(record.steps == 12 for record in data.records.values() if record.status == "success")


def test_a_fault_of_a_batch_is_found_among_episodes_of_one_worker(play, make_spec):
    class Allergic(Batches):
        def act(self, observations):
            if any(o.episode == plan[1].id and o.step == 2 for o in observations):
                raise ValueError("not this one")
            return super().act(observations)

    plan = [make_spec(2 * i) for i in range(4)]
    data = play(plan, Allergic(8), workers=1, per_worker=4)
    assert [data.record(spec.id).status for spec in plan] == ["success", "errored", "success", "success"]


class Finishes(Still):
    """Says done early in some episodes, as a policy that succeeds does."""

    def __init__(self, early):
        self.early = early

    def act(self, observations):
        return [Action(np.zeros(7), terminate=o.step == 1 and o.episode in self.early) for o in observations]


def stop_after(count):
    """A listener that stops the run after some results."""
    seen = []

    def listen(record):
        seen.append(record)
        if len(seen) == count:
            raise KeyboardInterrupt

    return listen


@pytest.mark.parametrize(("early", "per_worker", "batch", "stop_at"), [(0, 3, 2, 2), (1, 4, None, 5)])
def test_which_episodes_count_does_not_depend_on_which_end_first(play, make_spec, tmp_path, early, per_worker, batch, stop_at):
    plan = [make_spec(i, max_steps=25) for i in range(12)]
    quick = {spec.id for spec in plan[early::2]}
    whole = play(plan, Finishes(quick), workers=1, out=tmp_path / "whole")
    how = {"workers": 1, "per_worker": per_worker, "batch": batch}
    with pytest.raises(KeyboardInterrupt):
        play(plan, Finishes(quick), **how, listener=stop_after(stop_at))
    assert 0 < len(load_run(tmp_path / "run").records) < len(plan)
    data = play(plan, Finishes(quick), **how)
    assert results(data) == results(whole)
    assert (data.path / "tables/summary.csv").read_text() == (whole.path / "tables/summary.csv").read_text()
    assert {record.steps for record in whole.records.values()} == {2, 25}


def test_a_short_queue_is_left_to_workers_that_have_nothing(play, make_spec, tmp_path):
    play([make_spec(i, max_steps=20) for i in range(3)], Terminates(), workers=3, per_worker=8)
    built = (tmp_path / "marks/built").read_text().split()
    assert len(built) == len(set(built)), "no worker holds two while another is about to be ready"


def course(data):
    return data.header.sessions[-1].course.model_dump()


def test_how_it_is_played_is_recorded_and_a_continued_run_keeps_its_batch(play, make_spec, tmp_path):
    plan = [make_spec(i) for i in range(12)]
    assert course(play(plan[:1], Still(), out=tmp_path / "still")) == {
        "workers": 1,
        "per_worker": 1,
        "tracing": None,
        "batch": None,
    }
    for wish, given, batch in [(8, None, 8), (64, None, 8), (4, None, 4), (64, 16, 16), (64, None, 16)]:
        with pytest.raises(KeyboardInterrupt):
            play(plan, Batches(wish), workers=1, per_worker=2, batch=given, listener=stop_after(1))
        assert course(load_run(tmp_path / "run")) == {"workers": 1, "per_worker": 2, "tracing": None, "batch": batch}


def test_a_policy_that_looks_has_two_episodes_a_worker_in_our_own_world_and_every_other_one(make_spec):
    looks, blind = (PolicyNeeds(image, False) for image in (True, False))
    ours, module = (OwnBackend(WorldIdentity(name=name), OwnWorker("m", WorldOptions())) for name in (OWN, "fake_world"))
    options = RunOptions(workers=4)
    assert [course_of(options, world, needs, None, 40).per_worker for world in (ours, module) for needs in (looks, blind)] == [
        2, 1, 1, 1,
    ]  # fmt: skip
    assert course_of(options, ours, looks, None, 5).per_worker == 2
    assert course_of(options, ours, looks, None, 4).per_worker == 1, "nothing is left for the second"
    assert course_of(RunOptions(workers=4, per_worker=3), module, blind, None, 40).per_worker == 3


def rendered_by(denoiser, assets=None):
    rendering = RenderingRecord(rt="trace", samples=32, denoiser=denoiser)
    return OwnBackend(WorldIdentity(name="fake_world", rendering=rendering), OwnWorker("fake_world", WorldOptions(assets)))


@pytest.mark.parametrize(("variant", "lost"), [("slow", 0), ("die_once", 1)])
def test_few_processes_take_the_memory_that_a_denoiser_needs(play, make_spec, tmp_path, monkeypatch, variant, lost):
    plan = [make_spec(i, max_steps=20) for i in range(12)]
    plan += [make_spec(100 + i, variant="slow", max_steps=20).model_copy(update={"shader": "rt"}) for i in range(12)]
    plan[-1] = plan[-1].model_copy(update={"variant": variant})
    marks = tmp_path / "marks"
    monkeypatch.setattr("eval.rollout.run.find_backend", lambda *_: rendered_by("oidn", str(marks)))
    data = play(plan, Looks(), workers=4, per_worker=2)
    assert [record.attempts for record in data.records.values()].count(2) == lost
    assert not any(record.error for record in data.records.values())
    players = (marks / "players").read_text().splitlines()
    traced = {line.split()[0] for line in players if line.endswith(" rt")}
    assert course(data)["tracing"] == 2
    assert 2 <= len(traced) <= 2 + lost


def test_who_traces_is_chosen_where_images_are_denoised():
    looks, blind = (PolicyNeeds(image, False) for image in (True, False))
    options = RunOptions(workers=4)
    assert [course_of(options, rendered_by(name), looks, None, 40, None, 0.4).tracing for name in ("oidn", "none")] == [2, None]
    assert course_of(options, rendered_by("oidn"), blind, None, 40, None, 0.4).tracing is None


def test_what_has_changed_since_the_session_before_is_said():
    before, now = Course(workers=16, per_worker=2, batch=32), Course(workers=8, per_worker=1, batch=16)
    assert course_text(now) == "8 workers, batches of 16"
    assert course_text(now, before) == "8 workers (16 before), 1 episode each (2 before), batches of 16 (32 before)"
    assert course_text(before, before) == "16 workers, 2 episodes each, batches of 32"
    assert course_text(Course(workers=16, per_worker=3, tracing=7)) == "16 workers, 7 of them tracing rays, 3 episodes each"


def test_the_original_plays_one_episode_a_process(make_spec):
    backend = OwnBackend(WorldIdentity(name="simpler-env"), OwnWorker("m", WorldOptions()))
    backend.holds_several = False
    with pytest.raises(UserError, match=r"^--per-worker 2 cannot be had: simpler-env plays one episode a process; leave"):
        course_of(RunOptions(per_worker=2), backend, PolicyNeeds(True, False), None, 9)
    assert course_of(RunOptions(per_worker=1), backend, PolicyNeeds(True, False), None, 9).per_worker == 1
    assert not OriginalBackend.holds_several
