"""Replicas as actors of a Ray cluster.

Ray decides where they are, notices a node that dies, and starts its actors anew elsewhere or when a node joins; the head gives
the episodes of a lost one to others meanwhile. Nothing is unpickled that does not come from the cluster.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pickle
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from eval.episode import EpisodeSpec
from eval.errors import UserError, needs_extra
from eval.given import absolute
from eval.nouns import counted
from eval.records.options import RunOptions
from eval.records.provenance import sources_hash
from eval.rollout.interrupts import SIGNALS
from eval.rollout.replicas import messages, node
from eval.rollout.replicas.messages import Setup
from eval.rollout.replicas.placement import uses_card
from eval.rollout.replicas.team import Team
from eval.version import VERSION

LOCAL = "local"
RESTARTS = 3
"""Of one actor."""
CONNECT_SECONDS = 5.0
TRY_SECONDS = 30.0
"""That a cluster may take to let a process in."""
AUTH_MODE, TOKEN_FILE = "RAY_AUTH_MODE", "~/.ray/auth_token"
TOKEN, TOKEN_PATH = "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"
TRY = "import sys, ray; ray.init(address=sys.argv[1], log_to_driver=False, logging_level='ERROR')"
LISTEN_SECONDS = 2.0
"""That an actor waits for its replica to say something."""
RETRY_SECONDS = 0.2
NO_ROOM_SECONDS = 120.0
"""Without a node that has room for any replica, after which a run gives up."""


@dataclass(frozen=True)
class Share:
    """What one replica reserves."""

    replicas: int
    cpus: int
    gpus: float


def open_cluster(options: RunOptions, plan: Sequence[EpisodeSpec], folder: str | None) -> Team:
    """Connect to the cluster that ``options.cluster`` names and start the replicas.

    Raises:
        UserError: Ray is not installed, nothing answers at the address, or the cluster has less than what is asked for.
    """
    assert options.cluster is not None
    ray = connect(options.cluster)
    try:
        share = share_of([each["Resources"] for each in ray.nodes() if each["Alive"]], options, len(plan) * options.repeat)
        if options.policy_args.get("checkpoint") and os.path.isdir(str(options.policy_args["checkpoint"])):
            args = {**options.policy_args, "checkpoint": absolute(str(options.policy_args["checkpoint"]))}
            options = options.model_copy(update={"policy_args": args})
        own = options.model_copy(update={"workers": options.workers or share.cpus})
        setup = Setup(own, tuple(plan), share.gpus > 0, {}, beside=1, folder=folder, elsewhere=True)
        return ClusterTeam(ray, share, setup)
    except BaseException:
        ray.shutdown()
        raise


def connect(address: str) -> Any:  # noqa: ANN401  the package, which has no types
    """Ray, connected. Raises UserError, one line, where that is not possible."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    check_address(address)
    check_installed()
    if address == LOCAL:
        _have_token_of_its_own()
    else:
        _refuse_silent(address)
        if (mode := _mode_that_works(address)) is not None:
            os.environ[AUTH_MODE] = mode
    import ray  # it reads its environment when it is loaded

    handlers = {number: signal.getsignal(number) for number in SIGNALS}
    settings: dict[str, Any] = {"include_dashboard": False} if address == LOCAL else {}
    try:
        ray.init(address=address, log_to_driver=False, logging_level="ERROR", **settings)
    except Exception as error:  # a family of errors, of its own and of others
        reason = " ".join(str(error).split())[:300]
        raise UserError(f"--cluster {address}: Ray cannot be used: {type(error).__name__}: {reason}") from error
    finally:
        for number, handler in handlers.items():  # Ray puts its own in the place of those that keep what is finished
            with contextlib.suppress(TypeError, ValueError):
                signal.signal(number, handler)
    return ray


def _have_token_of_its_own() -> None:
    """For a cluster that ends with this process. Ray would put one into the user's home, where every later `ray start --head`
    takes it, while `ray start --address` does not.
    """
    if not {AUTH_MODE, TOKEN, TOKEN_PATH} & os.environ.keys():
        os.environ |= {AUTH_MODE: "token", TOKEN: secrets.token_hex(32)}


