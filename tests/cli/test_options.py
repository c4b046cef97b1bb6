"""A model becomes the options of a verb: names, help texts and what counts as given."""

from __future__ import annotations

from typing import Annotated

import click
import pytest
import typer
from pydantic import Field
from typer.testing import CliRunner

from eval.cli.options import AllBut, ModelOptions, Only, expand_options
from eval.errors import UserError
from eval.plan.options import PlanOptions
from eval.records.options import RunOptions
from eval.rollout.run import RunKeywords
from task_configs.schema.parsing import StrictModel


class Small(StrictModel):
    tasks: tuple[str, ...] = Field(default=(), description="Which task.")
    seed: int | None = Field(default=None, description="Which seed.")
    world: str = Field(default="ours", description="Where it is played.")
    share: float = Field(default=0.5, description="How much of it; default 0.5.")
    partial: bool = Field(default=False, description="Whether a part will do.")


def called(annotation, *arguments):
    """The options that an annotated verb gets."""
    got = []

    def verb(options, other: str = "x") -> None:
        got.append((options, other))

    verb.__annotations__["options"] = annotation
    app = typer.Typer(rich_markup_mode=None)
    app.command()(expand_options(verb))
    result = CliRunner().invoke(app, list(arguments))
    assert result.exit_code == 0, result.output
    return got[0] if got else result.output


def test_what_was_given_differs_from_a_default():
    options, other = called(Small)
    assert (options, options.model_fields_set, other) == (Small(), set(), "x")
    options, other = called(Small, "--task", "a", "--task", "b", "--seed", "0", "--world", "ours", "--partial", "--other", "y")
    assert options == Small(tasks=("a", "b"), seed=0, partial=True)
    assert options.model_fields_set == {"tasks", "seed", "world", "partial"}
    assert other == "y"


def test_the_help_is_that_of_the_fields():
    text = " ".join(click.unstyle(called(Small, "--help")).split())
    shown = "Where it is played. [default: ours]"
    for words in ("--task", "Which task.", "Which seed.", shown, "How much of it; default 0.5."):
        assert words in text
    assert "Else where." in called(Annotated[Small, Only(("world",), {"world": "Else where."})], "--help")


def test_a_verb_chooses_among_the_fields():
    assert "--seed" not in called(Annotated[Small, Only(("world",))], "--help")
    assert "--seed" not in called(Annotated[Small, AllBut(("seed",))], "--help")
    assert called(Annotated[Small, Only(("world",))], "--world", "w")[0] == Small(world="w")


def test_named_options_of_a_model_are_arguments_of_the_policy():
    options = ModelOptions(policy_args=("x=1=2",), checkpoint="b", dtype="float32", unnorm_keys=("widowx=k", "google_robot=m"))
    expected = {"checkpoint": "b", "x": "1=2", "dtype": "float32", "unnorm_key": "widowx=k,google_robot=m"}
    assert options.args() == expected
    with pytest.raises(UserError, match="is not NAME=VALUE"):
        ModelOptions(policy_args=("nonsense",)).args()


def test_an_argument_of_the_policy_that_is_given_twice_is_refused():
    with pytest.raises(UserError, match=r"--policy-arg checkpoint=\.\.\. and --checkpoint are the same option"):
        ModelOptions(policy_args=("checkpoint=a",), checkpoint="b").args()
    with pytest.raises(UserError, match="--policy-arg x is given twice"):
        ModelOptions(policy_args=("x=1", "x=2")).args()


def test_every_field_has_a_help_text_and_the_python_function_the_same_names():
    for model in (PlanOptions, RunOptions, ModelOptions):
        assert all(info.description for info in model.model_fields.values())
    assert set(RunKeywords.__annotations__) == set(RunOptions.model_fields) - {"policy"}


def test_a_further_session_keeps_what_is_not_given_and_what_may_not_change():
    first = RunOptions(policy="mine", assets="/pack", workers=3, video="all", retry_errored=True)
    second = first.continued(RunOptions(workers=5, assets="/other", partial=True))
    expected = {"policy": "mine", "assets": "/pack", "workers": 5, "video": "all", "retry_errored": False, "partial": True}
    assert second == RunOptions(**expected)


def test_a_further_session_may_be_played_elsewhere():
    first = RunOptions(gpus=4, replicas=8, workers=3)
    assert first.continued(RunOptions(workers=5)) == RunOptions(gpus=4, replicas=8, workers=5)
    assert first.continued(RunOptions(gpus=2)) == RunOptions(gpus=2, workers=3)
    assert first.continued(RunOptions(cluster="local")) == RunOptions(cluster="local", workers=3)
    assert RunOptions(cluster="local").continued(RunOptions(render_device="cpu")) == RunOptions(render_device="cpu")
