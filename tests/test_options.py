"""Options as models: a value that cannot be used and an option without effect are one line each."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

import pytest
from pydantic import Field

from eval.errors import UserError
from eval.options import Excludes, Needs, Options, read_options, refuse_idle


class Some(Options):
    number: int | None = Field(default=None, ge=1, le=2**32)
    share: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    rule: Literal["last", "any"] = "last"
    text: str = Field(default="x", min_length=1)
    several: tuple[str, ...] = ()


def flag(name: str) -> str:
    return f"--{name}"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"number": 0}, "--number is 0; it must be at least 1."),
        ({"number": 2**32 + 1}, "--number is 4294967297; it must be at most 4294967296."),
        ({"share": 0}, "--share is 0; it must be more than 0."),
        ({"share": float("nan")}, "--share is nan; it must be a finite number."),
        ({"share": float("-inf")}, "--share is -inf; it must be a finite number."),
        ({"rule": "lst"}, '--rule cannot be "lst"; use last or any.'),
        ({"text": ""}, '--text is ""; it must not be empty.'),
        ({"number": "two"}, '--number: input should be a valid integer, got "two".'),
        ({"nummer": 2}, 'There is no option "nummer". Did you mean "number"?'),
        ({"several": object()}, "--several is <object object"),
    ],
)
def test_a_value_that_cannot_be_used_is_one_line(given: dict[str, object], said: str) -> None:
    with pytest.raises(UserError) as caught:
        read_options(Some, given, flag)
    assert said in str(caught.value)


def test_what_was_given_counts_as_set() -> None:
    options = read_options(Some, {"several": ["a"], "share": 1})
    assert options == Some(several=("a",))
    assert options.model_fields_set == {"several", "share"}


RULES = (
    Needs("fallback", ("assets", "packs"), "only a pack's file can be broken"),
    Excludes("resume", ("seed", "task"), "a run has its own"),
)


def refusal(given: set[str], silent: Collection[str] = ()) -> str | None:
    """What is said of an option that was given in vain."""
    try:
        refuse_idle(RULES, given, flag, silent)
    except UserError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"fallback"}, "--fallback has no effect without --assets or --packs: only a pack's file can be broken."),
        ({"resume", "seed"}, "--seed has no effect with --resume: a run has its own; leave it out."),
        ({"resume", "task", "seed"}, "--seed, --task have no effect with --resume: a run has its own; leave them out."),
    ],
)
def test_an_option_without_effect_is_one_line(given: set[str], said: str) -> None:
    assert refusal(given) == said


@pytest.mark.parametrize("given", [set(), {"fallback", "packs"}, {"seed", "task"}, {"resume", "fallback", "assets"}])
def test_an_option_with_an_effect_is_not_refused(given: set[str]) -> None:
    assert refusal(given) is None


def test_what_the_environment_says_is_never_in_vain() -> None:
    assert refusal({"fallback"}) is not None
    assert refusal({"fallback"}, silent={"assets"}) is None
    assert refusal({"resume", "seed"}) is not None
    assert refusal({"resume"}, silent={"seed"}) is None
