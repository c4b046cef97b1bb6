"""What the head and a replica say to each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from eval.episode import EpisodeSpec
from eval.records.header import Course, WorldIdentity, WorldRecord
from eval.records.options import RunOptions
from eval.records.results import RecordKey
from eval.records.videos import Video
from eval.rollout.faults import Fault
from eval.rollout.play import Finished
from eval.rollout.policy_calls import PolicyNeeds
from eval.rollout.recordings import Recorded
from policies.base import PolicyDescription

# ---- from the head ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Setup:
    """What a replica is made of."""

    options: RunOptions
    plan: tuple[EpisodeSpec, ...]
    card: bool
    """Whether a GPU is its own, the only one that it sees."""
    environment: Mapping[str, str]
    """Variables to be set before anything is loaded."""
    beside: int
    """Replicas on its host, itself included: they share the cores."""
    folder: str | None = None
    """What relative paths in the options are relative to, where it is not the working folder."""
    elsewhere: bool = False
    """Whether its host may have other files than the head's."""


@dataclass(frozen=True)
class Open:
    """The input is usable; simulator workers may start."""

    share: int
    """Episodes that one replica has to play, if all play the same number."""
    before: Course | None
    """Of the session before."""
    traced: float
    """Part of the steps that are left for which the original traces rays."""


@dataclass(frozen=True)
class Given:
    """Play this, too."""

    key: RecordKey
    film: bool


@dataclass(frozen=True)
class Stop:
    """Play no more, say what is done, and end."""


ToReplica = Open | Given | Stop


# ---- from a replica --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ready:
    """The policy is made."""

    description: PolicyDescription
    code: str | None
    """Hash of the policy's code, if it is shipped with us."""
    needs: PolicyNeeds
    world: WorldIdentity
    assets: str | None
    """Digest of the files that it would load; None: not looked at."""


@dataclass(frozen=True)
class Playing:
    """Simulator workers are on their way."""

    course: Course
    room: int
    """Episodes that it wants to hold, with those that are under way."""


@dataclass(frozen=True)
class WorldSeen:
    """What a worker says about its world."""

    record: WorldRecord


@dataclass(frozen=True)
class Ended:
    """An episode is over."""

    episode: Finished
    """Without images and notes."""
    video: Video | None = None
    recorded: Recorded | None = None
    """Its frames, with ``--record``; of an episode without a verdict None."""


@dataclass(frozen=True)
class Noticed:
    """Something failed that took no verdict."""

    fault: Fault
    key: RecordKey
    where: str


@dataclass(frozen=True)
class Waits:
    """What it waits for; None: it goes on."""

    text: str | None


@dataclass(frozen=True)
class Closed:
    """All is said."""

    description: PolicyDescription | None
    """As the policy describes itself now; None: it cannot."""


@dataclass(frozen=True)
class Refused:
    """It cannot play at all; the text is for the user."""

    text: str


@dataclass(frozen=True)
class Lost:
    """It is gone, or as good as gone."""

    text: str
    returns: bool = False
    """Whether another one takes its place by itself."""


FromReplica = Ready | Playing | WorldSeen | Ended | Noticed | Waits | Closed | Refused | Lost
