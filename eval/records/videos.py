"""Rollout videos with a caption bar, encoded in the background."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.policy_view import IMAGES, panel_width, policy_panel, shows_anything, too_many_images
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import Turn

FPS = 5.0
QUICKLY = ("-preset", "veryfast")
"""Half of the encoder's time for a file of the same size, 1 dB further from the images (44.7 instead of 45.7)."""
BAR = 56
"""Height of the caption bar, pixels."""
BACKLOG = 3
"""Videos that may wait for the encoder; then the run waits, so that memory stays bounded."""
GREEN, RED, WHITE, GREY = (90, 220, 110), (255, 110, 90), (240, 240, 240), (170, 170, 170)


@dataclass(frozen=True)
class VideoRule:
    """Which episodes are filmed: ``all``, ``failures``, ``first:N`` (of each task) or ``none``.

    ``policy-view`` beside one of them (alone: beside ``all``) also shows what the policy saw and meant.
    """

    kind: str
    first: int = 0
    policy_view: bool = False

    @classmethod
    def parse(cls, text: str) -> VideoRule:
        """Raises ``UserError`` for anything else."""
        words = [word.strip() for word in text.split(",")]
        view = "policy-view" in words
        left = [word for word in words if word != "policy-view"] or ["all"]
        match = re.fullmatch(r"first:(\d+)", left[0])
        if view and left == ["none"]:
            raise UserError(f'--video "{text}" films nothing, so there is no policy-view; leave one of them out.')
        if match and not int(match[1]):
            raise UserError(f'--video "{text}" films nothing; use first:1 or more, or none.')
        if len(left) == 1 and match:
            return cls("first", int(match[1]), policy_view=view)
        if len(left) == 1 and left[0] in ("all", "failures", "none"):
            return cls(left[0], policy_view=view)
        raise UserError(
            f'--video "{text}" is not known; use all, failures, first:N (such as first:3) or none, '
            "and policy-view beside one of them (failures,policy-view) or alone."
        )

    def film(self, turns: Iterable[Turn]) -> set[RecordKey]:
        """The episodes whose images must be kept until they end; the first N of a task are in its first repeat."""
        if self.kind == "none":
            return set()
        if self.kind != "first":
            return {turn.key for turn in turns}
        chosen: dict[str, list[RecordKey]] = {}
        for turn in turns:
            chosen.setdefault(turn.spec.task, []).append(turn.key)
        return {key for keys in chosen.values() for key in keys[: self.first]}

    def keep(self, record: EpisodeRecord) -> bool:
        """Whether a filmed episode is worth a file now that its end is known."""
        return self.kind != "failures" or record.status != "success"


def video_path(spec: EpisodeSpec, record: EpisodeRecord) -> str:
    """Where the video lies inside the run folder: task, variant, then index, outcome and id."""
    variant = re.sub(r"[^\w.=,-]+", "_", f"{spec.setting}_{spec.variant}")
    return f"videos/{spec.task}/{variant}/{spec.index:03d}_{record.status}_{record.key.name}.mp4"


def caption(frame: NDArray[np.uint8], instruction: str, step: str, outcome: str, color: tuple[int, int, int],
            ) -> NDArray[np.uint8]:  # fmt: skip
    """An image (H, W, 3) with a bar of ``BAR`` rows under it; H and W are trimmed to even numbers for the codec."""
    height, width = frame.shape[0] // 2 * 2, frame.shape[1] // 2 * 2
    canvas = np.zeros((height + BAR, width, 3), np.uint8)
    canvas[:height] = frame[:height, :width]
    scale = min(0.6, width / 900)
    for row, text, tint in ((22, instruction, WHITE), (46, step, GREY)):
        cv2.putText(canvas, text, (8, height + row), cv2.FONT_HERSHEY_SIMPLEX, scale, tint, 1, cv2.LINE_AA)
    x = width // 2
    cv2.putText(canvas, outcome, (x, height + 46), cv2.FONT_HERSHEY_SIMPLEX, scale, color, 1, cv2.LINE_AA)
    return canvas


@dataclass(frozen=True)
class Film:
    """What a video shows."""

    spec: EpisodeSpec
    record: EpisodeRecord
    frames: NDArray[np.uint8]
    """(T, H, W, 3), the last T images of the episode; the last one belongs to its last step."""
    flags: Sequence[bool]
    """Success flag after the reset and after each step."""
    notes: Sequence[Mapping[str, Any]] = ()
    """``Action.notes`` of the last steps; empty without policy view."""


@dataclass(frozen=True)
class Video:
    """A video that was encoded in another process."""

    content: bytes
    """Of the file, whose path is in the episode's record."""
    lacks: tuple[str, ...] = ()
    """What of it could not be shown."""


