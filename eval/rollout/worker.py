"""One simulator process of ours: speaks the protocol (``eval/backends/protocol.py``) for a ``Simulation``."""

from __future__ import annotations

import os
import traceback
from multiprocessing.connection import Connection

from eval.backends import protocol
from eval.backends.base import OwnWorker, Simulation, load_simulation
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.rollout.frames import Frames
from eval.rollout.play import EpisodePlayer

BEHIND_THE_POLICY = 5
"""Niceness. Where all cores simulate, the one process that keeps the GPU at work must not wait for its turn among them."""


def worker_main(connection: Connection, worker: OwnWorker, render_threads: int, parent: int) -> None:
    """Serve episodes until asked to stop or until the process ``parent`` is gone.

    Args:
        connection: the pipe to the parent.
        worker: which world, with which options.
        render_threads: of a renderer that is a CPU.
        parent: its process id.
    """
    protocol.live_with_parent(parent)
    os.nice(BEHIND_THE_POLICY)
    os.environ.setdefault("LP_NUM_THREADS", str(render_threads))  # lavapipe would start one a core in every worker
    kind: type[Simulation] | None = None
    try:
        kind = load_simulation(worker.module)
        seats = _Seats(connection, parent, kind, worker)
        protocol.send(connection, protocol.Ready())
        while not isinstance(message := protocol.receive(connection), protocol.Stop):
            seats.handle(message)
        seats.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent died: nobody is left to tell
    except UserError as error:
        protocol.send(connection, protocol.Refused(str(error)))
    except Exception as error:  # whatever a world raises is the episode's fate, not the run's
        reason = None if kind is None else kind.refusal(error)
        failed = protocol.EpisodeFailed(protocol.one_line(error), traceback.format_exc(limit=-60)[-20_000:])
        protocol.send(connection, protocol.Refused(reason) if reason else failed)


class _Seats:
    """Worlds beside each other in this process, each made when its seat is first used; the first one at once."""

    def __init__(self, connection: Connection, parent: int, kind: type[Simulation], worker: OwnWorker) -> None:
        self._connection, self._parent = connection, parent
        self._kind, self._options = kind, worker.options
        self._seats: dict[int, _Seat] = {}
        self._seat(0)

    def handle(self, message: protocol.Message) -> None:
        if isinstance(message, protocol.Begin):
            self._seat(message.seat).begin(message)
        elif isinstance(message, protocol.Step):
            self._seats[message.seat].step(message)
        else:
            raise TypeError(f"a worker takes no {type(message).__name__}")

    def close(self) -> None:
        for seat in self._seats.values():
            seat.simulation.close()

    def _seat(self, number: int) -> _Seat:
        if number not in self._seats:
            self._seats[number] = _Seat(self._connection, self._parent, self._kind(self._options), number)
        return self._seats[number]


class _Seat:
    """A simulation, its episode and the images."""

    def __init__(self, connection: Connection, parent: int, simulation: Simulation, number: int) -> None:
        self.simulation = simulation
        self._connection, self._parent, self._number = connection, parent, number
        self._player = EpisodePlayer(simulation, number)
        self._frames: Frames | None = None
        self._last_record = ""
        self._steps = 0

    def begin(self, begin: protocol.Begin) -> None:
        spec = EpisodeSpec.model_validate_json(begin.episode)
        self._steps = 0
        if begin.render:
            self._prepare_frames(protocol.ImagesShared(begin.slots, *self.simulation.image_size(spec), self._number))
        else:
            self._frames = None
        image = None if self._frames is None else self._frames.slot(0)
        state = self._player.begin(spec, image, begin.privileged)
        record = self.simulation.describe().model_dump_json()
        if record != self._last_record:
            protocol.send(self._connection, protocol.WorldChanged(record))
            self._last_record = record
        protocol.send(self._connection, state)

    def step(self, step: protocol.Step) -> None:
        self._steps += 1
        image = None if self._frames is None else self._frames.slot(self._steps)
        protocol.send(self._connection, self._player.step(step, image))

    def _prepare_frames(self, shared: protocol.ImagesShared) -> None:
        if self._frames is None or self._frames.shape != (shared.slots, shared.height, shared.width, 3):
            self._frames = Frames(protocol.share_images(self._connection, self._parent, shared), shared)
