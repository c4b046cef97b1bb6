"""How one episode is played: begin, observe, act, step; the success flag of the last step is the verdict.

A run's worker and its parent share the work of it over a pipe: :class:`EpisodePlayer` is the worker's part, and
:class:`Progress`, :func:`episode_info` and :func:`observe` are the parent's. :func:`play_episode` is both in one process, for
whoever needs one episode and no run.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from eval.backends import privileged, protocol
from eval.backends.base import Image, Simulation, SimulationState
from eval.episode import EpisodeSpec
from eval.records.moments import Moment
from eval.records.results import EpisodeRecord
from eval.records.turns import Turn
from eval.rollout.actions import CheckedAction, Notes
from eval.rollout.faults import Fault, PolicyFault, fault_of
from eval.rollout.frames import Frames, private_frames
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds
from policies.base import EpisodeInfo, EpisodeResult, Observation, Policy, Proprio, RobotName

SLOTS = 2
"""Images kept of an episode of which only the present one matters: the policy may still read one while the next is written."""


# ---- where the world is ----------------------------------------------------------------------------------------------


class EpisodePlayer:
    """Plays one episode after the other in a simulation; the rules for "done" and for the step limit are here."""

    def __init__(self, simulation: Simulation, seat: int = 0) -> None:
        """seat: of the simulation, among those of its process."""
        self.simulation, self.seat = simulation, seat

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
            seat=self.seat,
            surroundings=() if state.surroundings is None else tuple(map(float, state.surroundings)),
        )


def _plain(value: object) -> object:
    """NumPy scalars among the episode stats as JSON values."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"episode_stats hold a {type(value).__name__}, not a JSON scalar")


# ---- where the policy is ---------------------------------------------------------------------------------------------


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
    commands: tuple[tuple[float, ...], ...] = ()
    """What was played: (7,) a step."""
    terminates: tuple[bool, ...] = ()
    """At which steps the policy said done."""
    moments: tuple[Moment, ...] = ()
    """The world after the reset and after each step."""
    fault: Fault | None = None
    """Why there is no verdict."""
    states: tuple[protocol.State, ...] = ()
    """After the reset and after each step, if the images were kept."""
    labels: tuple[tuple[float, ...], ...] | None = None
    """What is to be learned: (7,) a step; None: what was played."""


