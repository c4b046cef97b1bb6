"""Our world as a Gymnasium environment: ``gymnasium.make("simpler_eval/widowx_carrot_on_plate-v0")``."""

from __future__ import annotations

import operator
import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from numpy.typing import ArrayLike, NDArray

from eval.errors import UserError, did_you_mean
from eval.interop.episodes import OneWorld, Seen, flag, refuse_unknown, world_keywords
from eval.plan.suites import make_plan
from task_configs import robots

OPTIONS = ("index", "episode")
LONGEST_TEXT = 2000


class SimplerEvalEnv(gymnasium.Env[dict[str, Any], NDArray[np.float32]]):
    """A setting of a SIMPLER task, one episode of our plan after another.

    Observation: ``image`` (H, W, 3) RGB, ``state`` (8,) (tool position [m] and quaternion w x y z in the frame of the robot's
    base, gripper opening 0 .. 1), and with ``text`` the ``instruction``, which is in ``info`` anyway.

    Action: (7,) translation [m] and rotation vector [rad] in the axes of the robot's base, gripper (WidowX: +1 open, -1 closed;
    Google Robot: +1 closes, -1 opens). Nothing is clipped to the space.

    An episode ends as SIMPLER's do, ``truncated`` at its step limit, and the success of the last step is its verdict; the
    reward is 1 at a step at which the task is solved, else 0. ``info`` holds ``success``, ``is_success`` (the same),
    ``instruction``, ``episode`` (the id), ``episode_index``, ``variant`` and ``episode_stats``.
    """

    metadata: ClassVar[dict[str, Any]] = {"render_modes": ["rgb_array"], "render_fps": 5}  # type: ignore[misc]

    def __init__(
        self,
        task: str | None = None,
        setting: str | None = None,
        variants: str | Sequence[str] = (),
        max_steps: int | None = None,
        limit: int | None = None,
        terminate_on_success: bool = False,
        text: bool = False,
        render_mode: str | None = None,
        assets: str | None = None,
        rt: str = "auto",
        render_device: str | None = None,
        world: str = "simpler-eval",
        *,
        of_id: str | None = None,
        **unknown: object,
    ) -> None:
        """
        Args:
            task, setting, variants, max_steps, limit: which episodes, as of ``simpler_eval.make_plan``.
            terminate_on_success: an episode ends at the first step at which the task is solved.
            text: whether the instruction is part of the observation.
            render_mode: ``rgb_array`` or None; observations have their image anyway.
            assets, rt, render_device, world: as of ``simpler_eval.run``.
            of_id: the task that the id names; nobody else's keyword.

        Raises:
            UserError: there are no such episodes, the world cannot be had, or a keyword or its value means nothing.
        """
        refuse_unknown("This environment", unknown, type(self).__init__)
        if render_mode not in (None, *self.metadata["render_modes"]):
            raise UserError(f'render_mode is "{render_mode}"; use rgb_array, or leave it out.')
        terminate_on_success, text = flag("terminate_on_success", terminate_on_success), flag("text", text)
        task = _task(task, of_id)
        self.plan = make_plan(tasks=task, setting=setting, variants=variants, max_steps=max_steps, limit=limit)
        """The episodes, by their index."""
        self.render_mode, self._ends_early = render_mode, terminate_on_success
        self._options = world_keywords(self.plan, {"assets": assets, "rt": rt, "render_device": render_device, "world": world})
        self._world: OneWorld | None = self._open()
        self._seen: Seen | None = None
        self._over = True
        self.index = 0
        config = robots()[self.plan[0].robot]
        self.metadata = {**type(self).metadata, "render_fps": config.control_freq}  # type: ignore[misc]
        size = self._world.image_size(self.plan[0])
        parts: dict[str, spaces.Space[Any]] = {
            "image": spaces.Box(0, 255, (*size, 3), np.uint8),
            "state": spaces.Box(-np.inf, np.inf, (8,), np.float32),
        }
        if text:
            parts["instruction"] = spaces.Text(LONGEST_TEXT, min_length=1, charset=_letters(self.plan))
        self.observation_space = spaces.Dict(parts)
        reach = np.array([1.0] * 3 + [np.pi / 2] * 3 + [1.0], np.float32)
        self.action_space = spaces.Box(-reach, reach, dtype=np.float32)

    @property
    def instruction(self) -> str:
        """What is to be done now."""
        return self._now().instruction

    @property
    def task_description(self) -> str:
        """The same, by the name that LeRobot looks for."""
        return self.instruction

    def reset(
        self, *, seed: int | None = None, options: Mapping[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Begin an episode.

        Args:
            seed: begins the episode of this index, counted round the plan: seeds 0 .. n - 1 are its n episodes, so that a
                vector environment, whose members get seeds in a row, plays different ones. Without a seed one is drawn.
            options: ``index`` of an episode, or ``episode``, its id; stronger than the seed.

        Raises:
            UserError: there is no such episode.
        """  # fmt: skip
        super().reset(seed=None if seed is None else operator.index(seed))
        chosen = self._chosen(dict(options or {}))
        if chosen is None:
            chosen = int(self.np_random.integers(len(self.plan))) if seed is None else operator.index(seed) % len(self.plan)
        if self._world is None:
            self._world = self._open()
        self.index = chosen
        self._seen, self._over = self._world.begin(self.plan[chosen]), False
        return self._observation(self._seen), self._info(self._seen)

    def step(self, action: ArrayLike) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Play a control step.

        Raises:
            gymnasium.error.ResetNeeded: no episode is under way.
            ValueError: the action is not seven finite numbers.
        """
        if self._over or self._world is None:
            raise gymnasium.error.ResetNeeded("No episode is under way; call reset first.")
        seen = self._seen = self._world.step(action)
        terminated = self._ends_early and seen.success
        truncated = seen.done and not terminated
        self._over = terminated or truncated
        return self._observation(seen), float(seen.success), terminated, truncated, self._info(seen)

    def render(self) -> NDArray[np.uint8] | None:
        """(H, W, 3), the image of the last observation, if the render mode is ``rgb_array``."""
        if self.render_mode is None:
            return None
        image = self._now().image
        return None if image is None else image.copy()

    def close(self) -> None:
        """Free the scene."""
        if self._world is not None:
            self._world.close()
        self._world, self._seen, self._over = None, None, True

    def _open(self) -> OneWorld:
        return OneWorld(self.plan, **self._options)

    def _now(self) -> Seen:
        if self._seen is None:
            raise gymnasium.error.ResetNeeded("No episode is under way; call reset first.")
        return self._seen

    def _chosen(self, options: dict[str, Any]) -> int | None:
        for name in options:
            if name not in OPTIONS:
                raise UserError(f'reset has no option "{name}".{did_you_mean(str(name), OPTIONS)}')
        if len(options) > 1:
            raise UserError("reset takes index or episode, not both.")
        if "index" in options:
            index = operator.index(options["index"])
            if not 0 <= index < len(self.plan):
                raise UserError(f"There is no episode {index}; the plan has {len(self.plan)}, from 0 on.")
            return index
        if "episode" in options:
            found = next((n for n, spec in enumerate(self.plan) if spec.id == options["episode"]), None)
            if found is None:
                raise UserError(
                    f'The plan has no episode "{options["episode"]!s:.40}"; its ids are those of env.unwrapped.plan.'
                )
            return found
        return None

    def _observation(self, seen: Seen) -> dict[str, Any]:
        observation: dict[str, Any] = {"image": seen.image, "state": seen.state, "instruction": seen.instruction}
        return {name: observation[name] for name in self.observation_space}  # type: ignore[attr-defined]

    def _info(self, seen: Seen) -> dict[str, Any]:
        spec = self.plan[self.index]
        return {
            "success": seen.success,
            "is_success": seen.success,
            "instruction": seen.instruction,
            "episode": spec.id,
            "episode_index": self.index,
            "variant": spec.variant,
            "episode_stats": dict(seen.stats),
        }


def _task(given: str | None, of_id: str | None) -> str:
    """Which is played: that of the id, or the one given to the id that leaves it open."""
    if of_id is None:
        if given is None:
            raise UserError("This id plays any task; say which: task='widowx_carrot_on_plate', or the path of a task file.")
        if not isinstance(given, str | os.PathLike):
            raise UserError(f"task is {given!r:.80}; give the name of one task, or the path of a task file.")
        return os.fspath(given)
    if given not in (None, of_id):
        raise UserError(f"task={given!r:.80} has no effect: this id plays {of_id}; simpler_eval/task-v0 plays any task.")
    return of_id


def _letters(plan: Sequence[Any]) -> str:
    """All that instructions are written with."""
    return "".join(
        sorted({letter for spec in plan for text in (spec.instruction, *spec.later_instructions) for letter in text})
    )
