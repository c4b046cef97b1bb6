"""``parity actions``: what a policy does with the original's image of a state, and with ours of the same state.

Every recorded state (:mod:`eval.parity.recordings.images`) is drawn again, and the policy is asked twice: with the recorded
image and with ours, everything else being equal: proprioception, seed, the episode's name. Each image is the first of an
episode, so that a policy with a memory has none, and the second of the two begins the same episode anew. The two answers come
from two batches of the same shape: a network whose numbers depend on the batch gives equal answers to equal images.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.parity.recordings.comparison_images import difference
from eval.parity.recordings.images import Redrawn, show
from eval.parity.recordings.recorded_images import recorded_policy_image, recorded_spec
from eval.records.turns import Turn
from eval.rollout.actions import CheckedAction
from eval.rollout.interrupts import Interrupts
from eval.rollout.play import info_of
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds
from eval.rollout.policy_closing import close_policy
from eval.sim.world import World, image_size
from eval.simpler_api import NotSupported
from policies.base import EpisodeInfo, EpisodeResult, Observation, PolicyDescription, Proprio

RASTER, TRACED = "raster", "ray traced"
FLIPPED = 0.5
"""Difference of two gripper commands (-1 .. 1) from which on the hand does something else."""
TOKENS = "ids"
"""Note of an action (``Action.notes``) that holds the ids of the tokens it was decoded from."""


@dataclass(frozen=True)
class ActionPair:
    """One state: the images of both worlds, and what the policy made of them."""

    key: str
    frame: str
    kind: str
    """``raster`` or ``ray traced``, as the original drew it and we do."""
    image: float
    """Mean absolute difference of the two images, of 255."""
    pixels: float
    """Share of the pixels that differ at all."""
    ours: tuple[float, ...]
    """(7,) command; see ``policies.base.Action``."""
    original: tuple[float, ...]
    tokens_compared: int
    """0 for a policy without tokens."""
    tokens_differ: int
    terminate_differs: bool

    @property
    def differs(self) -> bool:
        """Whether the policy acts in any way otherwise."""
        return self.ours != self.original or self.terminate_differs or self.tokens_differ > 0

    @property
    def translation(self) -> float:
        """m between the two."""
        return float(np.linalg.norm(np.subtract(self.ours[:3], self.original[:3])))

    @property
    def rotation(self) -> float:
        """rad between the two."""
        ours, original = (Rotation.from_rotvec(command[3:6]) for command in (self.ours, self.original))
        return float((ours * original.inv()).magnitude())

    @property
    def gripper_flips(self) -> bool:
        """Whether the hand is told something else."""
        return abs(self.ours[6] - self.original[6]) > FLIPPED

    def to_json(self) -> dict[str, Any]:
        """Fields and what follows from them; m, rad."""
        derived = {name: getattr(self, name) for name in ("differs", "translation", "rotation", "gripper_flips")}
        return {**asdict(self), **derived}


@dataclass(frozen=True)
class KindSummary:
    """All pairs of one kind."""

    kind: str
    pairs: int
    actions_differ: int
    translation_mean: float
    """m"""
    translation_max: float
    rotation_mean: float
    """rad"""
    rotation_max: float
    gripper_flips: int
    tokens_compared: int
    tokens_differ: int
    commanded: float
    """m, mean length of the translation that is commanded on the original's images: what the differences compare with."""
    image_mean: float
    """Of 255."""
    pixels_mean: float

    @classmethod
    def of(cls, kind: str, pairs: Sequence[ActionPair]) -> KindSummary:
        """From at least one pair."""
        translations, rotations = [pair.translation for pair in pairs], [pair.rotation for pair in pairs]
        return cls(
            kind=kind,
            pairs=len(pairs),
            actions_differ=sum(pair.differs for pair in pairs),
            translation_mean=float(np.mean(translations)),
            translation_max=max(translations),
            rotation_mean=float(np.mean(rotations)),
            rotation_max=max(rotations),
            gripper_flips=sum(pair.gripper_flips for pair in pairs),
            tokens_compared=sum(pair.tokens_compared for pair in pairs),
            tokens_differ=sum(pair.tokens_differ for pair in pairs),
            commanded=float(np.mean([np.linalg.norm(pair.original[:3]) for pair in pairs])),
            image_mean=float(np.mean([pair.image for pair in pairs])),
            pixels_mean=float(np.mean([pair.pixels for pair in pairs])),
        )


@dataclass(frozen=True)
class ActionReport:
    """What was measured of one policy."""

    policy: PolicyDescription
    pairs: tuple[ActionPair, ...]
    faults: tuple[str, ...]
    """States for which the policy gave no action, one line each."""
    notes: tuple[str, ...]
    """What was left out, and why."""

    @property
    def kinds(self) -> list[KindSummary]:
        """One for each kind of which there is a pair."""
        by_kind = {kind: [pair for pair in self.pairs if pair.kind == kind] for kind in (RASTER, TRACED)}
        return [KindSummary.of(kind, pairs) for kind, pairs in by_kind.items() if pairs]

    def to_json(self) -> dict[str, Any]:
        """``{"policy": ..., "kinds": [...], "pairs": [...], "faults": [...], "notes": [...]}``."""
        return {
            "policy": self.policy.model_dump(mode="json"),
            "kinds": [asdict(kind) for kind in self.kinds],
            "pairs": [pair.to_json() for pair in self.pairs],
            "faults": list(self.faults),
            "notes": list(self.notes),
        }


class RecordedState(NamedTuple):
    """A recorded state, and what a policy is told of it."""

    frame: str
    info: EpisodeInfo
    ours: NDArray[np.uint8]
    """(H, W, 3) our image of it."""
    original: NDArray[np.uint8]
    """(H, W, 3) the recorded one."""
    seen: Observation
    """Without an image."""


