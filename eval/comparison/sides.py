"""The sides of a comparison, as users write them: a run, or the parts of one, which count as one just as in a report."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence

from eval.errors import UserError
from eval.given import Texts, texts_of
from eval.plan.shards import parse_shard
from eval.records.folder import RunData, know_tasks
from eval.records.merging import folders_of, group_runs, judged, merge_runs, read_runs


def read_sides(given: Sequence[Texts], success: str | None = None, common: bool = False) -> list[RunData]:
    """What is compared, a run a side, those of several parts merged as :func:`eval.records.merging.merge_runs` does.

    A side is the folder of a run, folders with commas between them, a folder that holds the parts, or (in Python) a sequence
    of folders. Shards of one plan that stand each by itself are put together, as a report does: they have no episode in
    common that could be compared.

    Args:
        given: the sides.
        success: another rule of success; None leaves each run its own.
        common: episodes that one side lacks are left out, so a side may lack shards.

    Raises:
        UserError: a run cannot be read or is given twice, parts do not belong together, a shard is absent or is there twice.
    """
    named = [texts_of(side, "a side of a comparison") for side in given]
    folders = [[folder for name in names for folder in folders_of(name)] for names in named]
    runs = iter([judged(run, success) for run in read_runs([folder for side in folders for folder in side])])
    sides = [list(itertools.islice(runs, len(side))) for side in folders]
    if not all(sides):
        raise UserError("A side of the comparison names no run; give the folder of one.")
    for run in (run for side in sides for run in side):
        know_tasks(run.path)
    whole = _together(sides)
    merged = [merge_runs(side, common, "--common") for side in whole]
    for note in (note for side in merged for note in side.notes):
        warnings.warn(note, stacklevel=2)
    if len(whole) == 1 and len(sides) > 1:
        raise UserError(
            f"{', '.join(str(run.path) for run in whole[0])} are the shards of one run; name what it is compared with, too."
        )
    return [side.data for side in merged]


def _together(sides: Sequence[list[RunData]]) -> list[list[RunData]]:
    """The sides, with shards of one plan by the same policy that stand alone put together where the first of them stands."""
    single = [side[0] for side in sides if len(side) == 1 and side[0].header.shard is not None]
    grown: dict[int, list[RunData]] = {}
    joined: set[int] = set()
    for group in group_runs(single):
        for plan in dict.fromkeys(_plan_of(run) for run in group):
            shards = [run for run in group if _plan_of(run) == plan]
            numbers = [_number_of(run) for run in shards]
            if len({*numbers}) == 1:
                continue  # one shard, or the same one played again: each is a side
            if twice := next((run for run in shards if numbers.count(_number_of(run)) > 1), None):
                pair = [str(run.path) for run in shards if _number_of(run) == _number_of(twice)]
                raise UserError(
                    f"{' and '.join(pair)} are both shard {_number_of(twice)} of one plan by the same policy; write which "
                    "shards are one side with commas: A1,A2 B1,B2."
                )
            grown[id(shards[0])] = shards
            joined.update(id(run) for run in shards[1:])
    return [grown.get(id(side[0]), side) for side in sides if id(side[0]) not in joined]


def _plan_of(run: RunData) -> tuple[str, int]:
    shard = run.header.shard
    return ("", 0) if shard is None else (shard.plan_hash, parse_shard(shard.shard)[1])


def _number_of(run: RunData) -> str:
    return "" if run.header.shard is None else run.header.shard.shard
