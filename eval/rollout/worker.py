"""One simulator process: it plays one episode at a time, one control step a message.

Messages are tuples of plain values, so that a world in another interpreter can speak the same protocol.

parent -> worker
    ``("episode", spec_json, slots, render, privileged)``   reset; ``slots`` pictures are kept
    ``("step", action7, terminate)``                        one control step
    ``("stop",)``
worker -> parent
    ``("ready",)``                                          imports done
    ``("frames", slots, height, width)`` + descriptor       new shared memory for pictures
    ``("world", record)``                                   when it changes: renderer and assets, JSON text
    ``("state", step, instruction, tcp7, opening, qpos, success, done, stats_json, privileged)``
    ``("error", text)``                                     the world raised; the worker is to be replaced
    ``("refused", text)``                                   a ``UserError``: the run cannot go on

A world is named by a module with ``make_world(spec, assets, render)``, ``scene_key(spec)`` and ``open_assets(text)``.
The world is a ``gymnasium.Env``; the picture's size is read from its observation space, and ``image_out`` may be set to
the array that the next picture shall be written into. Optional in the module: ``NAME``, ``drivers()`` and ``drawing()`` for the
record, ``set_drawing(text)`` with the choice of :mod:`eval.sim.ray_tracing`,
and ``refusal(error)``: one line if an exception means that no episode can be played.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import json
import os
import signal
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from eval.assets.record import AssetsRecord
from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.rollout.frames import Frames, share

PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when ``parent`` ends, however it ends, even while this one hangs in a driver."""
    with contextlib.suppress(OSError, AttributeError):  # another system: the pipe's end still tells an idle worker
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it was gone before the request
        os.kill(os.getpid(), signal.SIGKILL)


def worker_main(
    connection: Connection, world_module: str, assets: str | None, rt: str, render_threads: int, parent: int
) -> None:
    """Serve episodes until told to stop or until the process ``parent`` is gone."""
    die_with_parent(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent alone decides
    os.environ.setdefault("LP_NUM_THREADS", str(render_threads))  # lavapipe would start one a core in every worker
    module: Any = None
    try:
        module = importlib.import_module(world_module)
        if hasattr(module, "set_drawing"):
            module.set_drawing(rt)
        session = _Session(connection, parent, module, module.open_assets(assets))
        connection.send(("ready",))
        while (message := connection.recv())[0] != "stop":
            session.handle(message)
        session.close()
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # the parent died: nobody is left to tell
    except UserError as error:
        connection.send(("refused", str(error)))
    except Exception as error:  # whatever a world raises is the episode's fate, not the run's
        hopeless = module.refusal(error) if hasattr(module, "refusal") else None
        text = f"{type(error).__name__}: {error}".splitlines()[0][:500]
        connection.send(("refused", hopeless) if hopeless else ("error", text))


class _Session:
    """The current world, its episode and the frames."""

    def __init__(self, connection: Connection, parent: int, module: Any, assets: Any) -> None:
        self.connection, self.parent, self.module, self.assets = connection, parent, module, assets
        self.world: Any = None
        self.world_key: tuple[str, bool] | None = None
        self.frames: Frames | None = None
        self.told_world = ""
        self.spec: EpisodeSpec
        self.privileged = False
        self.steps = 0
        self.is_final = True

    def handle(self, message: tuple[Any, ...]) -> None:
        if message[0] == "episode":
            self._begin(*message[1:])
        else:
            self._step(*message[1:])

    def close(self) -> None:
        if self.world is not None:
            self.world.close()
            self.world = None

    def _begin(self, spec_json: str, slots: int, render: bool, privileged: bool) -> None:
        self.spec = EpisodeSpec.model_validate_json(spec_json)
        self.privileged, self.steps = privileged, 0
        key = (self.module.scene_key(self.spec), render)
        if key != self.world_key:
            self.close()
            self.world, self.world_key = self.module.make_world(self.spec, self.assets, render=render), key
        if render:
            height, width, _ = self.world.observation_space["image"].shape
            self._prepare_frames(slots, height, width)
        else:
            self.frames = None
        self._aim_picture()
        observation, info = self.world.reset(options={"spec": self.spec})
        record = json.dumps(_world_record(self.module, self.world, render))
        if record != self.told_world:
            self.connection.send(("world", record))
            self.told_world = record
        self._report(observation, info, done=False)

    def _prepare_frames(self, slots: int, height: int, width: int) -> None:
        if self.frames is None or self.frames.shape != (slots, height, width, 3):
            self.frames = share(self.connection, self.parent, slots, height, width)

    def _aim_picture(self) -> None:
        self.world.image_out = None if self.frames is None else self.frames.slot(self.steps)

    def _step(self, action: tuple[float, ...], terminate: bool) -> None:
        """Protocol section 2: a terminate before the final subtask only moves on to the next one."""
        done = terminate and self.is_final
        if terminate and not self.is_final:
            self.world.advance_to_next_subtask()
        self.steps += 1
        self._aim_picture()
        observation, _, _, _, info = self.world.step(np.asarray(action, dtype=np.float64))
        self._report(observation, info, done=done or self.steps >= self.spec.max_steps)

    def _report(self, observation: dict[str, Any], info: dict[str, Any], done: bool) -> None:
        if self.frames is not None:
            slot = self.frames.slot(self.steps)
            if not np.may_share_memory(observation["image"], slot):
                slot[...] = observation["image"]
        self.is_final = bool(info["is_final_subtask"])
        self.connection.send(
            (
                "state",
                self.steps,
                str(info["instruction"]),
                tuple(map(float, observation["tcp_pose"])),
                float(observation["gripper_opening"][0]),
                tuple(map(float, observation["qpos"])),
                bool(info["success"]),
                done,
                json.dumps(info["episode_stats"], default=_plain),
                self.world.privileged() if self.privileged else None,
            )
        )


def _plain(value: Any) -> Any:
    """NumPy scalars among the episode stats as JSON values."""
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"episode_stats hold a {type(value).__name__}, not a JSON scalar")


def _world_record(module: Any, world: Any, rendering: bool) -> dict[str, Any]:
    """What ``run.json`` says about the world: its name, the files it reads, the device it renders on."""
    record: dict[str, Any] = {"name": getattr(module, "NAME", module.__name__), "assets": None, "device": None}
    if hasattr(world, "assets_record"):
        assets = world.assets_record()
        record["assets"] = assets.model_dump(mode="json") if isinstance(assets, AssetsRecord) else assets
    if rendering and hasattr(world, "device_summary"):
        with contextlib.suppress(Exception):  # a run does not fail for want of a line about its GPU
            record["device"] = str(world.device_summary)
    if rendering and hasattr(module, "drawing"):
        record["drawing"] = module.drawing()
    if rendering and hasattr(module, "drivers"):
        record["drivers"] = module.drivers()
    return record
