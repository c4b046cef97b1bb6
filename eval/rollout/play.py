"""How one episode is played: begin, observe, act, step; the success flag of the last step is the verdict.

A run's worker and its parent share the work of it over a pipe: :class:`EpisodePlayer` is the worker's part, and
:class:`Progress`, :func:`episode_info` and :func:`observe` are the parent's. :func:`play_episode` is both in one process, for
whoever needs one episode and no run.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.backends import privileged, protocol
from eval.backends.base import Image, Simulation, SimulationState
from eval.episode import EpisodeSpec
from eval.records.results import EpisodeRecord
from eval.rollout.actions import Notes, query
from eval.rollout.frames import Frames, private_frames
from policies.base import EpisodeInfo, Observation, Policy, Proprio, RobotName

SLOTS = 2
"""Images kept of an episode of which only the present one matters: the policy may still read one while the next is written."""


# ---- where the world is ----------------------------------------------------------------------------------------------


class EpisodePlayer:
    """Plays one episode after the other in a simulation; the rules for "done" and for the step limit are here."""

    def __init__(self, simulation: Simulation) -> None:
        self.simulation = simulation

    def begin(self, spec: EpisodeSpec, image: Image | None, with_privileged: bool) -> protocol.State:
        """Reset to an episode; ``image``: where to render, None: nothing is rendered."""
        self._spec, self._with_privileged, self._steps = spec, with_privileged, 0
        return self._report(self.simulation.begin(spec, image), done=False)

    def step(self, step: protocol.Step, image: Image | None) -> protocol.State:
        """Play a control step. A terminate before the final subtask only begins the next one (docs/simpler.md, protocol 2)."""
        done = step.terminate and self._is_final
        if step.terminate and not self._is_final:
            self.simulation.advance_to_next_subtask()
        self._steps += 1
        state = self.simulation.step(np.array(step.action, dtype=np.float64), image)
        return self._report(state, done=done or self._steps >= self._spec.max_steps)

    def _report(self, state: SimulationState, done: bool) -> protocol.State:
        self._is_final = state.is_final_subtask
        return protocol.State(
            step=self._steps,
            instruction=str(state.instruction),
            tcp_pose=tuple(map(float, state.tcp_pose)),
            gripper_opening=float(state.gripper_opening),
            qpos=tuple(map(float, state.qpos)),
            success=bool(state.success),
            done=done,
            episode_stats=json.dumps(dict(state.episode_stats), default=_plain),
            privileged=privileged.to_message(self.simulation.privileged()) if self._with_privileged else None,
        )


def _plain(value: object) -> object:
    """NumPy scalars among the episode stats as JSON values."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"episode_stats hold a {type(value).__name__}, not a JSON scalar")


# ---- where the policy is ---------------------------------------------------------------------------------------------


class PolicyNeeds(NamedTuple):
    """What a policy must be shown; a policy that does not say is shown images and no privileged state."""

    image: bool
    privileged: bool

    @classmethod
    def of(cls, policy: Policy) -> PolicyNeeds:
        """Read from the policy's class attributes."""
        return cls(bool(getattr(policy, "needs_image", True)), bool(getattr(policy, "needs_privileged", False)))


@dataclass(frozen=True)
class Finished:
    """An episode that ended, with its images if they were kept."""

    spec: EpisodeSpec
    record: EpisodeRecord
    frames: NDArray[np.uint8] | None = None
    """(T, H, W, 3), a copy of the last T images; the last one belongs to the last step."""
    flags: tuple[bool, ...] = ()
    """Success flag after the reset and after each step."""
    notes: tuple[Notes, ...] = ()
    """What the policy noted at each of the last steps."""


@dataclass
class Progress:
    """What is known of an episode under way."""

    spec: EpisodeSpec
    attempt: int = 1
    started: float = field(default_factory=time.monotonic)
    flags: list[bool] = field(default_factory=list)
    """Success flag after each control step; the first entry belongs to the reset."""
    instruction: str = ""
    stats: dict[str, bool | int | float | str] = field(default_factory=dict)

    def note(self, state: protocol.State) -> None:
        """Take in the next state."""
        self.flags.append(state.success)
        self.instruction, self.stats = state.instruction, json.loads(state.episode_stats)

    def record(self, error: str | None = None) -> EpisodeRecord:
        """What is known of the episode now; with ``error`` it has no verdict."""
        after_actions = self.flags[1:]
        last = bool(after_actions) and after_actions[-1]
        return EpisodeRecord(
            id=self.spec.id,
            task=self.spec.task,
            setting=self.spec.setting,
            variant=self.spec.variant,
            status="errored" if error else "success" if last else "failure",
            success_last=last,
            success_any=any(after_actions),
            first_success_step=after_actions.index(True) + 1 if any(after_actions) else None,
            steps=len(after_actions),
            seconds=round(time.monotonic() - self.started, 3),
            attempts=self.attempt,
            instruction=self.instruction,
            episode_stats=self.stats,
            error=error,
        )


def episode_info(spec: EpisodeSpec) -> EpisodeInfo:
    """What a policy learns of an episode that is about to begin."""
    return EpisodeInfo(
        episode=spec.id,
        task=spec.task,
        robot=_robot(spec),
        instruction=spec.instruction,
        max_steps=spec.max_steps,
        control_freq=spec.control_freq,
        seed=spec.seed,
    )


def observe(spec: EpisodeSpec, state: protocol.State, frames: Frames | None, needs: PolicyNeeds) -> Observation:
    """What a policy is shown of a state; the image is the frames' own memory, read-only."""
    image = None
    if needs.image and frames is not None:
        image = frames.slot(state.step)
        image.flags.writeable = False  # the same bytes go into the video
    tcp = np.array(state.tcp_pose, np.float32)
    return Observation(
        episode=spec.id,
        step=state.step,
        robot=_robot(spec),
        instruction=state.instruction,
        image=image,
        proprio=Proprio(tcp[:3], tcp[3:], state.gripper_opening, np.array(state.qpos, np.float32)),
        privileged=None if state.privileged is None else privileged.from_message(state.privileged),
    )


def _robot(spec: EpisodeSpec) -> RobotName:
    return "google_robot" if spec.robot_family == "google_robot" else "widowx"


# ---- both in one process ---------------------------------------------------------------------------------------------


def play_episode(simulation: Simulation, policy: Policy, spec: EpisodeSpec) -> Finished:
    """Play one episode to its end in this process, as a run's worker and parent do together.

    The record has no verdict if the policy fails; what the simulation raises is passed on.
    """
    needs, player, progress, frames = PolicyNeeds.of(policy), EpisodePlayer(simulation), Progress(spec), None
    policy.reset([episode_info(spec)])
    if needs.image:
        frames = private_frames(SLOTS, *simulation.image_size(spec))
    state = player.begin(spec, None if frames is None else frames.slot(0), needs.privileged)
    progress.note(state)
    while not state.done:
        result = query(policy, [observe(spec, state, frames, needs)])
        if spec.id in result.faults:
            return Finished(spec, progress.record(result.faults[spec.id]), flags=tuple(progress.flags))
        action = result.actions[spec.id]
        image = None if frames is None else frames.slot(state.step + 1)
        state = player.step(protocol.Step(action.command, action.terminate), image)
        progress.note(state)
    return Finished(spec, progress.record(), flags=tuple(progress.flags))
