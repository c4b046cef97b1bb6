"""How a frame of a film is laid out: the camera picture large, below it what is played and how it goes, and the action as bars;
beside it the model's input, where the policy noted one.

All sizes follow from the frame's width, so that the text is as large on a page, whatever the camera's size.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from eval.records.action_bars import ActionBars
from eval.records.lettering import Color, line_height, text_width, wrapped, write
from eval.records.policy_view import Seen

LEAST_WIDTH = 400
"""Pixels of the camera picture: a smaller one is enlarged by a whole number, for text to be readable on it."""
UNITS = 40
"""A frame is so many units wide."""
PANEL = (0.0, 0.6, 0.5)
"""Width beside the camera picture, as a share of its height, by how many input images there are."""
GROUND: Color = (22, 23, 26)
WHITE: Color = (240, 240, 240)
QUIET: Color = (170, 173, 180)
DARK: Color = (16, 16, 18)
GREEN: Color = (90, 220, 110)
RED: Color = (255, 110, 90)
TRACK: Color = (60, 62, 68)


def picture_size(height: int, width: int) -> tuple[int, int]:
    """(height, width) of the camera picture in a frame, at its upper left, for the camera's own size."""
    times = _enlargement(width)
    return height * times // 2 * 2, width * times // 2 * 2


def _enlargement(width: int) -> int:
    return max(1, math.ceil(LEAST_WIDTH / width))


