"""Which episodes to play, as one object: the same for the command line, the Python functions and the plan they make."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from eval.episode import PlacementSet
from eval.errors import UserError
from eval.given import Texts, number_of, texts_of
from eval.options import Excludes, Needs, Options, Rule, read_options, refuse_idle

if TYPE_CHECKING:
    from eval.episode import EpisodeSpec
    from eval.plan.axes import PlannedEpisode

DEFAULT_SETTING = "visual_matching"


class PlanOptions(Options):
    """Which episodes. The descriptions of the fields are the help texts of the command line."""

    rules: ClassVar[tuple[Rule, ...]] = (
        Excludes("suites", ("tasks",), "give either a suite or tasks, a suite names its own"),
        Needs("setting", ("tasks",), "a suite says itself which settings it plays"),
        Needs("variants", ("tasks",), "a suite says itself which variants it plays; give tasks with them"),
        Needs("count", ("placements",), "a published grid has the size it has; give --placements heldout or train"),
    )

    suites: tuple[str, ...] = Field(default=(), description="Name of a suite, or path of a suite file; may be repeated.")
    tasks: tuple[str, ...] = Field(
        default=(),
        description="Name of a task, environment id of the original, or path of a task file, instead of a suite; may be "
        "repeated.",
    )
    setting: str | None = Field(
        default=None,
        description="Sweep of the tasks: visual_matching (default), prepackaged (seeded random scenes), ... see `list`.",
    )
    variants: tuple[str, ...] = Field(
        default=(), description="Only variants that match this pattern, such as 'standing/*'; may be repeated."
    )
    placements: PlacementSet = Field(
        default="published",
        description="Initial states: published (default), heldout (between the published ones) or train (separate from "
        "both); shown in every title.",
    )
    count: int | None = Field(
        default=None,
        ge=1,
        le=100_000,
        description="N initial states per variant for heldout or train placements; default: the published number.",
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        le=2**32 - 1,
        description="Seed of the first prepackaged scene, index of the first heldout or train state, and seed of --sample.",
    )
    limit: int | None = Field(default=None, ge=1, description="At most N episodes per task, spread evenly over the grid.")
    sample: float | None = Field(
        default=None,
        gt=0,
        le=1,
        allow_inf_nan=False,
        description="This fraction (0..1] of the grid, spread evenly, sampled with --seed.",
    )
    max_steps: int | None = Field(default=None, ge=1, le=100_000, description="Step limit; default: the task's own.")
    shard: str | None = Field(default=None, description="Run only this part, such as 2/8; `report` merges the parts.")

    def chosen(self) -> list[PlannedEpisode]:
        """The episodes of the shard, or all, before they are built. Raises UserError as :func:`eval.plan.suites.make_plan`."""
        from eval.plan.shards import take_shard
        from eval.plan.suites import choose_episodes

        whole = choose_episodes(self)
        return whole if self.shard is None else take_shard(whole, self.shard)

    def whole_plan(self) -> list[EpisodeSpec]:
        """All episodes, whatever the shard. Raises UserError as :func:`eval.plan.suites.make_plan` does."""
        return self.model_copy(update={"shard": None}).plan()

    def plan(self) -> list[EpisodeSpec]:
        """The episodes of the shard, or all. Raises UserError as :func:`eval.plan.suites.make_plan` does."""
        from eval.plan.axes import built

        return built(self.chosen())


def plan_options(suite: Texts | None, tasks: Texts | None, variants: Texts, others: Mapping[str, object]) -> PlanOptions:
    """The options of a plan, as a program gives them.

    Args:
        suite: one or several; None: not given.
        tasks: one or several; None: not given.
        variants: one or several patterns, or none.
        others: by field; None: not given.

    Raises:
        UserError: a value that cannot be used, or an option that has no effect. So is a list of nothing to play: it is what a
            search found, not the wish for the default.
    """
    texts = {name: texts_of(given, name) for name, given in (("suite", suite), ("tasks", tasks), ("variants", variants))}
    empty = [name for name, given in (("suite", suite), ("tasks", tasks)) if given is not None and not texts[name]]
    if empty and not texts["suite"] and not texts["tasks"]:
        raise UserError(f"{empty[0]} is empty, so there is nothing to play; name one at least, or leave it out.")
    texts["suites"] = texts.pop("suite")
    known: dict[str, object] = {name: number_of(value) for name, value in others.items() if value is not None}
    known |= {name: value for name, value in texts.items() if value}
    refuse_idle(PlanOptions.rules, known)
    return read_options(PlanOptions, known)
