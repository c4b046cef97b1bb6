"""Playing the conditions of an audit: each is a run folder of its own, so that what was played is never played again."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from eval.audit.conditions import CONDITIONS, Change, ChangedPolicy, Condition, ConditionName, Image, grey
from eval.audit.instructions import other_instructions
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted
from eval.plan.layouts import layout_of
from eval.records.folder import RunData, disk_errors, refuse_folder_of_run, replacing
from eval.records.options import RunOptions
from eval.rollout.policy_closing import close_object
from eval.rollout.run import Session, play
from policies.base import Policy
from policies.registry import load_policy

PICTURES = "pictures"
"""Folder of an audit: the first picture of each episode, as PNG, by content id."""
ASKED_AGAIN = 4
"""Episodes whose first step is played once more, to see whether the policy repeats itself."""

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Plans:
    """The episodes of an audit."""

    published: Sequence[EpisodeSpec]
    heldout: Sequence[EpisodeSpec]


@dataclass(frozen=True)
class Played:
    """All that was played."""

    policy: str
    runs: Mapping[ConditionName, RunData]
    not_applicable: Mapping[ConditionName, str]
    """Condition -> why it is none for this policy."""
    instructions: Mapping[tuple[str, str], str]


def play_conditions(
    plans: Plans,
    options: RunOptions,
    out: Path,
    policy: Policy | None = None,
    tell: Tell | None = None,
    go_on: str | None = None,
) -> Played:
    """Play every condition that means something for the policy, or what is left of it, into folders below ``out``.

    Args:
        plans: what is played.
        options: how; ``policy`` and ``policy_args`` say by whom.
        out: folder of the audit.
        policy: the policy itself; None: it is made, and closed afterwards.
        tell: told what is played now, and what costs no result.
        go_on: what is said to continue the audit when episodes have no verdict.

    Raises:
        UserError: as :func:`eval.rollout.run.play`.
    """
    refuse_folder_of_run(out)
    out = out.absolute()  # a policy may change the working folder
    name, args = options.policy, options.policy_args
    player = load_policy(name, args) if policy is None else policy
    pictures = _Pictures(out / PICTURES, plans.published)
    others = other_instructions(plans.published)
    runs: dict[ConditionName, RunData] = {}
    left_out = _not_applicable(player, plans)
    try:
        for condition in CONDITIONS.values():
            if condition.name in left_out:
                continue
            if tell is not None:
                tell(f"{condition.title}: {counted(len(_plan(plans, condition)), 'episode')}")
            change = _change(condition, pictures, others)
            changed = ChangedPolicy(player, change, name, args)
            runs[condition.name] = play(_plan(plans, condition), options, changed, Session(out / condition.name, go_on=go_on))
            if runs[condition.name].header.sessions[-1].outcome == "stopped":
                raise UserError(
                    f"The audit stopped in {out / condition.name}, whose errors.log says what failed; the same command goes on."
                )
    finally:
        if policy is None:
            close_object(player, name, tell)
    return Played(name, runs, left_out, others)


def _plan(plans: Plans, condition: Condition) -> Sequence[EpisodeSpec]:
    return {"heldout": plans.heldout, "again": plans.published[:ASKED_AGAIN]}.get(condition.name, plans.published)


def _not_applicable(policy: Policy, plans: Plans) -> dict[ConditionName, str]:
    left_out: dict[ConditionName, str] = {}
    if not getattr(policy, "needs_image", True):
        left_out |= {"blank_picture": "it needs no picture", "other_picture": "it needs no picture"}
    if getattr(policy, "needs_privileged", False):
        left_out["other_instruction"] = "the simulator's state tells it the task"
    if len({spec.id for spec in plans.published}) < 2:
        left_out["other_picture"] = left_out.get("other_picture", "there is no other episode")
    return left_out


def _change(condition: Condition, pictures: _Pictures, others: Mapping[tuple[str, str], str]) -> Change:
    if condition.name == "blank_picture":
        return Change(condition, grey)
    if condition.name == "other_picture":
        return Change(condition, pictures.of_another)
    if condition.name == "other_instruction":
        return Change(condition, instructions=others)
    if condition.name == "published":
        return Change(condition, pictures.keep)
    if condition.name == "again":
        return Change(condition, first_step_alone=True)
    return Change(condition)


def _apart(spec: EpisodeSpec, other: EpisodeSpec) -> float:
    """m, how far apart two episodes have the first object, which is to be acted on, and the robot's base."""
    ours, theirs = layout_of(spec), layout_of(other)
    ways = [math.dist(xy, theirs.objects[role]) for role, xy in ours.objects.items() if role in theirs.objects]
    first = ways[0] if ways else 0.0  # what the policy is to act on comes first
    return first + math.dist(ours.robot, theirs.robot)


class _Pictures:
    """The first image of each episode, kept while it is played unmodified, and shown in another one later."""

    def __init__(self, folder: Path, specs: Sequence[EpisodeSpec]) -> None:
        self._folder, self._known = folder, {spec.id for spec in specs}
        self._kept: dict[str, Image] = {}
        self._partners: dict[str, str] = {}
        for task in dict.fromkeys(spec.task for spec in specs):
            mine = [spec for spec in specs if spec.task == task]
            for number, spec in enumerate(mine):
                others = [*mine[number + 1 :], *mine[:number]] or [spec]
                self._partners[spec.id] = max(others, key=partial(_apart, spec)).id

    def partner(self, episode: str) -> str:
        """The episode whose picture is shown in another one."""
        return self._partners[episode]

    def keep(self, episode: str, image: Image) -> Image:
        """The picture itself; the first of its episode is written."""
        if episode in self._known:
            self._known.discard(episode)
            file = self._folder / f"{episode}.png"
            if not file.exists():
                import cv2

                with disk_errors(self._folder):
                    self._folder.mkdir(parents=True, exist_ok=True)
                    with replacing(file) as part:  # half a picture would be shown in the next condition
                        part.write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
        return image

    def of_another(self, episode: str, image: Image) -> Image:
        """The first picture of another episode of the same task."""
        return self._read(self.partner(episode))

    def _read(self, episode: str) -> Image:
        if episode not in self._kept:
            import cv2

            file = self._folder / f"{episode}.png"
            read = cv2.imread(str(file)) if file.exists() else None
            if read is None:
                raise UserError(
                    f"{file} is gone; it was kept when the episode was played. Begin the audit anew in another --out."
                )
            self._kept[episode] = np.ascontiguousarray(read[..., ::-1], dtype=np.uint8)
        return self._kept[episode]


def seen_under(played: Played, spec: EpisodeSpec) -> list[tuple[Condition, str | None, str]]:
    """What the policy was shown first in an episode: condition, file of the picture (None: grey), instruction."""
    pictures = _Pictures(Path(), played.runs["published"].plan)
    own, other = f"{spec.id}.png", f"{pictures.partner(spec.id)}.png"
    views = []
    for name, condition in CONDITIONS.items():
        if name in played.runs and name not in ("heldout", "again"):
            file = {"blank_picture": None, "other_picture": other}.get(name, own)
            said = played.instructions[spec.id, spec.instruction] if name == "other_instruction" else spec.instruction
            views.append((condition, file, said))
    return views