def compare_actions(
    folder: Path,
    policy: str,
    policy_args: Mapping[str, object],
    only: Sequence[str] = (),
    assets: str | None = None,
    render_device: str | None = None,
    progress: Callable[[str], None] = lambda key: None,
) -> ActionReport:
    """Ask a policy on every selected key of a folder of recorded images.

    Keys of tasks that the policy refuses (``check_episodes``) are left out, with a note.

    Args:
        folder: as for :func:`eval.parity.recordings.images.compare_images`; so are ``only``, ``assets``, ``render_device``.
        policy: as for ``run``.
        policy_args: keyword arguments of its constructor.
        progress: called with every key before it is drawn.

    Raises UserError if there is nothing to compare: no such key or policy, one that looks at no image or refuses all keys.
    """
    redrawn = Redrawn(folder, only, assets, render_device)
    pairs: list[ActionPair] = []
    faults: list[str] = []
    refused: dict[str, list[str]] = {}
    said: list[str] = []
    with Interrupts() as interrupts, PolicyCalls(interrupts) as calls:
        needs = PolicyNeeds.of(calls.make(policy, policy_args))
        if not needs.image:
            raise UserError(f"Policy {policy} looks at no image (needs_image is False), so it acts alike on any two.")
        for key in redrawn.keys:
            files = redrawn.files(key)
            try:
                specs = [recorded_spec(json.loads(file.read_text())) for file in files]
                calls.check_episodes(policy, [info_of(Turn(spec)) for spec in specs])
            except (NotSupported, UserError) as error:
                refused.setdefault(str(error), []).append(key)
                continue
            progress(key)
            states = [_state(redrawn.world, spec, file, folder, needs) for spec, file in zip(specs, files, strict=True)]
            traced = any(spec.shader == "rt" for spec in specs)
            found = list(ask_both(calls, key, TRACED if traced else RASTER, states))
            pairs += [pair for pair in found if isinstance(pair, ActionPair)]
            faults += [pair for pair in found if isinstance(pair, str)]
        if not pairs and not faults:
            raise UserError(next(iter(refused), f"Nothing in {folder} is left to be compared. " + " ".join(redrawn.notes)))
        description = calls.describe(policy, policy_args)
        close_policy(calls, policy, said.append)
    left_out = [f"left out {', '.join(keys)}: {reason}" for reason, keys in refused.items()]
    return ActionReport(description, tuple(pairs), tuple(faults), (*redrawn.notes, *left_out, *said))


def _state(world: World, spec: EpisodeSpec, file: Path, folder: Path, needs: PolicyNeeds) -> RecordedState:
    state = json.loads(file.read_text())
    show(world, spec, state)
    ours = np.empty((*image_size(spec), 3), dtype=np.uint8)
    world.take_image(ours)
    tool = world.tcp_pose
    proprio = Proprio(tool[:3], tool[3:], world.gripper_opening, np.array(world.scene.robot.qpos, np.float32))
    info = replace(info_of(Turn(spec)), instruction=state["instruction"])
    privileged = world.privileged() if needs.privileged else None
    seen = Observation(info.episode, 0, info.robot, info.instruction, None, proprio, privileged)
    return RecordedState(file.stem, info, ours, recorded_policy_image(folder, file), seen)


def ask_both(calls: PolicyCalls, key: str, kind: str, states: Sequence[RecordedState]) -> Iterator[ActionPair | str]:
    """What a policy does on both images of every state of a key, or one line that says why there is no action."""
    ours = _asked(calls, key, states, [state.ours for state in states])
    original = _asked(calls, key, states, [state.original for state in states])
    for state, own, recorded in zip(states, ours, original, strict=True):
        if isinstance(own, str) or isinstance(recorded, str):
            yield f"{key} {state.frame}: {own if isinstance(own, str) else recorded}"
            continue
        try:
            tokens = [np.atleast_1d(np.asarray(answer.notes.get(TOKENS, ()))) for answer in (own, recorded)]
        except ValueError:
            yield f'{key} {state.frame}: policy gave notes["{TOKENS}"] that are no array of token ids'
            continue
        same_length = tokens[0].shape == tokens[1].shape
        yield ActionPair(
            key=key,
            frame=state.frame,
            kind=kind,
            image=difference(state.ours, state.original),
            pixels=float((state.ours != state.original).any(axis=-1).mean()),
            ours=own.command,
            original=recorded.command,
            tokens_compared=max(len(tokens[0]), len(tokens[1])),
            tokens_differ=int((tokens[0] != tokens[1]).sum()) if same_length else max(map(len, tokens)),
            terminate_differs=own.terminate != recorded.terminate,
        )


def _asked(
    calls: PolicyCalls, key: str, states: Sequence[RecordedState], images: Sequence[NDArray[np.uint8]]
) -> list[CheckedAction | str]:
    """What the policy does in every state, one batch; a text instead where it failed."""
    infos = [replace(state.info, episode=f"{key}/{state.frame}") for state in states]
    answers: list[CheckedAction | str] = []
    failed = [calls.reset(info) for info in infos]
    fault = next((fault for fault in failed if fault is not None), None)
    if fault is None:
        observations = []
        for state, info, image in zip(states, infos, images, strict=True):
            shown = image.copy()
            shown.flags.writeable = False  # as in a run
            observations.append(replace(state.seen, episode=info.episode, image=shown))
        answer = calls.act(observations)
        answers = [answer.actions[i.episode] if i.episode in answer.actions else answer.faults[i.episode].text for i in infos]
    else:
        answers = [fault.text for _ in infos]
    for info in infos:
        calls.end(info, EpisodeResult("failure", 1))
    return answers
