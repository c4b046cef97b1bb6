"""What is refused before a run begins: first whatever the user can have mistyped, then packages that are missing."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.folder import refuse_strangers
from eval.records.options import RunOptions
from eval.records.videos import VideoRule
from eval.rollout.recordings import check_length, check_recording
from eval.sinks.base import check_sink
from policies.base import Policy
from policies.registry import check_policy


def check_words(
    plan: Sequence[EpisodeSpec],
    options: RunOptions,
    player: Policy | None,
    out: Path | None,
    later: Collection[str] | None = None,
) -> None:
    """That a plan, the options and the folder can be used, as far as this is known before anything is made.

    Args:
        plan: the episodes.
        options: how they are played.
        player: the policy, if it is made already.
        out: folder of the run; None: a new one.
        later: names of options of the policy whose values are not known yet; None: all are.

    Raises:
        UserError: one of them cannot.
    """
    if not plan:
        raise UserError("The plan has no episodes; loosen --task, --suite, --limit or --sample.")
    VideoRule.parse(options.video)
    check_length(options, plan)
    if options.cluster is not None:
        from eval.rollout.replicas.cluster import check_address

        check_address(options.cluster)
    if player is None:
        check_policy(options.policy, options.policy_args, later or (), own=later is not None)
    if out is not None:
        refuse_strangers(out)


def check_packages(options: RunOptions) -> None:
    """That what the options ask for is installed. Raises UserError, which names the package."""
    if options.report_to != "none":
        check_sink(options.report_to)
    check_recording(options)
    if options.cluster is not None:
        from eval.rollout.replicas.cluster import check_installed

        check_installed()
