"""What passes a gate, what is stopped, and what cannot be told."""

from __future__ import annotations

import json

import numpy as np
import pytest

from eval.comparison.comparison import compare_runs
from eval.comparison.counts import Paired
from eval.comparison.gate import Gate, Outcome, gate_of
from eval.plan.suites import make_plan


@pytest.fixture
def gate(cli, play, plan):
    """``gate(baseline, run, margin)`` with their ends: (code, stdout, stderr)."""

    def gate(baseline, run, margin=3, *more):
        a, b = play("a", plan, baseline), play("b", plan, run, policy="oracle")
        return cli("gate", b.path, "--baseline", a.path, "--margin", margin, *more)

    return gate


def test_a_clear_gain_passes(gate):
    code, out, err = gate("f" * 24 + "s" * 24, "s" * 48)
    assert (code, err) == (0, "")
    assert out.startswith("PASS: oracle is shown not worse than random by 3 points: +50.0 points (")
    assert len(out.splitlines()) == 1


def test_a_clear_loss_is_worse(gate):
    code, out, _ = gate("s" * 48, "s" * 30 + "f" * 18)
    assert code == 1
    assert out.startswith("WORSE: oracle is shown worse than random")


def test_too_few_cannot_tell_and_say_how_many_would(gate):
    code, out, _ = gate("s" * 48, "s" * 47 + "f", 3, "--json")
    assert code == 3
    content = json.loads(out)
    assert content["outcome"] == "untold"
    assert content["line"].startswith("CANNOT TELL whether oracle is worse than random by 3 points: -2.1 points (")
    assert f"about {content['more_initial_states']} more initial states" in content["line"]
    assert content["initial_states"] == 48


@pytest.mark.parametrize("ends", ["s" * 47 + "e", "s" * 20 + "-" * 28, "f" * 40 + "-" * 8])
def test_nothing_is_told_while_episodes_have_no_verdict(gate, ends):
    code, out, _ = gate("s" * 48, ends, margin=30)
    assert code == 3
    assert "play what is left out first (simpler-eval run --resume RUN --retry-errored)" in out


def test_a_loss_within_the_margin_passes(gate):
    """Shown worse, and shown to be within the margin: what the margin is for."""
    assert gate("s" * 48, "s" * 43 + "f" * 5, margin=30)[0] == 0
    assert gate("s" * 48, "s" * 43 + "f" * 5, margin=3)[0] == 1


@pytest.mark.parametrize("margin", ["-1", "100", "nan", "x"])
def test_a_margin_that_is_none_is_bad_input(gate, margin):
    code, _, err = gate("s" * 48, "s" * 48, margin)
    assert code == 2
    assert len(err.splitlines()) == 1


def counted(rng, n, lost, won):
    only_a, only_b, _ = (int(k) for k in rng.multinomial(n, [lost, won, 1 - lost - won]))
    sums = (1,) * only_b + (-1,) * only_a + (0,) * (n - only_a - only_b)
    return Paired("all", n, 0, only_a, only_b, sums, (1,) * n)


def judged(paired, margin):
    low, high = paired.interval(0.9)
    return Outcome.NOT_WORSE if low > -margin else Outcome.WORSE if high < 0 else Outcome.UNTOLD


def test_neither_statement_is_false_more_than_5_times_in_100():
    rng = np.random.default_rng(1)
    at_margin = [judged(counted(rng, 300, 0.13, 0.10), 0.03) for _ in range(300)]
    assert at_margin.count(Outcome.NOT_WORSE) / 300 <= 0.08
    equal = [judged(counted(rng, 300, 0.1, 0.1), 0.03) for _ in range(300)]
    assert equal.count(Outcome.WORSE) / 300 <= 0.08


def test_with_as_many_more_states_as_it_says_4_of_5_gates_tell(play):
    few = make_plan(tasks=["widowx_carrot_on_plate"], limit=2)
    comparison = compare_runs([play("a", few), play("b", few, policy="oracle")])
    assert gate_of(comparison, 3).outcome is Outcome.UNTOLD
    rng = np.random.default_rng(2)
    example = Paired("all", 300, 0, 30, 30, (1,) * 30 + (-1,) * 30 + (0,) * 240, (1,) * 300)

    class Fixed(Gate):
        paired = example

    more = Fixed(comparison, 0.03, Outcome.UNTOLD).more_states
    assert more is not None
    told = [judged(counted(rng, 300 + more, 0.1, 0.1), 0.03) is not Outcome.UNTOLD for _ in range(200)]
    assert np.mean(told) == pytest.approx(0.8, abs=0.09)
