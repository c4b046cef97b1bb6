"""One episode of a run once more, from the actions that the run kept: does the world do the same again?"""

from __future__ import annotations

import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from eval.backends.selection import OWN
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.given import Text
from eval.nouns import counted
from eval.records.folder import RunData, disk_errors, know_tasks, load_run
from eval.records.labels import player_name
from eval.records.moments import Difference, first_difference, read_states
from eval.records.options import RunOptions
from eval.records.provenance import provenance
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import Turn
from eval.rollout.closing import Closing
from eval.rollout.kept_actions import FOLDER as ACTIONS
from eval.rollout.play import info_of
from eval.rollout.run import Session, play
from policies.registry import load_policy

VIDEOS = "replays"
"""Folder in a run for videos of replays; the run's own stay as they are."""
DECIDING = ("simpler-eval", "sapien", "ruckig", "numpy", "scipy")
"""Packages whose version may decide a bit of what a world computes."""
ENDS = ("status", "steps", "success_any", "first_success_step", "instruction", "episode_stats")
"""What of two records is compared."""


@dataclass(frozen=True)
class Replayed:
    """What became of an episode that was played again."""

    name: str
    """``<id>``, or ``<id>-r<k>``."""
    spec: EpisodeSpec
    kept: EpisodeRecord
    now: EpisodeRecord
    states: int | None
    """That were compared; None: the run kept none, only the ends were compared."""
    surroundings: bool
    """Whether they tell where the objects are."""
    difference: Difference | None
    """Where the states part."""
    ends: tuple[str, ...]
    """How the two ends differ, as texts."""
    elsewhere: tuple[str, ...]
    """What is otherwise here than where the run was played, as texts."""
    video: Path | None

    @property
    def same(self) -> bool:
        """Whether nothing that was compared differs."""
        return self.difference is None and not self.ends


def replay(
    run: Text, episode: str, video: bool = False, assets: str | None = None, render_device: str | None = None
) -> Replayed:
    """Play an episode of a run again, from the actions that the run kept, with the run's own options.

    Nothing is rendered without ``video``: images decide nothing of what a world does.

    Args:
        run: its folder.
        episode: as of :func:`find_episode`.
        video: make a video of it, in the run's folder.
        assets: where the files of the run lie here, as ``--assets``; None: where they lay.
        render_device: what renders the video; None: what rendered the run.

    Raises:
        UserError: there is no such episode, no actions of it were kept, or the world cannot be reached here.
    """
    data = load_run(run)
    if data.header.schema_version == 1:
        raise UserError(
            f"{data.path} holds a run of version 0.1, which did not keep all that decides an episode; it cannot be replayed."
        )
    know_tasks(data.path)
    key = find_episode(data, episode)
    record, spec = data.records[key], next(spec for spec in data.plan if spec.id == key.episode)
    _require_actions(data, record)
    policy = load_policy("replay", {"path": str(data.path), "episode": key.name})
    policy.reset([info_of(Turn(spec))])  # a file that cannot be read is an error before anything starts
    options = _options(data, video, assets, render_device)
    with tempfile.TemporaryDirectory(prefix="simpler-eval-replay-") as folder:
        session = Session(Path(folder) / "run", on_end=_say_nothing)
        again = play([spec], options, policy, session)
        now = again.record(spec.id)
        if now is None:
            raise UserError(f"The replay of {key.name} came to no end; `simpler-eval doctor` looks for the cause.")
        film = _keep_video(data, key, again, now) if video else None
        states, states_now = read_states(data.path, key.name), read_states(again.path, spec.id)
    compared = None if states is None or states_now is None else (states, states_now)
    return Replayed(
        name=key.name,
        spec=spec,
        kept=record,
        now=now,
        states=min(map(len, compared)) if compared else None,
        surroundings=compared is not None and compared[0]["surroundings"].size > 0,
        difference=first_difference(*compared) if compared else None,
        ends=tuple(_ends(record, now)),
        elsewhere=tuple(_elsewhere(data, again, options)),
        video=film,
    )


def find_episode(data: RunData, text: str) -> RecordKey:
    """The played episode that is called ``text``: its id, the beginning of it that no other has (``v2-`` may be missing), or
    its place in the plan, from 0; followed by ``-r<k>`` for repeat k.

    Raises UserError if there is none, or several.
    """
    word, repeat = text.strip(), 0
    if found := re.fullmatch(r"(.+)-r(\d+)", word):
        word, repeat = found[1], int(found[2])
    ids = [spec.id for spec in data.plan]
    if word in ids:
        matching = [word]
    elif word.isascii() and word.isdecimal() and int(word) < len(ids):
        matching = [ids[int(word)]]
    else:
        matching = [name for name in ids if word and (name.startswith(word) or name.partition("-")[2].startswith(word))]
    if len(matching) > 1:
        raise UserError(
            f'"{text}" is the beginning of {len(matching)} episodes, such as {matching[0]} and {matching[1]}; give more of it.'
        )
    if not matching:
        near = did_you_mean(
            word,
            ids,
            f"Its plan has {counted(len(ids), 'episode')}: give an id of episodes.jsonl, or a place from 0 to {len(ids) - 1}.",
        )
        raise UserError(f'{data.path} has no episode "{text}".{near}')
    key = RecordKey(matching[0], repeat)
    if key in data.records:
        return key
    if repeat >= data.header.repeats:
        times = data.header.repeats
        played = f"{times} times; the last repeat is -r{times - 1}" if times > 1 else "once; leave out -r"
        raise UserError(f"{data.path} plays each episode {played}.")
    raise UserError(f"{key.name} was not played yet in {data.path}; there is nothing to replay.")


