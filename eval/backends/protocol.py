"""What the parent of a run and a process that simulates say to each other.

Standard library alone and Python 3.8: our own worker (:mod:`eval.rollout.worker`) imports this module, and the worker of the
original (``eval/backends/simpler_env/worker.py``) loads this very file in an interpreter that has nothing else of ours.
Hence messages travel as plain tuples that begin with the message's name (:func:`send`, :func:`receive`): a named tuple
itself would be pickled with the name of its module, which the two interpreters know under different names.

An episode is one ``Begin``, then as many ``Step`` as its ``State`` allows; the worker answers each with one ``State``. Before
it may come ``ImagesShared`` (followed by the descriptor of the memory) and ``WorldChanged``. A worker may have several seats,
each with an episode of its own: all that is said of an episode carries its seat. Shapes: n joints.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import signal
from multiprocessing import reduction
from typing import TYPE_CHECKING, Any, NamedTuple, Union, cast

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

PR_SET_PDEATHSIG = 1
MEMORY_NAME = "simpler-eval-images"


# ---- parent -> worker ------------------------------------------------------------------------------------------------


class Begin(NamedTuple):
    """Reset to an episode."""

    episode: str
    """JSON text; of what is the backend's own matter (``Backend.payload``)."""
    slots: int
    """Images that the shared memory holds: the one after step k lies in slot ``k % slots``."""
    render: bool
    privileged: bool
    """Whether every ``State`` carries the privileged state."""
    seat: int = 0


class Step(NamedTuple):
    """Play one control step."""

    action: tuple[float, ...]
    """(7,) as ``policies.base.Action.command``."""
    terminate: bool
    """The policy considers the (sub)task done: before the final subtask this only begins the next one."""
    seat: int = 0


class Stop(NamedTuple):
    """End yourself."""


# ---- worker -> parent ------------------------------------------------------------------------------------------------


class Ready(NamedTuple):
    """Everything is imported; an episode may begin."""


class ImagesShared(NamedTuple):
    """New shared memory of a seat, for ``slots`` images of (height, width, 3) uint8; its descriptor follows."""

    slots: int
    height: int
    width: int
    seat: int = 0


class WorldChanged(NamedTuple):
    """The record of the world, when it differs from the last one sent."""

    record: str
    """JSON text with the keys of ``eval.records.header.WorldRecord``."""


class DrawerState(NamedTuple):
    """As ``policies.base.DrawerState``, of plain numbers."""

    opening: float
    frame: tuple[float, ...]


class PrivilegedState(NamedTuple):
    """As ``policies.base.Privileged``, of plain numbers."""

    family: str
    objects: dict[str, tuple[float, ...]]
    boxes: dict[str, tuple[tuple[float, ...], tuple[float, ...]]]
    roles: dict[str, str]
    tcp: tuple[float, ...]
    base: tuple[float, ...]
    drawer: DrawerState | None


class State(NamedTuple):
    """The world after the reset (step 0) or after a control step."""

    step: int
    instruction: str
    tcp_pose: tuple[float, ...]
    """(7,) x y z qw qx qy qz, tool in the frame of the robot's base."""
    gripper_opening: float
    """0 closed .. 1 open."""
    qpos: tuple[float, ...]
    """(n,) rad or m, in the URDF's depth-first order."""
    success: bool
    done: bool
    """The episode is over; ``success`` is its verdict."""
    episode_stats: str
    """JSON text."""
    privileged: PrivilegedState | None
    seat: int = 0
    surroundings: tuple[float, ...] = ()
    """(k,) of what moves beside the robot; empty: the world does not say."""


class EpisodeFailed(NamedTuple):
    """The world raised: the episode has no verdict, and the worker is to be replaced."""

    error: str
    traceback: str = ""


class Refused(NamedTuple):
    """No episode at all can be played; the text says how to change that."""

    reason: str


ToWorker = Union[Begin, Step, Stop]  # noqa: UP007  evaluated, and Python 3.8 knows no other way
ToParent = Union[Ready, ImagesShared, WorldChanged, State, EpisodeFailed, Refused]  # noqa: UP007
Message = Union[ToWorker, ToParent]  # noqa: UP007
_PARTS = (PrivilegedState, DrawerState)
_TYPES: dict[str, type[Any]] = {
    kind.__name__: kind
    for kind in (Begin, Step, Stop, Ready, ImagesShared, WorldChanged, State, EpisodeFailed, Refused, *_PARTS)
}


def encode(message: tuple[object, ...]) -> tuple[object, ...]:
    """A message as a plain tuple that begins with its name."""
    return (type(message).__name__, *[encode(value) if isinstance(value, _PARTS) else value for value in message])


def decode(plain: tuple[object, ...]) -> Message:
    """The message that :func:`encode` made ``plain`` of. No field of a message is a tuple that begins with a text."""
    return cast("Message", _restored(plain))


def _restored(value: object) -> object:
    if not (isinstance(value, tuple) and value and isinstance(value[0], str)):
        return value
    name, *fields = value
    return _TYPES[name](*map(_restored, fields))


def send(connection: Connection, message: Message) -> None:
    """Say something. Raises OSError if the other end is gone."""
    connection.send(encode(message))


def receive(connection: Connection) -> Message:
    """What the other end says next. Raises EOFError or OSError if it is gone."""
    return decode(connection.recv())


# ---- images in shared memory -----------------------------------------------------------------------------------------


def share_images(connection: Connection, peer: int, shared: ImagesShared) -> mmap.mmap:
    """Make memory for images and hand it to the process ``peer`` at the other end, which calls :func:`receive_images`.

    The memory is an anonymous file: it has no name that a killed run could leave behind, and it does not depend on the size
    of ``/dev/shm``, which containers keep small.
    """
    descriptor = os.memfd_create(MEMORY_NAME)
    os.ftruncate(descriptor, _size(shared))
    send(connection, shared)
    reduction.send_handle(connection, descriptor, peer)
    return _mapped(descriptor, shared)


def receive_images(connection: Connection, shared: ImagesShared) -> mmap.mmap:
    """Map the memory that the message ``shared`` announced."""
    return _mapped(reduction.recv_handle(connection), shared)


def _size(shared: ImagesShared) -> int:
    return shared.slots * shared.height * shared.width * 3


def _mapped(descriptor: int, shared: ImagesShared) -> mmap.mmap:
    try:
        return mmap.mmap(descriptor, _size(shared))
    finally:
        os.close(descriptor)


# ---- the life of a worker --------------------------------------------------------------------------------------------


def end_with_parent(parent: int) -> None:
    """End when the process ``parent`` ends, however it ends, even while this one hangs in a driver."""
    with contextlib.suppress(OSError, AttributeError):  # another system: an idle worker still notices the pipe's end
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the request
        os.kill(os.getpid(), signal.SIGKILL)


def live_with_parent(parent: int) -> None:
    """As :func:`end_with_parent`, and leave what a terminal sends to the whole group of processes (Ctrl-C, its own end) to the
    parent alone.
    """
    end_with_parent(parent)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)


def one_line(error: BaseException) -> str:
    """An exception as the text of an ``EpisodeFailed``."""
    try:
        text = " ".join(str(error)[:5000].split())[:500]
    except Exception as odd:  # code of others
        text = f"(its text cannot be read, that raised {type(odd).__name__})"
    return f"{type(error).__name__}: {text}"
