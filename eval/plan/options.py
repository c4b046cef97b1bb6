"""Which episodes to play, as one object: the same for the command line, the Python functions and the plan they make."""

from __future__ import annotations

from pydantic import Field

from eval.episode import EpisodeSpec
from eval.plan.shards import take_shard
from eval.plan.suites import make_plan
from task_configs.schema.parsing import StrictModel


class PlanOptions(StrictModel):
    """Which episodes. The descriptions of the fields are the help texts of the command line."""

    suites: tuple[str, ...] = Field(default=(), description="Suite by name, or the path of a suite file; may be repeated.")
    tasks: tuple[str, ...] = Field(
        default=(), description="Task by name, or the path of a task file, instead of a suite; may be repeated."
    )
    setting: str = Field(
        default="visual_matching",
        description="Which sweep of the tasks: visual_matching, prepackaged (seeded random scenes), ... see `list`.",
    )
    variants: tuple[str, ...] = Field(
        default=(), description="Only variants of the tasks that match, such as 'standing/*'; may be repeated."
    )
    seed: int | None = Field(default=None, description="Seed of the first prepackaged scene, and of --sample.")
    limit: int | None = Field(default=None, description="At most N episodes a task, evenly over the grid.")
    sample: float | None = Field(default=None, description="This share (0..1] of the grid, evenly, sampled by --seed.")
    max_steps: int | None = Field(default=None, description="Step limit instead of the task's own.")
    shard: str | None = Field(default=None, description="Only this part, such as 2/8; `report` puts the parts together.")

    def whole_plan(self) -> list[EpisodeSpec]:
        """All episodes, whatever the shard. Raises UserError as :func:`eval.plan.suites.make_plan` does."""
        return make_plan(
            self.suites,
            self.tasks,
            self.setting,
            variants=self.variants,
            seed=self.seed,
            limit=self.limit,
            sample=self.sample,
            max_steps=self.max_steps,
        )

    def plan(self) -> list[EpisodeSpec]:
        """The episodes of the shard, or all. Raises UserError as :func:`eval.plan.suites.make_plan` does."""
        whole = self.whole_plan()
        return whole if self.shard is None else take_shard(whole, self.shard)