def check_address(address: str) -> None:
    """Raises UserError for what is no address."""
    host, _, port = address.rpartition(":")
    if address != LOCAL and (not host or not port.isdigit() or "/" in host):
        raise UserError(f'--cluster "{address}" is no address; give HOST:PORT of the head of a Ray cluster, or {LOCAL}.')


def check_installed() -> None:
    """Raises UserError if there is no Ray."""
    if importlib.util.find_spec("ray") is None:
        raise needs_extra("--cluster", "ray", "ray")


def _refuse_silent(address: str) -> None:
    """Raises UserError where nothing answers; Ray itself would try for a minute, and in many lines."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UserError(
            f"--cluster {address} does not answer ({reason}); `ray status --address {address}` says whether a cluster runs "
            f"there, `ray start --head` starts one, {LOCAL} needs none."
        ) from error


def _mode_that_works(address: str) -> str | None:
    """How Ray must be told to prove itself to a cluster, if it must be told.

    `ray start` asks for the token of the user who started it where there is one, and Ray itself sends it to an address only
    with RAY_AUTH_MODE=token. It is tried out in processes of their own: what does not answer is waited for in many lines.

    Raises:
        UserError: what answers there is no Ray cluster, or not one that lets us in.
    """
    modes: list[str | None] = [None] if AUTH_MODE in os.environ else [None, "token"]
    for mode in modes:  # one after the other: a driver that is killed on its way in can take the next one's actors along
        environment = {**os.environ, **({AUTH_MODE: mode} if mode is not None else {})}
        with contextlib.suppress(subprocess.TimeoutExpired):
            done = subprocess.run(
                [sys.executable, "-c", TRY, address],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                timeout=TRY_SECONDS,
                check=False,
            )
            if done.returncode == 0:
                return mode
    raise UserError(
        f"--cluster {address}: what answers there is no Ray cluster that lets this process in; it must run the Ray and the "
        f"Python that run here, have this host as a node, and ask for no other token than {TOKEN_FILE} or RAY_AUTH_TOKEN. "
        f"`ray status --address {address}` says more."
    )


def share_of(nodes: Sequence[Mapping[str, float]], options: RunOptions, episodes: int) -> Share:
    """How many replicas a cluster has, and what each reserves.

    Without ``replicas`` one a GPU (one a node, where the policy needs none), each with the cores of its node that are its
    share, as many simulator workers, and no more replicas than episodes.

    Args:
        nodes: Ray's resources of each node, such as ``{"CPU": 16.0, "GPU": 1.0}``.
        options: of the run.
        episodes: that it plays at most.

    Raises:
        UserError: the cluster has less than what is asked for.
    """
    gpus = int(sum(each.get("GPU", 0) for each in nodes))
    cpus = [int(each.get("CPU", 0)) for each in nodes if each.get("CPU", 0) >= 1]
    has = f"it has {counted(len(nodes), 'node')}, {counted(sum(cpus), 'CPU')} and {counted(gpus, 'GPU')}"
    if options.gpus is not None and options.gpus > gpus:
        raise UserError(f"--gpus {options.gpus} is more than the cluster {options.cluster} has: {has}.")
    if not cpus:
        raise UserError(f"The cluster {options.cluster} has no CPUs to play on: {has}.")
    used = options.gpus if options.gpus is not None else gpus if gpus and uses_card(options) else 0
    if options.replicas is not None and options.replicas < used and options.gpus is not None:
        raise UserError(
            f"--replicas {options.replicas} leaves GPUs of --gpus {options.gpus} idle; give at least {options.gpus}."
        )
    if used:
        number = options.replicas or used
        with_cards = [each for each in nodes if each.get("GPU", 0) >= 1]
        a_card = min(int(each.get("CPU", 0) / each["GPU"]) for each in with_cards)
        each_cpus = max(1, int(a_card * used / number))
        each_gpus = used / number if number > used else 1.0
    else:
        number = options.replicas or len(cpus)
        each_cpus = _cores_each(cpus, number)
        each_gpus = 0.0
    if each_cpus * number > sum(cpus):
        raise UserError(f"--replicas {number} is more than the cluster {options.cluster} has CPUs for: {has}.")
    return Share(max(1, min(number, episodes)), each_cpus, each_gpus)


def _cores_each(cpus: Sequence[int], number: int) -> int:
    """The most cores that every one of ``number`` replicas can have, none of them on two nodes; 1 where they do not fit."""
    return next((cores for cores in range(max(cpus), 0, -1) if sum(each // cores for each in cpus) >= number), 1)


@dataclass
class _Actor:
    handle: Any
    asked: Any
    """What Ray is to answer next."""
    stage: Literal["hello", "begin", "listen"] = "hello"


class ClusterTeam(Team):
    """An actor a replica.

    Args:
        ray: the package, connected.
        share: of each.
        setup: what all replicas are made of.
    """

    def __init__(self, ray: Any, share: Share, setup: Setup) -> None:  # noqa: ANN401
        super().__init__([f"replica {number + 1}" for number in range(share.replicas)])
        self._ray, self._setup = ray, ray.put(pickle.dumps(setup))
        self._version = VERSION, sources_hash()
        ray.cloudpickle.register_pickle_by_value(node)
        kind = ray.remote(node.Node).options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_restarts=RESTARTS,
            max_task_retries=0,  # an episode that was on its way is the head's matter
            max_concurrency=4,
            scheduling_strategy="SPREAD",
        )
        self._actors: dict[int, _Actor] = {}
        for number in range(share.replicas):
            handle = kind.remote()
            self._actors[number] = _Actor(handle, handle.hello.remote(*self._version))
        self._room_since = time.monotonic()

    def events(self, timeout: float) -> Iterator[tuple[int, messages.FromReplica]]:
        """What the replicas have said by now."""
        asked = {actor.asked: number for number, actor in self._actors.items()}
        if not asked:
            time.sleep(timeout)
            return
        done, _ = self._ray.wait(list(asked), num_returns=1, timeout=timeout)
        if done:
            done, _ = self._ray.wait(list(asked), num_returns=len(asked), timeout=0)
        for reference in done:
            number = asked[reference]
            if number in self._actors:
                yield from self._answered(number, self._actors[number], reference)
        if any(actor.stage != "hello" for actor in self._actors.values()):
            self._room_since = time.monotonic()
        elif time.monotonic() - self._room_since > NO_ROOM_SECONDS:
            for number in list(self._actors):
                yield number, messages.Lost(f"no node of the cluster had room for it for {NO_ROOM_SECONDS:g} s")

    def _answered(self, number: int, actor: _Actor, reference: object) -> Iterator[tuple[int, messages.FromReplica]]:
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(reference)
        except errors.ActorUnavailableError:  # Ray starts it anew
            before, actor.stage = actor.stage, "hello"
            if before == "hello":
                time.sleep(RETRY_SECONDS)  # not yet
            actor.asked = actor.handle.hello.remote(*self._version)
            if before != "hello":
                yield number, messages.Lost("its node or its process died", returns=True)
            return
        except errors.RayError as error:
            yield number, messages.Lost(f"its node or its process died ({type(error).__name__})")
            return
        if actor.stage == "hello":
            host, problem = answer
            self.names[number] = f"replica {number + 1} on {host}"
            if problem is not None:
                yield number, messages.Refused(f"Node {host} cannot play: {problem}.")
                return
            actor.stage, actor.asked = "begin", actor.handle.begin.remote(self._setup)
        elif actor.stage == "begin":
            actor.stage = "listen"
            actor.asked = actor.handle.receive.remote(LISTEN_SECONDS)
        else:
            said, end = answer
            actor.asked = actor.handle.receive.remote(LISTEN_SECONDS)
            for message in map(pickle.loads, said):
                yield number, message
            if end is not None and number in self._actors:
                self._ray.kill(actor.handle, no_restart=False)
                actor.stage, actor.asked = "hello", actor.handle.hello.remote(*self._version)
                yield number, messages.Lost(end, returns=True)

    def send(self, number: int, message: messages.ToReplica) -> None:
        """Say something; Ray keeps the order."""
        if (actor := self._actors.get(number)) is not None:
            actor.handle.send.remote(pickle.dumps(message))

    def dismiss(self, number: int) -> None:
        """Kill it, if it is there."""
        if (actor := self._actors.pop(number, None)) is not None:
            with contextlib.suppress(Exception):  # it may be gone, and the cluster with it
                self._ray.kill(actor.handle, no_restart=True)

    def close(self) -> None:
        """Kill whoever is left and leave the cluster."""
        for number in list(self._actors):
            self.dismiss(number)
        self._ray.shutdown()