@dataclass
class Progress:
    """What is known of an episode under way."""

    turn: Turn
    attempt: int = 1
    started: float = field(default_factory=time.monotonic)
    flags: list[bool] = field(default_factory=list)
    """Success flag after each control step; the first entry belongs to the reset."""
    instruction: str = ""
    stats: dict[str, bool | int | float | str] = field(default_factory=dict)
    commands: list[tuple[float, ...]] = field(default_factory=list)
    """What the policy answered so far."""
    moments: list[Moment] = field(default_factory=list)
    """The world after the reset and after each control step."""
    terminates: list[bool] = field(default_factory=list)
    labels: list[tuple[float, ...] | None] = field(default_factory=list)
    """What the policy said is to be learned, where it said so."""
    states: list[protocol.State] = field(default_factory=list)
    """Those that are kept, if any are."""

    def __post_init__(self) -> None:
        self.spec, self.name = self.turn.spec, self.turn.key.name

    def note(self, state: protocol.State) -> None:
        """Take in the next state."""
        self.flags.append(state.success)
        self.moments.append(Moment(state.success, state.gripper_opening, state.tcp_pose, state.qpos, state.surroundings))
        self.instruction, self.stats = state.instruction, json.loads(state.episode_stats)

    def answered(self, action: CheckedAction) -> None:
        """Take in what is played next."""
        self.commands.append(action.command)
        self.terminates.append(action.terminate)
        self.labels.append(action.label)

    def record(self, error: str | None = None) -> EpisodeRecord:
        """What is known of the episode now; with ``error`` it has no verdict."""
        after_actions = self.flags[1:]
        last = bool(after_actions) and after_actions[-1]
        return EpisodeRecord(
            id=self.spec.id,
            repeat=self.turn.repeat,
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

    def finished(
        self,
        fault: Fault | None = None,
        frames: NDArray[np.uint8] | None = None,
        notes: tuple[Notes, ...] = (),
        attempt: str = "",
    ) -> Finished:
        """The end of the episode; with ``fault`` without a verdict, and with ``attempt`` after its text."""
        record = self.record(None if fault is None else fault.text + attempt)
        played = slice(record.steps)  # the world may have died of the last one
        said = zip(self.labels[played], self.commands[played], strict=True)
        labels = [command if label is None else label for label, command in said]
        return Finished(
            spec=self.spec,
            record=record,
            frames=frames,
            flags=tuple(self.flags),
            notes=notes,
            commands=tuple(self.commands[played]),
            terminates=tuple(self.terminates[played]),
            moments=tuple(self.moments),
            fault=fault,
            states=tuple(self.states),
            labels=tuple(labels) if any(label is not None for label in self.labels[played]) else None,
        )

    @property
    def info(self) -> EpisodeInfo:
        """What a policy learns of the episode."""
        return info_of(self.turn)


def info_of(turn: Turn) -> EpisodeInfo:
    """What a policy learns of an episode that is about to begin."""
    spec = turn.spec
    return EpisodeInfo(
        episode=turn.key.name,
        task=spec.task,
        robot=robot_of(spec),
        instruction=spec.instruction,
        max_steps=spec.max_steps,
        control_freq=spec.control_freq,
        seed=turn.seed,
        repeat=turn.repeat,
    )


def result_of(record: EpisodeRecord) -> EpisodeResult:
    """What a policy learns of the end of an episode."""
    return EpisodeResult(record.status, record.steps, record.error)


KEPT_IMAGE = "a kept image"
"""What is noticed by :func:`keeping_fault`."""


def keeping_fault(frames: Frames | None, step: int) -> Fault | None:
    """Of a policy that still holds an image which the one of ``step`` has replaced, and so may see a wrong history.

    It costs no verdict: whether the policy ever looks at that image is its own affair.
    """
    if frames is None or not frames.is_kept(step):
        return None
    text = "policy keeps observation.image of an earlier step, which shows another one by now; keep observation.image.copy()"
    return fault_of(PolicyFault(text))


def observe(episode: Progress, state: protocol.State, frames: Frames | None, needs: PolicyNeeds) -> Observation:
    """What a policy is shown of a state; the image is the frames' own memory, read-only."""
    tcp = np.array(state.tcp_pose, np.float32)
    return Observation(
        episode=episode.name,
        step=state.step,
        robot=robot_of(episode.spec),
        instruction=state.instruction,
        image=frames.lend(state.step) if needs.image and frames is not None else None,
        proprio=Proprio(tcp[:3], tcp[3:], state.gripper_opening, np.array(state.qpos, np.float32)),
        privileged=None if state.privileged is None else privileged.from_message(state.privileged),
    )


def robot_of(spec: EpisodeSpec) -> RobotName:
    """What policies call the robot of an episode."""
    return "google_robot" if spec.robot_family == "google_robot" else "widowx"


# ---- both in one process ---------------------------------------------------------------------------------------------


def play_episode(simulation: Simulation, policy: Policy, spec: EpisodeSpec) -> Finished:
    """Play one episode to its end in this process, as a run's worker and parent do together.

    The record has no verdict if the policy fails; what the simulation raises is passed on.
    """
    needs, player, episode, frames = PolicyNeeds.of(policy), EpisodePlayer(simulation), Progress(Turn(spec)), None
    with Interrupts() as interrupts, PolicyCalls(interrupts, policy) as calls:
        fault = calls.reset(episode.info)
        if fault is not None:
            return episode.finished(fault)
        if needs.image:
            frames = private_frames(SLOTS, *simulation.image_size(spec))
        state = player.begin(spec, None if frames is None else frames.slot(0), needs.privileged)
        episode.note(state)
        while not state.done:
            answer = calls.act([observe(episode, state, frames, needs)])
            if fault := answer.faults.get(episode.name):
                break
            action = answer.actions[episode.name]
            episode.answered(action)
            image = None if frames is None else frames.slot(state.step + 1)
            state = player.step(protocol.Step(action.command, action.terminate), image)
            episode.note(state)
        finished = episode.finished(fault)
        calls.end(episode.info, result_of(finished.record))
    return finished
