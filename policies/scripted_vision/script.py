"""Take what was seen, and put it where the goal was seen. All poses are in the frame of the robot's base."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from policies.base import Action, EpisodeInfo, Observation, Proprio
from policies.motion import (
    BRISK,
    GOOGLE,
    WIDOWX,
    Array,
    Hand,
    Standstill,
    angle_to,
    distance,
    grasp_rotation,
    hand_of,
    raised,
    rotation,
    steer,
)
from policies.scripted_vision.camera import CAMERAS, Camera
from policies.scripted_vision.jobs import Job, Thing
from policies.scripted_vision.seeing import Silhouette, find

HOVER = 0.09
"""m above where the fingers close: the way there, the way to the goal, and how far a thing is lifted at least."""
SEEN_WHOLE = 0.95
"""Share of the most pixels that a thing has shown; a smaller view is partly hidden, and the older one is remembered."""
IN_HAND = 0.05
"""m from the tool: a thing that is seen farther away was not lifted."""
EASE = 0.4
"""Share of the remaining distance that one step of a WidowX's descent commands; its arm follows late."""
NEAR, ALIGNED, LOW = 0.02, 0.06, 0.004
"""m and rad from the pose above the thing, and m from where the fingers close, at which the next phase begins."""
FAR = 0.15
"""m; beyond, a Google arm moves faster."""
MOST_STEPS = {"descend": 14, "lift": 12, "carry": 25, "lower": 10}
CLOSING_STEPS, HELD_STEPS, RELEASE_STEPS, RETREAT_STEPS = 5, 7, 3, 4


@dataclass(frozen=True)
class Felt:
    """What the robot feels of its tool; the base is the origin."""

    tcp: Array
    base: Array = field(default_factory=lambda: np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]))

    @classmethod
    def of(cls, proprio: Proprio) -> Felt:
        """From an observation."""
        return cls(np.concatenate([proprio.tcp_position, proprio.tcp_quaternion]).astype(np.float64))


class Misjudgement:
    """Errors of an eye that is off by ``spread`` m (standard deviation, each way), from an episode's seed and id."""

    def __init__(self, spread: float, info: EpisodeInfo) -> None:
        self._spread = spread
        digest = hashlib.blake2b(f"{info.seed} {info.episode}".encode(), digest_size=16).digest()
        # Not default_rng: only this generator promises the same normal numbers in every version of NumPy.
        self._random = np.random.RandomState(np.frombuffer(digest, "<u4").astype(np.uint32))

    def next(self) -> Array:
        """(2,) m."""
        return self._spread * self._random.standard_normal(2)


class View:
    """What is remembered of a thing: how it was seen when the least of it was hidden."""

    def __init__(self, thing: Thing, error: Array) -> None:
        """``error`` (2,) m, by which it is misjudged where the thing lies."""
        self.thing, self.error = thing, error
        self.seen: Silhouette | None = None
        self._most = 0

    def look(self, hsv: NDArray[np.uint8], camera: Camera) -> None:
        """Keep what is seen now, unless more of the thing was seen before."""
        now = find(hsv, self.thing.colours, camera, self.thing.middle)
        if now is not None and now.pixels >= SEEN_WHOLE * self._most:
            self.seen, self._most = now, max(self._most, now.pixels)

    @property
    def place(self) -> Array | None:
        """(2,) m, where the thing is taken to be."""
        return None if self.seen is None else self.seen.centre + self.error

    def is_held(self, hsv: NDArray[np.uint8], camera: Camera, tool: Array, lifted: float) -> bool:
        """Whether it is seen at the ``tool`` (2,) m when taken to be ``lifted`` m, or hidden, as the hand may hide it."""
        now = find(hsv, self.thing.colours, camera, self.thing.middle + lifted)
        return now is None or float(np.linalg.norm(now.centre - tool)) < IN_HAND


