"""Several run folders as one: the shards of a plan, or runs of different tasks by the same policy."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.given import Texts, absolute, texts_of
from eval.nouns import counted, noun, times
from eval.options import read_options
from eval.plan.shards import parse_shard
from eval.records.folder import RUN_FILE, RunData, disk_errors, load_run, plan_hash
from eval.records.header import RunHeader, ShardRecord, WorldRecord
from eval.records.identity import place_of, refuse_another_episode, require_poolable
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.worlds import merge_worlds
from task_configs.schema.files import is_folder, is_missing


@dataclass(frozen=True)
class Merged:
    """Runs as one, and what the reader should know about how that came about."""

    data: RunData
    notes: tuple[str, ...]
    """Such as that two folders hold the same episodes."""


def load_runs(paths: Texts, partial: bool = False) -> RunData:
    """One run, or several as one, by their folders. Raises UserError where they do not belong together or a shard is absent.

    Warns of episodes that several folders hold; they are counted once.
    """
    runs = read_runs(paths)
    if not runs:
        raise UserError("No run is named; give the folder of one at least.")
    merged = merge_runs(runs, partial)
    for note in merged.notes:
        warnings.warn(note, stacklevel=2)
    return merged.data


def read_runs(paths: Texts) -> list[RunData]:
    """Every run by itself; a name may stand for several, as :func:`folders_of` says.

    Raises UserError where one cannot be read or is given twice.
    """
    runs = [load_run(folder) for path in texts_of(paths, "the folder of a run") for folder in folders_of(path)]
    if len({run.path.resolve() for run in runs}) < len(runs):
        raise UserError("The same run is given twice; name each folder once.")
    return runs


def folders_of(given: str) -> list[str]:
    """The run folders that a name stands for: itself, several with commas between them, or the runs that a folder holds.

    Raises UserError where nothing stands beside a comma.
    """
    if "," in given and not os.path.exists(absolute(given)):
        names = [name.strip() for name in given.split(",")]
        if not all(names):
            raise UserError(f'"{given}" names no folder beside a comma; give the folders of runs, separated by commas.')
        return [folder for name in names for folder in folders_of(name)]
    folder = Path(absolute(given))
    if is_folder(folder) and is_missing(folder / RUN_FILE):
        with disk_errors(folder):
            inside = [entry for entry in folder.iterdir() if not is_missing(entry / RUN_FILE)]
        if inside:
            return [str(entry) for entry in sorted(inside, key=_by_number)]
    return [given]


def _by_number(path: Path) -> list[tuple[int, str]]:
    """Order of names in which 10 comes after 9."""
    return [(int(digits or -1), text) for text, digits in re.findall(r"(\D*)(\d*)", path.name)]


def judged(run: RunData, success: str | None) -> RunData:
    """The run with another rule of success (last, any); None leaves its own. Raises UserError for any other word."""
    if success is None:
        return run
    rule = read_options(RunOptions, {"success": success}, lambda name: f"--{name}").success
    options = run.header.options.model_copy(update={"success": rule})
    return replace(run, header=run.header.model_copy(update={"options": options}))


def merge_groups(runs: Sequence[RunData], partial: bool = False) -> list[tuple[list[RunData], Merged]]:
    """Each group of :func:`group_runs` and what it is as one. Raises UserError as :func:`merge_runs`."""
    return [(group, merge_runs(group, partial, among=runs)) for group in group_runs(runs)]


def merge_runs(
    runs: Sequence[RunData], partial: bool = False, option: str = "--partial", among: Sequence[RunData] = ()
) -> Merged:
    """The union of runs of one policy; ``path`` is that of the first.

    What a run has that others have, too, is counted once; one that has nothing else is left out. ``option`` is how the
    caller's user writes ``partial``; ``among`` is all that the user named, where an absent shard may be that fits not.

    Raises UserError if policies, worlds or plans contradict each other, if two runs have different verdicts for an
    episode, or, unless ``partial``, if a shard of a plan is not among them.
    """
    for pair in itertools.combinations(runs, 2):  # two runs may share what the first lacks
        require_one_row(*pair)
    given = tuple(runs)
    records = _union_of_records(runs)
    rules = {run.header.options.success for run in runs}
    if len(rules) > 1:
        runs = [judged(run, "last") for run in runs]
    runs, notes = _needed(runs)
    if len(rules) > 1:
        notes.append(
            "some of the runs count success at any step, others at the last: counted is the last; "
            "choose with --success any or last"
        )
    if len(runs) == 1:
        return Merged(runs[0], tuple(notes))
    missing = _missing_shards(runs)
    if missing and not partial:
        raise UserError(_why_absent(missing[0], runs, among, option))
    plan = _union_of_plans(runs)
    twice = sum(len(run.plan) for run in runs) - len(plan)
    if twice:
        are, they_are = noun(twice, "is", "are"), noun(twice, "it is", "they are")
        notes.append(f"{counted(twice, 'episode')} {are} in several of the runs; {they_are} counted once")
    return Merged(RunData(runs[0].path, _header(runs, plan, missing), plan, records, given), tuple(notes))


def group_runs(runs: Sequence[RunData]) -> list[list[RunData]]:
    """Runs that may be counted as one number together, each group a row of a table; in the order of their first runs."""
    groups: list[list[RunData]] = []
    for run in runs:
        home = next((group for group in groups if all(_one_row(run, other) for other in group)), None)
        if home is None:
            groups.append([run])
        else:
            home.append(run)
    return groups


def require_one_row(a: RunData, b: RunData) -> None:
    """Whether two runs may be counted as one number. Raises UserError naming what stands against it."""
    require_poolable(a, b)
    if a.header.repeats != b.header.repeats:
        raise UserError(
            f"{a.path} plays its episodes {times(a.header.repeats)}, {b.path} {times(b.header.repeats)}; report them apart."
        )
    stand_ins = [_stand_ins(run) for run in (a, b)]
    if a.header.plan_hash == b.header.plan_hash and None not in stand_ins and stand_ins[0] != stand_ins[1]:
        raise UserError(f"{a.path} has stand-ins {stand_ins[0]!r}, {b.path} has {stand_ins[1]!r}; report them apart.")
    places = {place_of(spec): spec for spec in a.plan}
    for spec in b.plan:
        refuse_another_episode(places.get(place_of(spec), spec), spec, a.path, b.path)


def _stand_ins(run: RunData) -> list[str] | None:
    """Where nothing better is known of the files that were loaded: those for which there were stand-ins."""
    assets = run.header.world.assets if run.header.world else None
    if run.header.identity.assets is not None or assets is None or assets.stand_ins is None:
        return None
    return sorted(assets.stand_ins)


def _one_row(a: RunData, b: RunData) -> bool:
    try:
        require_one_row(a, b)
    except UserError:
        return False
    return True


def _needed(runs: Sequence[RunData]) -> tuple[list[RunData], list[str]]:
    """Without the runs all of which others have, such as copies and shards of a whole run; and a note for each of those."""
    left = list(runs)
    notes = []
    for _, run in sorted(enumerate(runs), key=lambda pair: (len(pair[1].plan), -pair[0])):  # of two equal ones the first stays
        others = [other for other in left if other is not run]
        holders = [other for other in others if {spec.id for spec in run.plan} & {spec.id for spec in other.plan}]
        planned = {spec.id for other in holders for spec in other.plan}
        judged = {key for other in holders for key, record in other.records.items() if record.status != "errored"}
        known = {key for other in holders for key in other.records}
        adds = any(key not in (known if record.status == "errored" else judged) for key, record in run.records.items())
        if holders and not adds and all(spec.id in planned for spec in run.plan):
            left = others
            where = " and ".join(str(other.path) for other in holders)
            hold, episodes = noun(len(holders), "holds", "hold"), counted(len(run.plan), "episode")
            they_are = noun(len(run.plan), "it is", "they are")
            notes.append(f"{run.path}: {where} {hold} all of its {episodes}, too; {they_are} counted once")
    return left, notes


def _union_of_plans(runs: Sequence[RunData]) -> tuple[EpisodeSpec, ...]:
    """Every episode once; all shards of one plan are that plan again, in its order."""
    if whole := _whole(runs):
        order = sorted(runs, key=lambda run: parse_shard(run.header.shard.shard)[0] if run.header.shard else 0)
        turns = itertools.zip_longest(*(run.plan for run in order))
        plan = tuple(spec for turn in turns for spec in turn if spec is not None)
        if plan_hash(plan) == whole.plan_hash:
            return plan
    return tuple({spec.id: spec for run in runs for spec in run.plan}.values())


def _whole(runs: Sequence[RunData]) -> ShardRecord | None:
    """What the shards of one plan say of it; None where the runs are anything else."""
    shards = [run.header.shard for run in runs]
    return shards[0] if shards[0] and len({shard and shard.plan_hash for shard in shards}) == 1 else None


def _union_of_records(runs: Iterable[RunData]) -> dict[RecordKey, EpisodeRecord]:
    """A verdict counts more than an error; two different verdicts contradict each other."""
    union: dict[RecordKey, tuple[EpisodeRecord, Path]] = {}
    for run in runs:
        for key, record in run.records.items():
            before, path = union.setdefault(key, (record, run.path))
            if before.status == "errored":
                union[key] = record, run.path
            elif record.status not in (before.status, "errored"):
                raise UserError(
                    f"Episode {record.id} ({record.task} {record.variant}) is a {before.status} in {path} and a "
                    f"{record.status} in {run.path}; report one of them (a policy that draws is played with run --repeat N)."
                )
    return {key: record for key, (record, _) in union.items()}


class _Absent(NamedTuple):
    """A shard that no run is."""

    whole: str
    """Hash of the plan."""
    number: int
    of: int
    episodes: int

    def __str__(self) -> str:
        return f"Shard {self.number}/{self.of} of the plan of {counted(self.episodes, 'episode')}"


def _why_absent(shard: _Absent, runs: Sequence[RunData], among: Sequence[RunData], option: str) -> str:
    """Whether the user forgot it, or it cannot be counted with the others, and why."""
    for run in among:
        its = run.header.shard
        if its and its.plan_hash == shard.whole and parse_shard(its.shard) == (shard.number, shard.of):
            try:
                require_one_row(runs[0], run)
            except UserError as error:
                reason = str(error).removesuffix("; report them apart.")
                return f"{shard} is absent: {run.path} is that shard, but {reason}; add one that fits, or give {option}."
    return f"{shard} is not among the runs; add its folder, or take what there is with {option}."


def _missing_shards(runs: Sequence[RunData]) -> list[_Absent]:
    """Shards that no run is, of every plan of which one is here; none where other runs have their episodes."""
    seen: dict[tuple[str, int], set[int]] = {}
    sizes: dict[str, int] = {}
    episodes: dict[str, set[str]] = {}
    for run in runs:
        whole = run.header.shard.plan_hash if run.header.shard else run.header.plan_hash
        episodes.setdefault(whole, set()).update(spec.id for spec in run.plan)
        if shard := run.header.shard:
            number, of = parse_shard(shard.shard)
            seen.setdefault((whole, of), set()).add(number)
            sizes[whole] = shard.episodes
    return [
        _Absent(whole, number, of, sizes[whole])
        for (whole, of), numbers in seen.items()
        for number in range(1, of + 1)
        if number not in numbers and len(episodes[whole]) < sizes[whole]
    ]


def _header(runs: Sequence[RunData], plan: Sequence[EpisodeSpec], missing: Sequence[_Absent]) -> RunHeader:
    """``run.json`` of the union; ``merged`` is what its title must say.

    Its identity is that of a run of all episodes, as far as the parts tell: files of the whole plan, all user tasks, the
    rendering of whichever part had one.
    """
    sessions = tuple(session for run in runs for session in run.header.sessions)
    commits = {session.git.commit[:7] for session in sessions if session.git}
    merged = [f"{len(runs)} runs together", *map(str, missing)]
    if len(commits) > 1:
        merged.append(f"of different versions {', '.join(sorted(commits))}")
    identities = [run.header.identity for run in runs]
    world = identities[0].world.model_copy(
        update={"rendering": next((one.world.rendering for one in identities if one.world.rendering), None)}
    )
    whole = _whole(runs)
    files = whole.assets if whole and not missing else identities[0].assets
    tasks = {name: digest for one in identities for name, digest in one.tasks.items()}
    return runs[0].header.model_copy(
        update={
            "identity": identities[0].model_copy(update={"world": world, "assets": files, "tasks": tasks}),
            "world": world_of(runs),
            "sessions": sessions,
            "merged": tuple(merged),
            "shard": None,
            "plan_hash": plan_hash(plan),
            "episodes": len(plan),
            "seeds": tuple(sorted({spec.seed for spec in plan})),
        }
    )


def world_of(runs: Iterable[RunData]) -> WorldRecord | None:
    """What the worlds of several runs used; None where none is recorded."""
    world: WorldRecord | None = None
    for run in runs:
        if run.header.world is not None:
            world = merge_worlds(world, run.header.world)
    return world
