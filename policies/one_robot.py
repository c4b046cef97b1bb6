"""A policy beside one robot, real or not: one image after another, one action each."""

from __future__ import annotations

import operator
from typing import Self, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eval.errors import UserError, did_you_mean
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, Policy, Proprio, RobotName
from policies.registry import check_episodes

CONTROL_FREQ = {"google_robot": 3, "widowx": 5}
"""Control steps a second of the data that policies are trained on."""
MANY_STEPS = 1_000_000
"""A robot's episode has as many steps as it takes."""
STATE = 8


class OneRobot:
    """What :func:`policies.load` gives. Use as a context manager, or call :meth:`close`.

    Args:
        policy: any; in this thread alone.
        robot: whose images these are.

    Raises:
        UserError: the policy sees the simulator's state, or is not for this robot.
    """

    def __init__(self, policy: Policy, robot: RobotName = "widowx") -> None:
        if robot not in get_args(RobotName):
            raise UserError(f'robot "{robot!s:.40}" is not known.{did_you_mean(str(robot), get_args(RobotName))}')
        if getattr(policy, "needs_privileged", False):
            raise UserError("This policy sees the simulator's state, which no camera shows; take another one.")
        self.policy = policy
        """The policy itself, for whoever has several robots: :class:`policies.base.Policy`."""
        self.robot: RobotName = robot
        self._number = self._seed = self._step = 0
        self._info: EpisodeInfo | None = None
        self._closed = False
        check_episodes(policy, [self._new("")])

    def reset(self, seed: int = 0) -> None:
        """Begin anew: forget all images, and what the gripper was told. ``seed``: of what a policy samples."""
        seed = operator.index(seed)
        self._end()
        self._seed = seed

    def predict(self, image: NDArray[np.uint8] | None, instruction: str, state: ArrayLike | None = None) -> Action:
        """The action for what the camera shows now.

        Args:
            image: (H, W, 3) uint8 RGB, the whole picture of the camera; the policy makes it smaller itself.
            instruction: what is to be done. Another one than before starts the policy's memory anew.
            state: (8,) for a policy that feels: tool position [m] and quaternion (w x y z) at the robot's base, and how far
                the gripper is open (0 .. 1).

        Returns:
            ``command`` (7,): translation [m], rotation vector [rad], gripper (WidowX: +1 open, -1 closed; Google Robot: +1
            closes, -1 opens); ``terminate``; and ``notes``, among them the images that the model saw.

        Raises:
            ValueError: the image or state is of another shape, or the instruction no text.
            RuntimeError: the policy is closed.
            EpisodeLost: the policy is served by somebody who failed.
        """
        if self._closed:
            raise RuntimeError("the policy is closed; load it again")
        if image is not None:
            _check_image(image)
        elif getattr(self.policy, "needs_image", True):
            raise ValueError("this policy needs an image, (H, W, 3) uint8 RGB, not None")
        if not isinstance(instruction, str):
            raise ValueError(f"the instruction must be a text, not {instruction!r:.40}")
        felt = np.full(STATE, np.nan, np.float32) if state is None else np.asarray(state, np.float32)
        if felt.shape != (STATE,):
            raise ValueError(f"the state must be {STATE} numbers, not of shape {felt.shape}")
        if self._info is None:
            begun = self._new(instruction)
            self.policy.reset([begun])
            self._info, self._step = begun, 0
        proprio = Proprio(felt[:3], felt[3:7], float(felt[7]), np.empty(0, np.float32))
        seen = Observation(self._info.episode, self._step, self.robot, instruction, image, proprio)
        (action,) = self.policy.act([seen])
        if isinstance(action, Exception):  # of a policy that somebody else serves
            raise action
        self._step += 1
        return action

    def close(self) -> None:
        """Free what the policy holds; may be called twice."""
        if not self._closed:
            self._closed = True
            self._end()
            self.policy.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _new(self, instruction: str) -> EpisodeInfo:
        freq = CONTROL_FREQ[self.robot]
        return EpisodeInfo(f"robot-{self._number}", "robot", self.robot, instruction, MANY_STEPS, freq, self._seed)

    def _end(self) -> None:
        if self._info is not None:
            end = getattr(self.policy, "end", None)
            if callable(end):
                end([self._info], [EpisodeResult("failure", self._step)])
            self._info = None
            self._number += 1


def _check_image(image: object) -> None:
    if not isinstance(image, np.ndarray):
        raise ValueError(f"the image must be an array, (H, W, 3) uint8 RGB, not a {type(image).__name__}")
    if image.ndim != 3 or image.shape[2] != 3 or not image.size or image.dtype != np.uint8:
        raise ValueError(f"the image must be RGB, (H, W, 3) uint8, not {image.shape} {image.dtype}")