def keep_video(path: Path, content: bytes) -> None:
    """Write an encoded video; the file appears only when it is whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def write_video(path: Path, film: Film) -> list[str]:
    """Encode one episode at ``FPS`` into ``path``; the file appears only when it is whole.

    Returns:
        What of it could not be shown, as short texts.
    """
    import imageio_ffmpeg  # here, because every worker process imports what the command imports
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")
    last = len(film.flags) - 1
    width = film.frames.shape[2] + (panel_width(film.frames.shape[1]) if film.notes else 0)
    shape = (film.frames.shape[1] // 2 * 2 + BAR, width // 2 * 2)
    success = film.record.status == "success"
    panels = _Panels(film.notes, film.frames.shape[1])
    try:
        with mediapy.VideoWriter(part, shape=shape, fps=FPS, codec="h264", crf=23, ffmpeg_args=QUICKLY) as writer:
            for place, frame in enumerate(film.frames):
                step = last + 1 - len(film.frames) + place
                outcome, color = ("success so far", GREEN) if film.flags[step] else ("", GREY)
                if step == last:
                    outcome, color = film.record.status.upper(), GREEN if success else RED
                if film.notes:
                    noted = step - (last - len(film.notes))  # the notes of step k belong to the image before it
                    frame = np.hstack([frame, panels.at(noted)])
                writer.add_image(caption(frame, film.record.instruction, f"step {step}/{last}", outcome, color))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    lost = [f"only the last {len(film.frames)} images were kept"] if len(film.frames) <= last else []
    return [*lost, *panels.problems()]


class _Panels:
    """The policy view, one panel a step; notes that cannot be shown cost their panel and no more."""

    def __init__(self, notes: Sequence[Any], height: int) -> None:
        self._notes, self._height = notes, height
        self._failed: str | None = None

    def at(self, number: int) -> NDArray[np.uint8]:
        """The panel of one of the notes, or an empty one."""
        note = self._notes[number] if 0 <= number < len(self._notes) else {}
        try:
            return policy_panel(note, self._height)
        except Exception as error:  # code of others made them
            self._failed = self._failed or f"Action.notes: {' '.join(str(error)[:1000].split())[:200]}"
            return np.zeros((self._height, panel_width(self._height), 3), np.uint8)

    def problems(self) -> list[str]:
        """What of the notes was not shown."""
        if self._failed is not None:
            return [self._failed]
        if self._notes and not any(map(shows_anything, self._notes)):
            return ["policy-view: Action.notes holds neither images nor values"]
        most = max(map(too_many_images, self._notes), default=0)
        return [f"policy-view: {IMAGES} of {most} images were shown"] if most else []


class VideoQueue:
    """Encodes one video after the other in a thread and gives each episode's record back, completed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incomplete: Counter[str] = Counter()
        """What videos do not show although it was asked for -> how many."""
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="video")
        self._waiting: list[tuple[Film, Future[EpisodeRecord]]] = []

    def submit(self, film: Film) -> None:
        """Queue an episode; blocks while ``BACKLOG`` others wait."""
        if len(self._waiting) >= BACKLOG:
            self._waiting[0][1].exception()
        self._waiting.append((film, self._pool.submit(self._encode, film)))

    def _encode(self, film: Film) -> EpisodeRecord:
        name = video_path(film.spec, film.record)
        for attempt in (1, 2):  # Ctrl-C in a terminal reaches the encoder, too
            try:
                self.incomplete.update(write_video(self.folder / name, film))
            except Exception as error:  # a result is worth more than its video
                text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
                if attempt == 2:
                    return film.record.model_copy(update={"video_error": text})
            else:
                break
        return film.record.model_copy(update={"video": name})

    def wait(self, seconds: float | None = None) -> None:
        """Until all videos are done, at most ``seconds``."""
        wait([future for _, future in self._waiting], seconds)

    def collect(self) -> list[EpisodeRecord]:
        """Records whose videos are done."""
        done: list[EpisodeRecord] = []
        left: list[tuple[Film, Future[EpisodeRecord]]] = []
        for film, future in self._waiting:
            if future.done():
                done.append(future.result())
            else:
                left.append((film, future))
        self._waiting = left
        return done

    def abandon(self) -> list[EpisodeRecord]:
        """Records of all that wait, without their videos, whatever the encoder is doing."""
        left, self._waiting = self._waiting, []
        why = {"video_error": "the run was stopped before it was encoded"}
        return [future.result() if future.done() else film.record.model_copy(update=why) for film, future in left]

    def close(self, wait: bool = True) -> None:
        """Stop; what still waits is dropped (its episodes have no record yet and are run again)."""
        self._pool.shutdown(wait=wait, cancel_futures=True)
