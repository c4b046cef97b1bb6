"""Recording demonstrations: a run of the policy ``demonstrator`` whose frames are kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.options import Needs, Options, Rule
from eval.plan.leakage import refuse_leakage
from eval.records.options import PolicyArgument, RunOptions

POLICY = "demonstrator"


class Demonstration(Options):
    """Who shows what. The descriptions of the fields are the help texts of the command line."""

    rules: ClassVar[tuple[Rule, ...]] = (Needs("beta", ("learner",), "the expert plays every step"),)

    expert: str = Field(
        default="oracle", min_length=1, description="Policy whose actions are the labels at every step; default oracle."
    )
    learner: str | None = Field(
        default=None,
        min_length=1,
        description="Policy that acts while the expert provides the labels (DAgger); default: the expert acts.",
    )
    beta: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Probability at each step of executing the expert's action instead of the policy's; default 0.",
    )
    disturb: str = Field(
        default="0",
        description="Noise on executed actions, as a fraction of the hand's largest step: 0.15, or levels such as "
        "0,0.08,0.15, one per episode. The label remains the expert's action; default 0.",
    )
    allow_test_placements: bool = Field(
        default=False, description="Allow recording placements used for evaluation; the dataset is marked accordingly."
    )

    def run_options(self, options: RunOptions, learner_args: dict[str, str]) -> RunOptions:
        """How the run is played that records it; unless ``options`` say otherwise, failures are kept of a learner alone.

        Raises:
            UserError: options of a learner without one.
        """
        if self.learner is None and learner_args:
            raise UserError(f"{next(iter(learner_args))} has no effect without --policy: nobody learns here; leave it out.")
        args: dict[str, PolicyArgument] = {"expert": self.expert, "disturb": self.disturb}
        if self.learner is not None:
            args |= {"learner": self.learner, "beta": self.beta}
        if taken := sorted(learner_args.keys() & args.keys()):
            raise UserError(f"--policy-arg {taken[0]} is an option of record itself; give --{taken[0]}.")
        update: dict[str, object] = {"policy": POLICY, "policy_args": args | learner_args}
        if "keep" not in options.model_fields_set:
            update["keep"] = "successes" if self.learner is None else "all"
        return options.model_copy(update=update)

    def check(self, plan: Sequence[EpisodeSpec]) -> None:
        """Raises UserError for placements that policies are tested on, unless they are allowed."""
        if not self.allow_test_placements:
            refuse_leakage(plan)
