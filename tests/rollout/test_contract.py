"""What a run owes a policy and keeps of it: the end of every episode, what was played, and each repeat by a name of its own."""

from __future__ import annotations

import numpy as np
import pytest
from fake_policies import Counts, Still
from faulty_policies import OneByOne, Plays, Told

from eval.errors import UserError
from eval.records.turns import Turn


def kept(data):
    return {path.name: np.load(path) for path in sorted((data.path / "actions").glob("*"))}


def test_a_policy_is_told_the_end_of_every_episode_that_it_began(play, make_spec):
    plan = [make_spec(0), make_spec(1), make_spec(2, variant="die_once"), make_spec(4, variant="raise_always")]
    policy = Told()
    play(plan, policy, workers=1)
    assert sum(entry[0] == "reset" for entry in policy.told) == 6
    assert policy.told[:4] == [
        ("reset", plan[0].id), ("success", plan[0].id, 5, None), ("reset", plan[1].id), ("failure", plan[1].id, 5, None),
    ]  # fmt: skip
    dies = [entry for entry in policy.told if entry[1] == plan[2].id]
    assert [entry[0] for entry in dies] == ["reset", "errored", "reset", "success"]
    assert dies[1][2:] == (2, "the worker was killed by signal 9")


def test_a_batch_that_failed_ends_before_its_episodes_begin_again(play, make_spec):
    class Both(Told, OneByOne):
        pass

    policy = Both()
    play([make_spec(0), make_spec(2)], policy)
    for name in {entry[1] for entry in policy.told}:
        ends = [entry[0] for entry in policy.told if entry[1] == name]
        assert ends in (["reset", "success"], ["reset", "errored", "reset", "success"])


def test_an_end_that_raises_costs_a_line(play, make_spec, capsys):
    class Breaks(Still):
        def end(self, episodes, results):
            raise ValueError("no end")

    data = play([make_spec(0)], Breaks(), workers=1)
    assert data.record(data.plan[0].id).status == "success"
    assert "end() failed once, which costs no verdict: policy raised ValueError: no end" in capsys.readouterr().err


def test_what_was_played_is_kept_step_by_step(play, make_spec):
    plan = [make_spec(0), make_spec(1, variant="subtasks", max_steps=9)]
    data = play(plan, Plays(), workers=1)
    actions = kept(data)
    assert sorted(actions) == sorted(f"{spec.id}.npy" for spec in plan)
    played = actions[f"{plan[0].id}.npy"]
    assert played.dtype == np.float64
    assert np.array_equal(played, np.repeat(np.arange(5)[:, None] + 0.1, 7, axis=1))

    spec = make_spec(3, variant="subtasks", max_steps=9)
    actions = kept(play([spec], Plays(done_at=2), workers=1, out=data.path.with_name("done")))
    said = actions[f"{spec.id}.terminate.npy"]
    assert said.dtype == bool
    assert said.tolist() == [False, False, True, *[False] * 6]
    assert len(actions[f"{spec.id}.npy"]) == 9


def test_an_errored_episode_keeps_the_steps_that_it_made_until_it_is_played_again(play, make_spec):
    plan = [make_spec(0)]
    data = play(plan, Counts(plan[0].id), workers=1)
    assert data.record(plan[0].id).steps == len(kept(data)[f"{plan[0].id}.npy"]) == 2
    again = type("Counts", (Still,), {"__module__": "fake_policies"})()
    assert not kept(play(plan, again, workers=1, retry_errored=True, no_actions=True)), "of the older try"


def test_without_actions_there_is_no_folder(play, make_spec):
    assert not (play([make_spec(0)], Still(), workers=1, no_actions=True).path / "actions").exists()


class Draws(Still):
    """Remembers which episodes it begins, and with which seeds."""

    def __init__(self):
        self.begun = []

    def reset(self, episodes):
        self.begun += [(episode.episode, episode.repeat, episode.seed) for episode in episodes]


def test_a_plan_is_repeated_with_seeds_and_names_of_their_own(play, make_spec):
    plan, policy = [make_spec(4), make_spec(5)], Draws()
    data = play(plan, policy, repeat=3)
    names = {name: (repeat, seed) for name, repeat, seed in policy.begun}
    assert sorted(names) == sorted(spec.id + end for spec in plan for end in ("", "-r1", "-r2"))
    assert names[plan[0].id] == (0, 4), "the episode's own seed"
    assert len({seed for _, seed in names.values()}) == 6
    assert all(0 <= seed < 2**32 for _, seed in names.values())
    assert [record.repeat for record in data.records_of(plan[0].id)] == [0, 1, 2]
    assert data.header.repeats == 3
    assert len(kept(data)) == 6

    fresh = Draws()
    play(plan, fresh, repeat=4)
    assert [name for name, _, _ in fresh.begun] == [f"{spec.id}-r3" for spec in plan], "more repeats extend a run"
    with pytest.raises(UserError, match="plays each episode 4 times; give --repeat 4, or more"):
        play(plan, Draws(), repeat=2)


def test_the_seed_of_a_repeat_never_changes(make_spec):
    assert [Turn(make_spec(7), repeat).seed for repeat in (0, 1)] == [7, 3957370594], "published numbers depend on it"


@pytest.mark.parametrize("options", [{"repeat": 0}, {"stop_after": 0}, {"workers": 0}, {"watchdog": 0.0}, {"watchdog": -1.0}])
def test_numbers_that_make_no_sense_are_refused(play, make_spec, options):
    (name,) = options
    with pytest.raises(UserError, match=name.replace("_", ".")):
        play([make_spec(0)], Still(), **options)
