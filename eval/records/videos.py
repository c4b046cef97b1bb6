"""Rollout videos with a caption bar, encoded in the background."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.policy_view import panel_width, policy_panel
from eval.records.results import EpisodeRecord

FPS = 5.0
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
        match = re.fullmatch(r"first:0*([1-9]\d*)", left[0])
        if len(left) == 1 and left[0] in ("all", "failures", "none"):
            return cls(left[0], policy_view=view)
        if len(left) == 1 and match:
            return cls("first", int(match[1]), policy_view=view)
        raise UserError(
            f'--video "{text}" is not known; use all, failures, first:N (such as first:3) or none, '
            "and policy-view beside one of them (failures,policy-view) or alone."
        )

    def film(self, plan: Sequence[EpisodeSpec]) -> set[str]:
        """Ids of the episodes whose images must be kept until they end."""
        if self.kind == "none":
            return set()
        if self.kind != "first":
            return {spec.id for spec in plan}
        chosen: dict[str, list[str]] = {}
        for spec in plan:
            chosen.setdefault(spec.task, []).append(spec.id)
        return {i for ids in chosen.values() for i in ids[: self.first]}

    def keep(self, record: EpisodeRecord) -> bool:
        """Whether a filmed episode is worth a file now that its end is known."""
        return self.kind != "failures" or record.status != "success"


def video_path(spec: EpisodeSpec, record: EpisodeRecord) -> str:
    """Where the video lies inside the run folder: task, variant, then index, outcome and id."""
    variant = re.sub(r"[^\w.=,-]+", "_", f"{spec.setting}_{spec.variant}")
    return f"videos/{spec.task}/{variant}/{spec.index:03d}_{record.status}_{spec.id}.mp4"


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


def write_video(path: Path, film: Film) -> None:
    """Encode one episode at ``FPS`` into ``path``; the file appears only when it is whole."""
    import imageio_ffmpeg  # here, because every worker process imports what the command imports
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")
    last = len(film.flags) - 1
    width = film.frames.shape[2] + (panel_width(film.frames.shape[1]) if film.notes else 0)
    shape = (film.frames.shape[1] // 2 * 2 + BAR, width // 2 * 2)
    success = film.record.status == "success"
    try:
        with mediapy.VideoWriter(part, shape=shape, fps=FPS, codec="h264", crf=23) as writer:
            for place, frame in enumerate(film.frames):
                step = last + 1 - len(film.frames) + place
                outcome, color = ("success so far", GREEN) if film.flags[step] else ("", GREY)
                if step == last:
                    outcome, color = film.record.status.upper(), GREEN if success else RED
                if film.notes:
                    noted = step - (last - len(film.notes))  # the notes of step k belong to the image before it
                    note = film.notes[noted] if 0 <= noted < len(film.notes) else {}
                    frame = np.hstack([frame, policy_panel(note, frame.shape[0])])
                writer.add_image(caption(frame, film.record.instruction, f"step {step}/{last}", outcome, color))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


class VideoQueue:
    """Encodes one video after the other in a thread and gives each episode's record back, completed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="video")
        self._waiting: list[Future[EpisodeRecord]] = []

    def submit(self, film: Film) -> None:
        """Queue an episode; blocks while ``BACKLOG`` others wait."""
        if len(self._waiting) >= BACKLOG:
            self._waiting[0].exception()
        self._waiting.append(self._pool.submit(self._encode, film))

    def _encode(self, film: Film) -> EpisodeRecord:
        name = video_path(film.spec, film.record)
        try:
            write_video(self.folder / name, film)
        except Exception as error:  # a result is worth more than its video
            text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            return film.record.model_copy(update={"video_error": text})
        return film.record.model_copy(update={"video": name})

    def collect(self, wait: bool = False) -> list[EpisodeRecord]:
        """Records whose videos are done; with ``wait`` all of them."""
        done = [f for f in self._waiting if wait or f.done()]
        self._waiting = [f for f in self._waiting if f not in done]
        return [f.result() for f in done]

    def close(self) -> None:
        """Stop; what still waits is dropped (its episodes have no record yet and are run again)."""
        self._pool.shutdown(wait=True, cancel_futures=True)
