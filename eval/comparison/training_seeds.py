"""Runs of policies that were trained with several seeds in two ways: what the way changes."""

from __future__ import annotations

from collections.abc import Sequence

from eval.comparison.pairs import pair_runs
from eval.errors import UserError
from eval.records.folder import RunData
from eval.records.tallies import JUDGES
from eval.statistics.seeds import SeedEffect, effect_over_seeds


def compare_trainings(with_it: Sequence[RunData], without: Sequence[RunData]) -> SeedEffect:
    """The effect of a way of training, paired by placement and clustered by training seed.

    Args:
        with_it: a run of each seed's policy that was trained that way.
        without: the same for those trained otherwise, in the order of the same seeds.

    Raises:
        UserError: other than as many runs on both sides, fewer than two, or runs that cannot be compared. Placements that
            errored or lack in one of the runs are left out of all.
    """
    if len(with_it) != len(without) or len(with_it) < 2:
        raise UserError(
            f"Give as many runs with as without, of two training seeds or more; these are {len(with_it)} and {len(without)}."
        )
    rows: list[tuple[dict[tuple[str, int], bool], dict[tuple[str, int], bool]]] = []
    for one, other in zip(with_it, without, strict=True):
        judge = JUDGES[one.header.options.success]
        pairs = pair_runs(one, other).pairs
        keys = [(pair.spec.id, pair.repeat) for pair in pairs]
        rows.append(
            (
                dict(zip(keys, (judge(pair.reference) for pair in pairs), strict=True)),
                dict(zip(keys, (judge(pair.other) for pair in pairs), strict=True)),
            )
        )
    shared = [key for key in rows[0][0] if all(key in ours for ours, _ in rows)]
    if not shared:
        raise UserError("The runs of different training seeds have no placement in common; play all with the same options.")
    return effect_over_seeds(
        [[ours[key] for key in shared] for ours, _ in rows], [[theirs[key] for key in shared] for _, theirs in rows]
    )