class FrameLayout:
    """Draws the frames of one film.

    Args:
        camera: (height, width) of its images.
        instruction: of the episode.
        policy: its name.
        last: step of the last image.
        inputs: images that the policy noted at a step at most.
        scales: of the bars (``action_bars.full_scales``).
        metric: whether the actions are metres and radians.
    """

    def __init__(
        self, camera: tuple[int, int], instruction: str, policy: str, last: int, inputs: int, scales: tuple[float, ...],
        metric: bool,
    ) -> None:  # fmt: skip
        height, width = self.picture = picture_size(*camera)
        panel = round(height * PANEL[min(inputs, len(PANEL) - 1)]) // 2 * 2
        whole = width + panel
        self._last, self._inputs = max(last, 1), inputs
        self._unit = unit = whole / UNITS
        self._pad, self._line = round(unit * 0.8), max(2, round(unit * 0.25))
        self._large, self._state, self._small = round(unit * 1.5), round(unit * 1.3), round(unit * 1.1)
        room = height - max(inputs, 1) * (line_height(self._small) + self._pad // 2)
        self._side = min(panel - self._pad, room // max(inputs, 1))

        lines = wrapped(instruction, self._large, whole - 2 * self._pad, 2)
        self._state_row = height + self._line + self._pad // 2 + line_height(self._large) * max(1, len(lines)) + 1
        self._policy_row = self._state_row + line_height(self._state) + self._pad // 2
        bars, bars_width = round(unit * 6.2), round(unit * 21)
        below = max(self._policy_row + 2 * line_height(self._small), self._state_row + bars) + self._pad // 2
        self.size = ((below + 1) // 2 * 2, whole)
        """(height, width) of a frame, even numbers, as the codec needs them."""
        left = whole - bars_width - self._pad // 2
        self._bars = ActionBars(left, self._state_row, bars_width, bars, round(unit * 1.08), scales, metric)
        self._ground = self._drawn_ground(lines, policy)

    def _drawn_ground(self, lines: Sequence[str], policy: str) -> NDArray[np.uint8]:
        """What is the same in every frame."""
        image = Image.new("RGB", self.size[::-1], GROUND)
        draw = ImageDraw.Draw(image)
        for number, line in enumerate(lines):
            top = self.picture[0] + self._line + self._pad // 2 + number * line_height(self._large)
            write(draw, self._pad, top, line, self._large, WHITE)
        for number, line in enumerate(wrapped(policy, self._small, self._bars.left - 2 * self._pad, 2)):
            write(draw, self._pad, self._policy_row + number * line_height(self._small), line, self._small, QUIET)
        draw.rectangle((0, self.picture[0], self.size[1], self.picture[0] + self._line - 1), fill=TRACK)
        self._bars.draw_ground(draw)
        return np.array(image)

    def frame(
        self,
        image: NDArray[np.uint8],
        step: int,
        flags: Sequence[bool],
        verdict: str | None,
        action: Sequence[float],
        seen: Seen,
    ) -> NDArray[np.uint8]:
        """One frame.

        Args:
            image: (H, W, 3) of the camera.
            step: after which it was taken.
            flags: success flag after the reset and after each step until now.
            verdict: how the episode ended, if it ends here.
            action: what is done next, at the end what was done last; may be empty.
            seen: what the policy noted about it.

        Returns:
            ``size`` x 3.
        """
        height, width = self.picture
        frame = np.empty_like(self._ground)
        frame[height:], frame[:height, width:] = self._ground[height:], self._ground[:height, width:]
        times = _enlargement(image.shape[1])
        picture = image if times == 1 else image.repeat(times, axis=0).repeat(times, axis=1)
        frame[:height, :width] = picture[:height, :width]
        self._draw_progress(frame, step, flags)
        self._draw_inputs(frame, seen)
        self._bars.fill(frame, action)
        row, end = self._state_row, self._policy_row
        strip = Image.fromarray(frame[row:end, : self._bars.left])
        self._write_state(ImageDraw.Draw(strip), step, flags, verdict)
        frame[row:end, : self._bars.left] = np.asarray(strip)
        return frame

    def _write_state(self, draw: ImageDraw.ImageDraw, step: int, flags: Sequence[bool], verdict: str | None) -> None:
        behind = write(draw, self._pad, 0, f"step {step}/{self._last}", self._state, WHITE) + self._pad
        if verdict is not None:
            color, text = (GREEN if verdict == "success" else RED), verdict.upper()
            box = (behind, 0, behind + text_width(text, self._state) + self._pad, line_height(self._state))
            draw.rounded_rectangle(box, round(self._unit * 0.3), fill=color)
            write(draw, behind + self._pad // 2, 0, text, self._state, DARK)
        elif flags and flags[-1]:
            write(draw, behind, 0, "success so far", self._state, GREEN)

    def _draw_progress(self, frame: NDArray[np.uint8], step: int, flags: Sequence[bool]) -> None:
        """How far the episode is, green where its success flag was up."""
        rows = slice(self.picture[0], self.picture[0] + self._line)
        places = np.linspace(0, self.size[1], self._last + 1).round().astype(int)
        for number in range(1, min(step, len(flags) - 1) + 1):
            frame[rows, places[number - 1] : places[number]] = GREEN if flags[number] else QUIET

    def _draw_inputs(self, frame: NDArray[np.uint8], seen: Seen) -> None:
        """The model's input images below their labels, one above the other."""
        if self._side < 1:
            return
        left = self.picture[1] + (self.size[1] - self.picture[1] - self._side) // 2
        label = line_height(self._small)
        each = label + self._side + self._pad // 2
        above = max(0, self.picture[0] - each * self._inputs + self._pad // 2) // 2
        for number, image in enumerate(seen.images):
            top = above + number * each
            strip = Image.new("RGB", (self.size[1] - left, label), GROUND)
            write(ImageDraw.Draw(strip), 0, 0, seen.labels[number], self._small, QUIET, strip.width)
            frame[top : top + label, left:] = np.asarray(strip)
            height, width = image.shape[:2]
            share = self._side / max(height, width)
            shown = cv2.resize(
                image, (max(1, round(width * share)), max(1, round(height * share))), interpolation=cv2.INTER_AREA
            )
            frame[top + label : top + label + shown.shape[0], left : left + shown.shape[1]] = shown
