"""From a run's options to its replicas, which are on their way then."""

from __future__ import annotations

from collections.abc import Sequence

from eval.episode import EpisodeSpec
from eval.records.options import RunOptions
from eval.rollout.replicas.local import LocalTeam
from eval.rollout.replicas.messages import Setup
from eval.rollout.replicas.placement import Placement
from eval.rollout.replicas.team import Team


def open_team(options: RunOptions, plan: Sequence[EpisodeSpec], places: Sequence[Placement], folder: str | None) -> Team:
    """Start the replicas of a run.

    Args:
        options: how it is played.
        plan: the episodes.
        places: where replicas are on this machine; of no meaning with ``options.cluster``.
        folder: working folder of the run.

    Raises:
        UserError: the cluster cannot be used.
    """
    if options.cluster is not None:
        from eval.rollout.replicas.cluster import open_cluster  # Ray: a second to import

        return open_cluster(options, plan, folder)
    setups = [Setup(options, tuple(plan), place.card is not None, place.environment, beside=len(places)) for place in places]
    return LocalTeam([place.name for place in places], setups)
