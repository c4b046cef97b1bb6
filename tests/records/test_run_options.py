"""How a plan is played: what a caller gives is used or refused, from Python as from the command line."""

from __future__ import annotations

import pytest

from eval.errors import UserError
from eval.records.options import RunOptions


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"assets_fallback": True}, "assets_fallback has no effect without assets"),
        ({"fail_on_error": True, "stop_after": 3}, "stop_after has no effect with fail_on_error"),
        ({"watchdog": float("nan")}, "watchdog is nan; it must be a finite number."),
        ({"policy": ""}, 'policy is ""; it must not be empty.'),
        ({"batch": 10**400}, "it must be at most 65536."),
        ({"cluster": b"local"}, "cluster is b'local'; use plain numbers, texts and lists."),
        ({"polcy": "oracle"}, 'There is no option "polcy". Did you mean "policy"?'),
    ],
)
def test_what_cannot_be_used_is_one_line(monkeypatch, given, said):
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    with pytest.raises(UserError) as caught:
        RunOptions.of(given)
    assert said in str(caught.value)


def test_a_way_of_rendering_needs_an_episode_that_is_rendered_so(make_spec):
    plan = [make_spec(0)]
    RunOptions().check_for(plan)
    with pytest.raises(UserError, match="--rt raster has no effect"):
        RunOptions(rt="raster").check_for(plan)
    RunOptions(rt="raster").check_for([plan[0].model_copy(update={"shader": "rt"})])


def test_a_run_has_a_bound(make_spec):
    RunOptions(repeat=10_000).check_for([make_spec(i) for i in range(100)])
    with pytest.raises(UserError, match="at most 1,000,000 in all"):
        RunOptions(repeat=10_000).check_for([make_spec(0)] * 101)
