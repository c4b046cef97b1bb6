"""The contract between worlds and policies.

A policy sees episodes and observations, never slots, workers or processes: any batch may hold any mix of episodes, so
whatever a policy remembers it keeps per episode id.

Shapes: H, W pixels; n joints. Units: metres, radians. Quaternions: (w, x, y, z).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, JsonValue

from eval.errors import EpisodeLost

RobotName = Literal["google_robot", "widowx"]
CARD = "SIMPLER_EVAL_CARD"
"""Environment variable of a process that sees one GPU of several: what that is called where all are seen, such as cuda:1."""


@dataclass(frozen=True, slots=True)
class Proprio:
    """What the robot feels of itself."""

    tcp_position: NDArray[np.float32]
    """(3,) m, tool centre point in the robot's base frame."""
    tcp_quaternion: NDArray[np.float32]
    """(4,) w x y z, tool orientation in the robot's base frame."""
    gripper_opening: float
    """0 closed .. 1 open."""
    qpos: NDArray[np.float32]
    """(n,) joint positions, rad (prismatic: m), in the URDF's depth-first order."""


@dataclass(frozen=True, slots=True)
class DrawerState:
    """The drawer that a task is about."""

    opening: float
    """m."""
    frame: NDArray[np.float64]
    """(7,) x y z qw qx qy qz, world pose of the drawer's frame."""


@dataclass(frozen=True, slots=True)
class Privileged:
    """State of the simulator, for scripted policies. Poses are (7,) x y z qw qx qy qz in the world frame."""

    family: str
    """Family of the task: ``grasp``, ``move_near``, ``put_on``, ``drawer`` or ``place``."""
    objects: Mapping[str, NDArray[np.float64]]
    """Pose of every object's actor frame, by name."""
    boxes: Mapping[str, NDArray[np.float64]]
    """(2, 3) m, least and greatest corner of an object's hulls along its own axes, by name."""
    roles: Mapping[str, str]
    """Role (``target``, ``source``, ``goal``, ``other``, ``fixture``) -> name of the object."""
    tcp: NDArray[np.float64]
    """Pose of the tool."""
    base: NDArray[np.float64]
    """Pose of the robot's base."""
    drawer: DrawerState | None = None


@dataclass(frozen=True, slots=True)
class EpisodeInfo:
    """An episode that is about to begin."""

    episode: str
    """The key of everything a policy remembers about the episode: its content id, and for a repeat (``run --repeat``) its
    number, too, since several may be under way at once."""
    task: str
    robot: RobotName
    instruction: str
    max_steps: int
    control_freq: int
    """Control steps a second."""
    seed: int
    """Seed of the episode and repeat; a policy that samples must take its random numbers from it."""
    repeat: int = 0
    """Number of the repeat; 0 for the first."""


@dataclass(frozen=True, slots=True)
class EpisodeResult:
    """How an episode ended."""

    status: Literal["success", "failure", "errored"]
    """``errored``: no verdict, because the policy, the world or its process failed."""
    steps: int
    """Control steps done."""
    error: str | None = None
    """One line: why there is no verdict."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One moment of one episode."""

    episode: str
    step: int
    """Control steps done so far; 0 for the first image."""
    robot: RobotName
    instruction: str
    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB, the camera's image after the overlay. Valid until ``act`` returns: copy what you keep.
    None if the policy said ``needs_image = False``."""
    proprio: Proprio
    privileged: Privileged | None = None
    """State of the simulator, only for policies with ``needs_privileged = True``."""


@dataclass(frozen=True, slots=True, init=False)
class Action:
    """What a policy commands in one control step."""

    command: NDArray[np.float64]
    """(7,) translation [m], rotation vector [rad], both in the controller's frame (robot base axes), and the gripper in
    the original's convention: Google Robot +1 closes and -1 opens (change of the finger target), WidowX +1 open, -1 closed
    (absolute)."""
    terminate: bool = False
    """The policy considers the (sub)task done."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """The policy's input and output; read by the policy-view video alone (``eval/records/policy_view.py``): ``images``,
    ``labels``, ``values``."""
    label: NDArray[np.float64] | None = None
    """(7,) as ``command``: what a policy that learns from this should do here, where that is something else than what is
    commanded. It becomes ``action`` of a recorded dataset, and the command ``executed_action``."""

    def __init__(
        self,
        command: NDArray[np.float64] | None = None,
        terminate: bool = False,
        notes: Mapping[str, Any] | None = None,
        *,
        world: NDArray[np.float64] | None = None,
        label: NDArray[np.float64] | None = None,
    ) -> None:
        """Make an action.

        Args:
            command: (7,) see the field.
            terminate: see the field.
            notes: see the field.
            world: the name that ``command`` had before version 0.2.
            label: see the field.

        Raises:
            TypeError: there is no command.
        """
        given = world if command is None else command
        if given is None:
            raise TypeError("an Action needs its command, 7 numbers")
        for name, value in (("command", given), ("terminate", terminate), ("notes", {} if notes is None else notes)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "label", label)

    @property
    def world(self) -> NDArray[np.float64]:
        """The name that ``command`` had before version 0.2."""
        return self.command


class PolicyIdentity(BaseModel):
    """What of a policy decides its numbers: two runs are pooled, or one continued, only where all of it is equal."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    weights: str | None = None
    """Hash over the content of the weights, wherever they lie."""
    tracker: str | None = None
    """What finds the points of visual traces, e.g. ``cotracker``."""
    tracker_weights: str | None = None
    """Hash over the content."""
    code: str | None = None
    """Hash over a user's own policy file and what it imports from its folder; filled in by the loader. Of a run that went on
    with changed code (``--policy-changed``): those of all versions in order, joined by ``+``."""
    dtype: str | None = None
    generation: str | None = None
    """Rule by which tokens are chosen."""
    inference: str | None = None
    """How the model is run, where that changes its bits, e.g. ``eager``."""
    preset: str | None = None
    """Named set of options, e.g. of the trace."""
    unnorm_keys: dict[str, str] = {}
    """Robot -> key of the statistics that its actions are scaled with."""
    seed: int | None = None
    """The policy's own."""
    settings: dict[str, JsonValue] = {}
    """Whatever else decides its numbers."""


