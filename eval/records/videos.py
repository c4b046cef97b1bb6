"""Rollout videos, encoded in the background; ``video_frames.py`` draws them."""

from __future__ import annotations

import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.nouns import counted, noun
from eval.records.action_bars import full_scales
from eval.records.policy_view import policy_view
from eval.records.refusals import disk_refusal
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.turns import Turn
from eval.records.video_frames import FrameLayout

FPS = 5.0
QUICKLY = ("-preset", "veryfast")
"""Half of the encoder's time for a file of the same size, 1 dB further from the images (44.7 instead of 45.7)."""
JPEG_QUALITY = 85
BACKLOG = 3
"""Videos that may wait for the encoder; then the run waits, so that memory stays bounded."""


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


def scene_path(video: str, spec: EpisodeSpec) -> str:
    """Where, beside the video of an episode, the picture of its scene lies: what the camera saw after the reset of one of the
    episodes that were filmed there, as the policies get it. One for each task, setting and variant of a run, for drawing
    results onto it; where a variant shows several views (:func:`view_of`), one for each of them.
    """
    view = view_of(spec)
    return str(PurePosixPath(video).with_name(f"scene_{view}.jpg" if view else "scene.jpg"))


def view_of(spec: EpisodeSpec) -> str:
    """What tells the views of one variant apart: how several objects lie among which one is moved near another, and where the
    robot, and with it the camera, stands before the cabinet into which an object is put. Empty where all are alike."""
    if spec.rule.family == "move_near":
        places: object = sorted((round(entry.xy[0], 2), round(entry.xy[1], 2)) for entry in spec.objects)
    elif spec.rule.family == "place":
        places = tuple(spec.robot_xy)
    else:
        return ""
    return hashlib.sha256(repr(places).encode()).hexdigest()[:8]


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
    commands: Sequence[Sequence[float]] = ()
    """(7,) of each step that was played."""
    policy: str = ""
    """What it is called."""


@dataclass(frozen=True)
class Video:
    """A video that was encoded in another process."""

    files: Mapping[str, bytes]
    """Path inside the run folder -> content: of the video and its poster, which the episode's record names, and maybe of the
    scene's picture."""
    lacks: tuple[str, ...] = ()
    """What of it could not be shown."""


def keep_video(folder: Path, video: Video) -> None:
    """Write the files of an encoded video into a run folder; each appears only when it is whole."""
    for name, content in video.files.items():
        _keep_file(folder / name, content)


def _keep_file(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _jpeg(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "jpeg", quality=JPEG_QUALITY)
    return file.getvalue()


def _actions(film: Film) -> list[tuple[float, ...]]:
    """What was played after each image, and after the last one once more what was played last."""
    played = [tuple(command) for command in film.commands[: len(film.flags) - 1]]
    return [*played, *[played[-1] if played else ()] * (len(film.flags) - len(played))]


def write_video(path: Path, film: Film) -> list[str]:
    """Encode one episode at ``FPS`` into ``path``, and its last image, which shows the outcome, as a poster beside it
    (``.jpg``); the files appear only when they are whole.

    Returns:
        What of it could not be shown, as short texts.
    """
    import imageio_ffmpeg  # here, because every worker process imports what the command imports
    import mediapy

    mediapy.set_ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.stem}.part.mp4")
    last, view, actions = len(film.flags) - 1, policy_view(film.notes), _actions(film)
    first_noted = last - len(film.notes)
    seen = [view.at(min(step, last - 1) - first_noted) for step in range(last + 1)]  # at the end, what was last
    meant = [each.values or action for each, action in zip(seen, actions, strict=True)]
    layout = FrameLayout(
        film.frames.shape[1:3], film.record.instruction, film.policy, last, view.images, full_scales(meant), meant == actions
    )
    try:
        with mediapy.VideoWriter(part, shape=layout.size, fps=FPS, codec="h264", crf=23, ffmpeg_args=QUICKLY) as writer:
            for step, image in enumerate(film.frames, last + 1 - len(film.frames)):
                verdict = film.record.status if step == last else None
                frame = layout.frame(image, step, film.flags[: step + 1], verdict, meant[step], seen[step])
                writer.add_image(frame)
        _keep_file(path.with_suffix(".jpg"), _jpeg(frame))
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    lost = (
        [f"only the last {counted(len(film.frames), 'image')} {noun(len(film.frames), 'was', 'were')} kept"]
        if len(film.frames) <= last
        else []
    )
    return [*lost, *view.problems]


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
        poster, scene = str(PurePosixPath(name).with_suffix(".jpg")), self.folder / scene_path(name, film.spec)
        for attempt in (1, 2):  # Ctrl-C in a terminal reaches the encoder, too
            try:
                if len(film.frames) == len(film.flags) and not scene.exists():  # the first of them belongs to the reset
                    _keep_file(scene, _jpeg(film.frames[0]))
                self.incomplete.update(write_video(self.folder / name, film))
            except Exception as error:  # a result is worth more than its video
                text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
                if attempt == 2:
                    refusal = disk_refusal(error, self.folder)
                    return film.record.model_copy(update={"video_error": refusal or text, "unwritten": refusal})
            else:
                break
        return film.record.model_copy(update={"video": name, "poster": poster})

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
