"""``simpler-eval serve``: load a policy, try it, then answer whoever connects until somebody ends it."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from eval.errors import UserError, needs_extra
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls, PolicyNeeds
from eval.rollout.policy_closing import close_policy
from eval.serving.desk import PolicyDesk
from eval.serving.listener import Listener, bound
from eval.serving.log import Log
from eval.serving.options import ServingOptions
from eval.serving.requests import ROBOTS, Served
from policies.base import EpisodeInfo, EpisodeResult, Observation, PolicyDescription, Proprio, RobotName
from policies.registry import check_episodes, check_policy

IMAGE_SIZES: Mapping[RobotName, tuple[int, int]] = {"google_robot": (512, 640), "widowx": (480, 640)}
"""Of what a policy is tried on: H, W of the robots' cameras (task_configs/robots.yaml)."""
JOINTS: Mapping[RobotName, int] = {"google_robot": 11, "widowx": 8}


PACKAGES = ("websockets", "msgpack")


@dataclass(frozen=True)
class Serving:
    """A server that listens."""

    url: str
    policy: PolicyDescription
    served: Served
    desk: PolicyDesk
    listener: Listener


@contextlib.contextmanager
def serving(
    name: str,
    args: Mapping[str, object],
    options: ServingOptions,
    log: Log | None = None,
    on_load: Callable[[], None] = lambda: None,
) -> Iterator[Serving]:
    """Load a policy, try it on a black picture, and listen while this lasts. The policy answers in :meth:`PolicyDesk.run`,
    which is to be called in the same thread. ``on_load`` is called when the port is had, before the policy is loaded.

    Raises UserError, before anything is loaded where that is possible: the port cannot be had; the policy cannot be made, sees
    the simulator's state, or is not for the robot.
    """
    log = log or Log()
    check_policy(name, args, own=False)
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            raise needs_extra("serve", package, "remote")
    place = bound(options.host, options.port)
    on_load()
    try:
        with Interrupts() as interrupts, PolicyCalls(interrupts) as calls:
            policy = calls.make(name, args)
            try:
                needs = PolicyNeeds.of(policy)
                if needs.privileged:
                    raise UserError(
                        f"Policy {name} sees the simulator's state, which clients do not have; it cannot be served."
                    )
                description = calls.describe(name, args)
                served = Served(_robots(calls, name, options.robot), options.robot, needs.image)
                with calls.preparing():
                    _try(calls, served)
                    desk = PolicyDesk(calls, log)
                    largest = options.message_mb * 2**20
                    with Listener(
                        place, options.protocol, desk, served, description, largest, options.clients, log
                    ) as listener:
                        yield Serving(listener.url, description, served, desk, listener)
            finally:
                close_policy(calls, name)
    finally:
        place.close()


def serve(
    name: str,
    args: Mapping[str, object] | None = None,
    options: ServingOptions | None = None,
    on_ready: Callable[[Serving], None] = lambda _: None,
    on_load: Callable[[], None] = lambda: None,
) -> tuple[int, int]:
    """Serve a policy until Ctrl-C or SIGTERM.

    Args:
        name: of the policy, as ``--policy``.
        args: its options.
        options: how it is served.
        on_ready: called when it listens.
        on_load: called before the policy is loaded, when the port is had.

    Returns:
        Episodes and actions.
    """  # fmt: skip
    with serving(name, args or {}, options or ServingOptions(), on_load=on_load) as server:
        on_ready(server)
        with contextlib.suppress(KeyboardInterrupt):
            server.desk.run()
        return server.desk.episodes, server.desk.actions


def _robots(calls: PolicyCalls, name: str, wished: RobotName | None) -> tuple[RobotName, ...]:
    """Whose episodes the policy plays. Raises UserError with the policy's own words if it plays none that is wished."""
    robots: list[RobotName] = []
    refusal: UserError | None = None
    for robot in ROBOTS if wished is None else (wished,):
        try:
            check_episodes(calls.policy, [_episode(robot)])
            robots.append(robot)
        except UserError as error:
            refusal = error
    if not robots and refusal is not None:
        raise refusal
    return tuple(robots)


def _episode(robot: RobotName) -> EpisodeInfo:
    return EpisodeInfo(f"try-{robot}", "try", robot, "pick up the can", 2, 5, 0)


def _try(calls: PolicyCalls, served: Served) -> None:
    """Let the policy answer once for each robot: libraries warm up, and what cannot work is known before anybody connects."""
    for robot in served.robots:
        info = _episode(robot)
        image = np.zeros((*IMAGE_SIZES[robot], 3), np.uint8) if served.needs_image else None
        tool = np.array([0.3, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0], np.float32)
        proprio = Proprio(tool[:3], tool[3:], 1.0, np.zeros(JOINTS[robot], np.float32))
        fault = calls.reset(info)
        answer = None if fault else calls.act([Observation(info.episode, 0, robot, info.instruction, image, proprio)])
        fault = fault or (answer.faults.get(info.episode) if answer else None)
        calls.end(info, EpisodeResult("errored", 0, "it was tried") if fault else EpisodeResult("failure", 1))
        if fault is not None:
            raise UserError(f"The policy failed when it was tried on a black picture of {robot}: {fault.text}.")
