"""Which episodes an audit plays."""

from __future__ import annotations

from eval.audit.playing import ASKED_AGAIN, Plans
from eval.plan.options import PlanOptions


def audit_plans(chosen: PlanOptions, count: int) -> Plans:
    """``count`` published and as many held-out episodes of each task, and the first steps that are asked for again.

    Raises UserError as :func:`eval.plan.suites.make_plan`.
    """
    some = chosen.model_copy(update={"limit": count})
    heldout = some.model_copy(update={"placements": "heldout"})
    first = chosen.model_copy(update={"limit": count, "max_steps": 1})
    return Plans(some.plan(), heldout.plan(), first.plan()[:ASKED_AGAIN])