class PolicyDescription(PolicyIdentity):
    """What the run record carries about a policy. Paths, devices and counters belong into ``details``."""

    remarks: tuple[str, ...] = ()
    """Short texts for the title of every table: whatever makes the numbers another thing than a reader expects."""
    details: dict[str, JsonValue] = {}
    """What decides nothing: where the checkpoint lies, the device, counters."""

    @property
    def identity(self) -> PolicyIdentity:
        """The deciding part."""
        return PolicyIdentity.model_validate(self.model_dump(include=set(PolicyIdentity.model_fields)))


class Exactness(BaseModel):
    """How the tokens of a fast way to run a model differ from those of its reference, on the same inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    observations: int
    batch: int
    """Observations at a time of the fast way."""
    dtype: str
    reference: str
    tokens: int
    """Observations times tokens of an action."""
    differing: tuple[int, ...]
    """Observations whose token differs, by its place in the action."""
    first_differing: tuple[int, ...]
    """The same, of an observation the first such token alone: up to it, both have seen the same."""
    observations_differing: int
    smallest_margins: tuple[float, ...]
    """Least margin (best minus second logit) of the reference, by place."""
    largest_margin_that_differed: float | None
    """Of the reference, at the first differing tokens."""
    largest_logit_difference: float
    """Over all tokens up to the first differing one."""


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into actions.

    Class attributes ``needs_image`` (default True) and ``needs_privileged`` (default False) tell the runner what to
    prepare. ``preferred_batch`` (default None) is the number of observations beyond which a call gets no cheaper for each of
    them: ``act`` is asked about so many at most, and rather a moment later than about much fewer. It is read before every call,
    so it may become smaller when memory turns out to be short; None: whatever is ready at once. These methods
    are optional, and called only where a policy has them:

    ``check_episodes(episodes: Sequence[EpisodeInfo]) -> None``
        Raise ``UserError`` if these, which are about to be played, cannot all be; called once, before anything begins.
    ``end(episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None``
        These episodes are over, and how; whatever is remembered of them may be forgotten. Called once for every ``reset``
        of an episode, also where it was given up (then it is ``errored``, and may be reset again).
    ``prepare_observation(observation: Observation) -> None``
        Work ahead on an observation, which ``act`` gets once this is over, unless its episode is lost before. Called in threads
        other than those of all other calls, for several observations at once and while ``act`` answers others, but never while
        an observation's own episode is being reset or ended. It may not be called at all, so ``act`` must be able to do
        without; what is raised here costs nothing else. Its seconds count as those of the call that waits for it.
    ``check_arguments(arguments: Mapping[str, Any]) -> None``, a class method
        Raise ``UserError`` for arguments of the constructor (by name, with their defaults) with which no policy can be made, as
        the constructor does, but without loading anything: it is asked first, so that what is mistyped is said at once. One
        that is not among them is not known yet: ``checkpoints`` asks once, before it gives the policy each ``checkpoint``.
    ``exactness(observations: Sequence[Observation], batch: int) -> Exactness``
        Compare a fast way to run the model with its reference, for ``bench exact``.
    """

    needs_image: bool
    needs_privileged: bool

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes; called before their first observation, and again if an episode is retried."""

    def act(self, observations: Sequence[Observation]) -> Sequence[Action | EpisodeLost]:
        """One action per observation, in the same order.

        An ``eval.errors.EpisodeLost`` in place of an action costs that episode alone, which is errored; raising anything costs
        the whole batch a second try.
        """

    def describe(self) -> PolicyDescription:
        """What the run record must carry about this policy.

        Asked when a run begins and again when it ends.
        """

    def close(self) -> None:
        """Free what the policy holds."""