class Script:
    """One episode: look and hover, descend, close, lift, and with a goal carry, lower, let go, retreat.

    A thing that stayed behind is looked for and taken again. What is not seen yet is waited for.
    """

    def __init__(self, job: Job, misjudgement: Misjudgement) -> None:
        """``misjudgement``: by how much it errs on every new look at a thing."""
        self.job, self._misjudgement = job, misjudgement
        self.thing = View(job.thing, misjudgement.next())
        self.goal = None if job.goal is None else View(job.goal, misjudgement.next())
        self.phase = "hover"
        self._steps = 0
        self._standstill = Standstill()
        self._turned = Rotation.identity()

    def act(self, observation: Observation) -> Action:
        """Next action; the observation carries an image."""
        if observation.image is None:
            raise ValueError("scripted_vision needs images")
        hand, felt = hand_of(observation.robot), Felt.of(observation.proprio)
        camera = CAMERAS[self.job.camera](observation.proprio.qpos.astype(np.float64))
        self._steps += 1
        if self.phase == "hover" or (self.phase == "lift" and self._is_up(felt)):
            self._look(cv2.cvtColor(observation.image, cv2.COLOR_RGB2HSV).astype(np.uint8, copy=False), camera, felt)
        if self.phase in ("hover", "descend", "close"):
            return self._take(hand, felt)
        return self._bring(hand, felt)

    def _look(self, hsv: NDArray[np.uint8], camera: Camera, felt: Felt) -> None:
        if self.phase == "hover":
            for view in (self.thing, self.goal):
                if view is not None:
                    view.look(hsv, camera)
        elif self.goal is not None and self.goal.seen is None:
            self.goal.look(hsv, camera)
        elif not self.thing.is_held(hsv, camera, felt.tcp[:2], float(felt.tcp[2]) - self.job.grasp):
            self.thing = View(self.job.thing, self._misjudgement.next())
            self.thing.look(hsv, camera)
            self._go("hover")

    def _is_up(self, felt: Felt) -> bool:
        return bool(felt.tcp[2] > self.job.grasp + HOVER - NEAR)

    def _take(self, hand: Hand, felt: Felt) -> Action:
        if self.phase == "close":
            self._turned = rotation(felt.tcp)
            if self._steps >= CLOSING_STEPS:
                self._go("lift")
            return _still(hand.close_command)
        opened = hand.open_command if self._steps == 1 and self.phase == "hover" else hand.hold_command
        seen, place = self.thing.seen, self.thing.place
        if seen is None or place is None:
            return _still(opened)
        point = np.array([*place, self.job.grasp])
        turned = grasp_rotation(hand, felt, point, self._across(seen))
        if self.phase == "hover":
            above = raised(point, HOVER)
            there = distance(felt, above) < NEAR and angle_to(felt, turned) < ALIGNED
            if there or self._standstill.seen(felt):
                self._go("descend")
            pace = BRISK if hand is GOOGLE and distance(felt, above) > FAR else hand
            return Action(steer(pace, felt, above, turned, opened))
        if distance(felt, point) < LOW or self._steps > MOST_STEPS["descend"]:
            self._go("close")
        if hand is WIDOWX:
            point = felt.tcp[:3] + EASE * (point - felt.tcp[:3])
        return Action(steer(hand, felt, point, turned, opened))

    def _across(self, seen: Silhouette) -> Array:
        """(3,) direction in which the fingers meet: across the longer one."""
        x, y = seen.axis
        if self.job.thing.square:
            x, y = (1.0, 0.0) if abs(x) > abs(y) else (0.0, 1.0)
        return np.array([-y, x, 0.0])

    def _bring(self, hand: Hand, felt: Felt) -> Action:
        goal = None if self.goal is None else self.goal.place
        over = felt.tcp[:2] if goal is None else goal
        low, high = self.job.grasp + self.job.let_go, self.job.grasp + self.job.let_go + HOVER
        if self.phase == "lift":
            if goal is not None and (felt.tcp[2] > high - NEAR or self._steps > MOST_STEPS["lift"]):
                self._go("carry")
            held = self.goal is None and self._is_up(felt) and self._steps > HELD_STEPS + MOST_STEPS["lift"]
            return Action(steer(hand, felt, np.array([*felt.tcp[:2], high + NEAR]), self._turned, hand.close_command), held)
        if self.phase == "carry":
            if np.linalg.norm(felt.tcp[:2] - over) < LOW or self._steps > MOST_STEPS["carry"]:
                self._go("lower")
            return Action(steer(hand, felt, np.array([*over, high]), self._turned, hand.close_command))
        if self.phase == "lower":
            if abs(felt.tcp[2] - low) < LOW or self._steps > MOST_STEPS["lower"]:
                self._go("release")
            return Action(steer(hand, felt, np.array([*over, low]), self._turned, hand.close_command))
        if self.phase == "release":
            if self._steps >= RELEASE_STEPS:
                self._go("retreat")
            return _still(hand.open_command)
        up = np.array([*felt.tcp[:2], high])
        return Action(steer(hand, felt, up, self._turned, hand.open_command), self._steps >= RETREAT_STEPS)

    def _go(self, phase: str) -> None:
        self.phase, self._steps = phase, 0
        self._standstill = Standstill()


def _still(gripper: float) -> Action:
    return Action(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, gripper]))