def _require_actions(data: RunData, record: EpisodeRecord) -> None:
    if (data.path / ACTIONS / f"{record.key.name}.npy").exists():
        return
    if not record.steps:
        raise UserError(f"{record.key.name} has no actions: it was errored before its first step ({record.error}).")
    if data.header.options.no_actions or not (data.path / ACTIONS).is_dir():
        raise UserError(f"{data.path} was played with --no-actions, or its actions/ was removed; there is nothing to replay.")
    raise UserError(f"{data.path / ACTIONS} has no {record.key.name}.npy; without its actions an episode cannot be replayed.")


def _options(data: RunData, video: bool, assets: str | None, render_device: str | None) -> RunOptions:
    given = data.header.options
    if given.world == OWN:
        assets = given.assets or "" if assets is None else assets  # none, whatever the environment variable says now
    return given.model_copy(
        update={
            "policy": f"replay of {player_name(given, data.header.policy)}",
            "policy_args": {},
            "assets": given.assets if assets is None else assets,
            "video": "all" if video else "none",
            "rt": given.rt if video else "raster",
            "render_device": (render_device or given.render_device) if video else None,
            "workers": 1,
            **dict.fromkeys(("per_worker", "batch", "gpus", "replicas", "cluster")),
            "repeat": 1,
            **dict.fromkeys(("no_actions", "fail_on_error", "policy_changed", "retry_errored"), False),
        }
    )


def _say_nothing(closing: Closing) -> None:
    """What a run says at its end is not about the run that is replayed."""


def _keep_video(data: RunData, key: RecordKey, again: RunData, now: EpisodeRecord) -> Path:
    if now.video is None:
        raise UserError(f"The replay has no video: {now.video_error or 'nothing was rendered'}.")
    place = data.path / VIDEOS / f"{key.name}.mp4"
    with disk_errors(data.path):
        place.parent.mkdir(exist_ok=True)
        part = place.with_name(f".{place.stem}.part.mp4")
        shutil.copyfile(again.path / now.video, part)
        part.replace(place)
    return place


def _ends(kept: EpisodeRecord, now: EpisodeRecord) -> list[str]:
    """How an episode ended otherwise; one that was errored has no end to compare."""
    if kept.status == "errored":
        return []
    if now.status == "errored":
        return [f"the replay has no verdict: {now.error}"]
    pairs = [(name.replace("_", " "), getattr(kept, name), getattr(now, name)) for name in ENDS if name != "episode_stats"]
    for name in sorted({*kept.episode_stats, *now.episode_stats}):
        pairs.append((name, kept.episode_stats.get(name), now.episode_stats.get(name)))
    return [f"{name} is {after} instead of {before}" for name, before, after in pairs if before != after]


def _elsewhere(data: RunData, again: RunData, options: RunOptions) -> list[str]:
    """What is not as it was when the newest session of the run was played."""
    told = []
    here, session = provenance(), data.header.sessions[-1] if data.header.sessions else None
    if session is None:
        told.append("the run does not say on which machine it was played")
    else:
        if (session.machine.cpu, session.machine.system) != (here.machine.cpu, here.machine.system):
            there = f"{session.machine.cpu or 'an unnamed CPU'}, {session.machine.system or 'an unnamed system'}"
            told.append(f"the machine: {there}; here {here.machine.cpu or 'an unnamed CPU'}, {here.machine.system}")
        for name in DECIDING:
            before, after = session.packages.get(name), here.packages.get(name)
            if before != after:
                told.append(f"{name} {before or 'not recorded'}, here {after or 'not installed'}")
        commits = [git.commit[:10] for git in (session.git, here.git) if git is not None]
        if len(set(commits)) > 1:
            told.append(f"simpler-eval's commit {commits[0]}, here {commits[1]}")
    world, world_now = data.header.identity.world, again.header.identity.world
    if (world.code, world.versions) != (world_now.code, world_now.versions):
        told.append(f"the version of the world {world.name}")
    if options.world == OWN and data.header.identity.assets != _assets(data, options):
        told.append("the asset files: their content is not what the run recorded")
    return told


def _assets(data: RunData, options: RunOptions) -> str:
    from eval.assets.identity import assets_identity

    return assets_identity(data.plan, options.packs)
