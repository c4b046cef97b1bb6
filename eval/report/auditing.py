"""``simpler_eval.audit``: a policy in, what its success rests on out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Literal, TypedDict, Unpack

from eval.audit.findings import Audit, find
from eval.audit.plans import audit_plans, fewer_than
from eval.audit.playing import play_conditions
from eval.audit.published_rows import PublishedCell, published_pairs
from eval.errors import UserError, did_you_mean
from eval.given import Text, Texts, absolute, number_of, text_of
from eval.plan.options import PlanOptions, plan_options
from eval.records.options import PolicyArgument, RunOptions
from eval.rollout.arguments import options_of
from eval.rollout.run import check_run, default_out
from policies.base import Policy

DEFAULT_TASKS = ("google_robot_pick_coke_can", "widowx_carrot_on_plate")
DEFAULT_COUNT = 24
DEFAULT_MARGIN = 10.0
OWN = ("policy", "suite", "tasks", "setting", "variants", "max_steps", "count", "margin", "out", "tell")
"""Keywords of :func:`audit` that are no option of a run."""


class AuditKeywords(TypedDict, total=False):
    """Fields of :class:`RunOptions` as keywords of :func:`audit`."""

    policy_args: Mapping[str, PolicyArgument | Path] | None
    assets: Texts | None
    assets_fallback: bool
    world: Text | ModuleType
    world_python: Text | None
    rt: str
    render_device: str | None
    workers: int | None
    per_worker: int | None
    batch: int | None
    watchdog: float
    stop_after: int
    success: Literal["last", "any"]
    retry_errored: bool


@dataclass(frozen=True)
class Audited:
    """What an audit found, and where it lies."""

    audit: Audit
    """``audit.findings``: an answer a question."""
    published: tuple[PublishedCell, ...]
    """Which published numbers of these tasks differ by more than noise."""
    folder: Path
    page: Path

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answers, a sentence a question."""
        return tuple(f"{finding.condition.asks} {finding.sentence}" for finding in self.audit.findings)

    @property
    def errored(self) -> int:
        """Episodes without a verdict; the same call with the same folder and ``retry_errored`` plays them again."""
        runs = self.audit.played.runs.values()
        return sum(record.status == "errored" for run in runs for record in run.records.values())


def audit(
    policy: Text | Policy,
    *,
    suite: Texts | None = None,
    tasks: Texts | None = None,
    setting: str | None = None,
    variants: Texts = (),
    max_steps: int | None = None,
    count: int = DEFAULT_COUNT,
    margin: float = DEFAULT_MARGIN,
    out: Text | None = None,
    tell: Callable[[str], None] | None = None,
    **options: Unpack[AuditKeywords],
) -> Audited:
    """Check what a policy's success rests on: does it use the image and the instruction, or has it memorised the grid?

    Args:
        policy: a name, or an object (which the caller closes), as of ``simpler_eval.run``.
        suite: as of ``simpler_eval.make_plan``, and so ``tasks``, ``setting``, ``variants`` and ``max_steps``; without suite
            and tasks the coke can and the carrot.
        tasks: see ``suite``.
        setting: see ``suite``.
        variants: see ``suite``.
        max_steps: see ``suite``.
        count: episodes of a task under each condition, 2 or more.
        margin: fall of success, in points, below which a condition makes no difference; 0.1 to 100.
        out: folder of the audit; the same one continues. None: a new one under results/.
        tell: told what is played now.
        options: keywords of ``simpler_eval.run`` that say how it is played.

    Returns:
        The findings; ``page`` is written.

    Raises:
        UserError: an option that cannot be used, or the policy failed again and again. ``KeyboardInterrupt`` passes through;
            what was played is kept.
    """
    for name in options:
        if name not in AuditKeywords.__annotations__:
            raise UserError(f'audit() has no keyword "{name}".{did_you_mean(name, [*AuditKeywords.__annotations__, *OWN])}')
    count, margin = number_of(count), number_of(margin)
    if isinstance(count, bool) or not isinstance(count, int) or count < 2:
        raise UserError(f"count is {count!r}; give a whole number of episodes a task, 2 or more.")
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0.1 <= margin <= 100:
        raise UserError(f"margin is {margin!r}; give points of success, 0.1 to 100.")
    chosen = plan_options(suite, tasks, variants, {"setting": setting, "max_steps": max_steps})
    played, player = options_of(policy, options)
    folder = None if out is None else Path(absolute(text_of(out, "out")))
    return audit_by(chosen, played, count, margin, folder, player, tell)


def audit_by(
    chosen: PlanOptions,
    options: RunOptions,
    count: int,
    margin: float,
    out: Path | None,
    player: Policy | None = None,
    tell: Callable[[str], None] | None = None,
    go_on: str | None = None,
) -> Audited:
    """:func:`audit` with its options as objects.

    ``player`` None: the policy is made of ``options``, and closed afterwards. ``go_on``: what to do to go on, as the caller's
    user would do it; None: as a program would.
    """
    if not (chosen.suites or chosen.tasks):
        chosen = chosen.model_copy(update={"tasks": DEFAULT_TASKS})
    plans = audit_plans(chosen, count)
    options.check_for(plans.published)
    folder = out or default_out(f"audit-{options.policy}")
    if tell is not None:
        for line in fewer_than(plans.published, count):
            tell(line)
    if player is None:
        check_run(plans.published, options)
    played = play_conditions(plans, options, folder, player, tell, go_on)
    found, cells = find(played, margin / 100), published_pairs(plans.published)
    from eval.report.audit_page import write_audit  # jinja2: after what may take hours has begun

    return Audited(found, cells, folder, write_audit(folder, found, cells))
