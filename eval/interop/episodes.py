"""One episode of a plan, played in this process by whoever steps it: the same rules as in a run."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypedDict

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import JsonValue

from eval.backends.base import load_simulation
from eval.backends.protocol import State, Step
from eval.backends.selection import ORIGINAL, OWN, find_backend
from eval.episode import EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.rollout.actions import on_host
from eval.rollout.arguments import options_of
from eval.rollout.play import EpisodePlayer
from eval.sim.actions import real_numbers

LARGEST = 1e9
"""Of a command's numbers, as in a run."""


class WorldKeywords(TypedDict):
    """How our world is had by whoever steps it; see :class:`OneWorld`."""

    assets: str | None
    rt: str
    render_device: str | None
    world: str


def world_keywords(plan: Sequence[EpisodeSpec], given: Mapping[str, object]) -> WorldKeywords:
    """Keywords of :class:`OneWorld`, as ``simpler_eval.run`` takes them.

    Raises:
        UserError: a value that a run would refuse, or one without effect on the plan.
    """
    options, _ = options_of("oracle", {name: value for name, value in given.items() if value is not None})
    if options.world == ORIGINAL:
        raise UserError(f'The world "{ORIGINAL}" plays in a process of its own; here it must be {OWN} or a module.')
    if options.rt != "auto":
        options.check_for(plan)
    return WorldKeywords(assets=options.assets, rt=options.rt, render_device=options.render_device, world=options.world)


def refuse_unknown(called: str, unknown: Mapping[str, object], constructor: Callable[..., object]) -> None:
    """Raises UserError for keywords that a constructor of ours does not know."""
    for name in unknown:
        known = [known for known in inspect.signature(constructor).parameters if known not in ("self", "unknown", "of_id")]
        raise UserError(f'{called} has no option "{name}".{did_you_mean(name, known)}')


def flag(name: str, value: object) -> bool:
    """A truth value that was given. Raises UserError for anything else, which would pass for one."""
    if not isinstance(value, bool | np.bool_):
        raise UserError(f"{name} is {value!r:.80}; give True or False.")
    return bool(value)


class Seen(NamedTuple):
    """What is known after the reset or a control step."""

    image: NDArray[np.uint8] | None
    """(H, W, 3) RGB of the camera, a copy; None where nothing is rendered."""
    state: NDArray[np.float32]
    """(8,) position [m] and quaternion (w x y z) of the tool in the frame of the robot's base, gripper opening 0 .. 1."""
    instruction: str
    success: bool
    done: bool
    """Whether the step limit is reached, or the policy ended the last subtask."""
    steps: int
    stats: dict[str, JsonValue]
    """The task's ``episode_stats``."""


class OneWorld:
    """Our world in this process, for one episode after another.

    Args:
        plan: what will be played, of which it depends how it is rendered.
        assets: packs, as ``--assets``.
        rt: as ``--rt``.
        render: whether there are images.
        render_device: as ``--render-device``.
        world: as ``--world``; the original simulator lives in another process, and cannot be played here.

    Raises:
        UserError: as a run raises it.
    """

    def __init__(
        self,
        plan: Sequence[EpisodeSpec],
        assets: str | None = None,
        rt: str = "auto",
        render: bool = True,
        render_device: str | None = None,
        world: str = OWN,
    ) -> None:
        from eval.backends.base import OwnWorker

        worker = find_backend(world, None, assets, rt, plan, render_device).worker
        if not isinstance(worker, OwnWorker):
            raise UserError(f'The world "{world}" plays in a process of its own; here it must be {OWN} or a module.')
        self._simulation = load_simulation(worker.module)(worker.options)
        self._player = EpisodePlayer(self._simulation)
        self._render = render
        self._image: NDArray[np.uint8] | None = None

    def image_size(self, spec: EpisodeSpec) -> tuple[int, int]:
        """(H, W) of an episode's images."""
        return self._simulation.image_size(spec)

    def begin(self, spec: EpisodeSpec) -> Seen:
        """Reset to an episode. Raises UserError where nothing can be played at all."""
        self._image = np.zeros((*self._simulation.image_size(spec), 3), np.uint8) if self._render else None
        try:
            return self._seen(self._player.begin(spec, self._image, with_privileged=False))
        except RuntimeError as error:
            if reason := self._simulation.refusal(error):
                raise UserError(reason) from error
            raise

    def step(self, command: ArrayLike, terminate: bool = False) -> Seen:
        """Play a control step.

        Args:
            command: (7,) as :class:`policies.base.Action` has it.
            terminate: the policy considers the (sub)task done.

        Raises:
            ValueError: the command is not seven finite numbers.
        """
        numbers = real_numbers(on_host(command))
        if numbers.shape != (7,) or not (np.abs(numbers) < LARGEST).all():
            raise ValueError(f"an action must be 7 finite numbers below {LARGEST:g}, not {numbers!r:.200}")
        return self._seen(self._player.step(Step(tuple(numbers.tolist()), terminate), self._image))

    def close(self) -> None:
        """Free the scene."""
        self._simulation.close()

    def _seen(self, state: State) -> Seen:
        felt = np.array([*state.tcp_pose, state.gripper_opening], np.float32)
        image = None if self._image is None else self._image.copy()
        stats = json.loads(state.episode_stats)
        return Seen(image, felt, state.instruction, state.success, state.done, state.step, stats)
