"""A server in this process, its policy in a thread of its own, and clients of the plain kind."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Iterator

import numpy as np
from websockets.sync.client import ClientConnection, connect

from eval.serving.options import ServingOptions
from eval.serving.serve import Serving, serving
from eval.wire.openpi import pack_map, unpack_map
from eval.wire.vla_eval import Kind, Message, pack_message, unpack_message
from policies.base import Action, PolicyDescription


class Kept:
    """A log that is looked at."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def __call__(self, line: str, details: str = "") -> None:
        self.lines.append(f"{line}\n{details}")


@contextlib.contextmanager
def served(policy: str, args: dict | None = None, log: Kept | None = None, **options: object) -> Iterator[Serving]:
    """``policy`` at a free port while this lasts."""
    ready: list[Serving] = []
    problem: list[BaseException] = []
    came = threading.Event()

    def answer() -> None:
        try:
            with serving(policy, args or {}, ServingOptions(**{"port": 0, **options}), log or Kept()) as server:
                ready.append(server)
                came.set()
                server.desk.run()
        except BaseException as error:
            problem.append(error)
            came.set()

    thread = threading.Thread(target=answer)
    thread.start()
    came.wait()
    if problem:
        thread.join()
        raise problem[0]
    try:
        yield ready[0]
    finally:
        ready[0].desk.stop()
        thread.join()
        if problem:
            raise problem[0]


PICTURE = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)


class VlaClient:
    """As vla-eval's harness talks."""

    def __init__(self, url: str, **hello: object) -> None:
        self.socket: ClientConnection = connect(url, compression=None, max_size=None, proxy=None).__enter__()
        self.seq = 0
        self.hello = self.ask(Kind.HELLO, {"harness_version": "0", "protocol_version": 1, **hello}).payload

    def say(self, kind: Kind, payload: dict) -> None:
        self.seq += 1
        self.socket.send(pack_message(Message(kind, payload, self.seq)))

    def ask(self, kind: Kind, payload: dict) -> Message:
        self.say(kind, payload)
        answer = unpack_message(self.socket.recv(timeout=20))
        assert answer.seq == self.seq
        return answer

    def begin(self, **task: object) -> None:
        self.say(Kind.EPISODE_START, {"task": {"robot": "widowx", **task}})

    def look(self, **more: object) -> dict:
        """The answer to an observation, or ``{"error": ...}``."""
        return dict(self.ask(Kind.OBSERVATION, {"images": {"primary": PICTURE}, "task_description": "do it", **more}).payload)

    def close(self) -> None:
        self.socket.close()


class OpenpiClient:
    """As openpi's client talks."""

    def __init__(self, url: str) -> None:
        self.socket: ClientConnection = connect(url, compression=None, max_size=None, proxy=None).__enter__()
        self.metadata = unpack_map(self.socket.recv(timeout=20))

    def infer(self, **more: object) -> dict | str:
        request = {"observation/image": PICTURE, "prompt": "do it", "robot": "widowx", **more}
        self.socket.send(pack_map(request))
        answer = self.socket.recv(timeout=20)
        return answer if isinstance(answer, str) else unpack_map(answer)

    def close(self) -> None:
        self.socket.close()


def _noted() -> dict[str, list]:
    """Of this policy, whatever copy of this module it comes from: policies of files are modules of their own."""
    return sys.__dict__.setdefault("_served_notes", {"batches": [], "ended": [], "reset": []})


class Remembers:
    """Counts its own steps an episode; commands (step, batch size, mean of the picture). Waits and fails on demand."""

    needs_image, needs_privileged = True, False

    def __init__(self, prefer: int | str | None = None) -> None:
        self.preferred_batch = None if prefer is None else int(prefer)
        self.steps: dict[str, int] = {}

    def reset(self, episodes):
        for info in episodes:
            if info.task == "unbeginnable":
                raise RuntimeError("/secret/path cannot be begun")
            self.steps[info.episode] = 0
            _noted()["reset"].append(info)

    def act(self, observations):
        _noted()["batches"].append([o.episode for o in observations])
        gate = sys.__dict__.get("_served_gate")
        if gate is not None and any(o.instruction == "wait" for o in observations):
            gate.wait(20)
        if any(o.instruction == "fail" for o in observations):
            raise RuntimeError("/secret/path is not there")
        actions = []
        for o in observations:
            assert o.step == self.steps[o.episode], "the server counts as the policy does"
            actions.append(Action(np.array([self.steps[o.episode], len(observations), o.image.mean(), 0, 0, 0, 1.0])))
            self.steps[o.episode] += 1
        return actions

    def end(self, episodes, results):
        for info, result in zip(episodes, results, strict=True):
            _noted()["ended"].append((info.episode, result.status, result.steps))
            self.steps.pop(info.episode)

    def describe(self):
        return PolicyDescription(name="remembers", details={"where": "/secret/path"})

    def close(self): ...


class Oracle(Remembers):
    needs_privileged = True
