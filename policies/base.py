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

RobotName = Literal["google_robot", "widowx"]


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
class EpisodeInfo:
    """An episode that is about to begin."""

    episode: str
    """Content id; the key of everything a policy remembers about the episode."""
    task: str
    robot: RobotName
    instruction: str
    max_steps: int
    control_freq: int
    """Control steps a second."""
    seed: int
    """Seed of the episode; a policy that draws must draw from it."""


@dataclass(frozen=True, slots=True)
class Observation:
    """One moment of one episode."""

    episode: str
    step: int
    """Control steps done so far; 0 for the first picture."""
    robot: RobotName
    instruction: str
    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB, the policy picture after the overlay. Valid until ``act`` returns: copy what you keep.
    None if the policy said ``needs_image = False``."""
    proprio: Proprio
    privileged: Mapping[str, Any] | None = None
    """State of the simulator, only for policies with ``needs_privileged = True``."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a policy wants done in one control step."""

    world: NDArray[np.float64]
    """(7,) translation [m], rotation vector [rad], both in the controller's frame (robot base axes), and the gripper in
    the original's convention: Google Robot +1 closes and -1 opens (change of the finger target), WidowX +1 open, -1 closed
    (absolute)."""
    terminate: bool = False
    """The policy considers the (sub)task done."""
    notes: Mapping[str, Any] = field(default_factory=dict)
    """What the policy saw and meant; read by the policy-view video alone (``eval/records/policy_view.py``): ``pictures``,
    ``labels``, ``values``."""


@runtime_checkable
class Policy(Protocol):
    """Anything that turns observations into actions.

    Class attributes ``needs_image`` (default True) and ``needs_privileged`` (default False) tell the runner what to
    prepare.
    """

    needs_image: bool
    needs_privileged: bool

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Begin these episodes; called before their first observation, and again if an episode is retried."""

    def act(self, observations: Sequence[Observation]) -> Sequence[Action]:
        """One action per observation, in the same order."""

    def describe(self) -> Mapping[str, Any]:
        """What the run record must carry about this policy (JSON values): checkpoint hash, options, seeds.

        Asked when a run begins and again when it ends. ``remarks``, a list of short texts, stands in the title of every
        table: whatever makes its numbers another thing than a reader expects (random weights, another tracker).
        ``fingerprint``, a hash of the weights, keeps a run from being continued with others.
        """

    def close(self) -> None:
        """Free what the policy holds."""
