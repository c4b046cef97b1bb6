"""Numbers among a policy's options."""

from __future__ import annotations

import math

import pytest

from eval.errors import UserError
from policies.numbers import plain
from policies.registry import load_policy


@pytest.mark.parametrize(
    ("policy", "option", "values"),
    [
        ("oracle", "noise", ("nan", "-1", "1e300", "inf", "", "x", True)),
        ("oracle", "delay", ("1000000000000", "-1", "2.0", "nan", math.inf, True)),
        ("oracle", "seed", ("9" * 30, "1e3", 1.5)),
        ("oracle", "side", ("20", [0.1])),
        ("oracle", "release", ("2", "-0.1")),
        ("random", "seed", ("-1", "x", "1.5", "9" * 30)),
        ("random", "scale", ("nan", "-1", "x", "inf")),
        ("scripted_vision", "error", ("nan", "-1", "x", "1e9", "", None)),
    ],
)
def test_what_a_policy_cannot_use_is_one_line(policy, option, values):
    for value in values:
        with pytest.raises(UserError, match=f"^{option} is .*; .* takes .*{option}="):
            load_policy(policy, {option: value})


@pytest.mark.parametrize("policy", ["oracle", "random"])
def test_a_whole_number_that_is_only_too_large_is_told_so(policy):
    with pytest.raises(UserError, match=r"takes a whole number.*, at most 9223372036854775807"):
        load_policy(policy, {"seed": "9" * 30})
    with pytest.raises(UserError) as caught:
        load_policy(policy, {"seed": "x"})
    assert "at most" not in str(caught.value)


def test_a_title_never_says_another_number_than_was_given():
    assert [plain(value) for value in (3.0, 0.3, 1234567, 1234567.0, 0.30000001)] == [
        "3", "0.3", "1234567", "1234567.0", "0.30000001"
    ]  # fmt: skip
    assert load_policy("oracle", {"noise": "0.3", "seed": "1234567"}).describe().remarks == ("noise 0.3", "seed 1234567")
