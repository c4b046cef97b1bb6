"""Images of demonstrations, prepared once: as a policy has them just before it enlarges them for the model.

Decoding videos and the first of the two steps of resampling cost several times as much as the rest; what comes out of them is
kept as the JPEG files that the second step would make anyway, so nothing is lost. Nothing here needs torch.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.phi3v.camera_transforms import stored, stored_small
from policies.phi3v.training.files import disk_errors
from policies.phi3v.training.labels import model_values
from policies.training import Demonstrations

FEW = 8
"""Episodes that no other processes are started for."""
LARGEST = 1e6
"""That no number of an action comes to, in metres and radians; statistics of larger ones would not be finite."""
PLAIN, TRACED = 0, 1
"""The images of a step."""
AHEAD = 4
"""Episodes a process that may wait to be written."""


@dataclass(frozen=True)
class _Episode:
    """What is kept of an episode of T steps."""

    images: list[bytes]
    traces: list[bytes]
    """Empty where there is none."""
    values: NDArray[np.float64]
    """(T, 7)"""
    instructions: list[str]


@dataclass(frozen=True)
class Frames:
    """All steps of a dataset, n of them."""

    data: NDArray[np.uint8]
    """The JPEG files one behind the other; on the disk."""
    places: NDArray[np.int64]
    """(n, 2, 2) begin and end of the plain image and of that with a trace; begin = end: there is none."""
    values: NDArray[np.float64]
    """(n, 7) translation [m], roll pitch yaw [rad], opening of the gripper."""
    texts: tuple[str, ...]
    """The different instructions."""
    text: NDArray[np.int64]
    """(n,) which of them."""
    episode: NDArray[np.int64]
    """(n,) which episode."""

    def __len__(self) -> int:
        return len(self.values)

    def has(self, index: int, which: int) -> bool:
        """Whether a step has the image ``which``, PLAIN or TRACED."""
        begin, end = self.places[index, which]
        return bool(begin != end)

    def file(self, index: int, which: int) -> bytes:
        """The JPEG file of one of a step's images."""
        begin, end = self.places[index, which]
        return self.data[begin:end].tobytes()


def prepare_frames(demonstrations: Demonstrations, folder: Path) -> Frames:
    """Prepared frames of a dataset: those that lie in ``folder``, or made now, by all cores.

    Raises:
        UserError: something of the dataset cannot be read, or there is no room for what comes out.
    """
    base = folder / demonstrations.fingerprint
    data, index = base.with_suffix(".jpegs"), base.with_suffix(".npz")
    if not index.is_file():
        with disk_errors(data):
            folder.mkdir(parents=True, exist_ok=True)
            _write(demonstrations, data, index)
    try:
        with np.load(index) as file:
            parts = {name: file[name] for name in file.files}
        texts = tuple(str(text) for text in parts.pop("texts"))
        frames = Frames(np.memmap(data, np.uint8, "r"), texts=texts, **parts)
    except (OSError, ValueError, TypeError, EOFError) as error:
        raise UserError(f"{index} cannot be read ({error}); delete it, and it is made anew.") from error
    if len(frames) and frames.places.max() > len(frames.data):
        raise UserError(f"{data} is only a part of what it was; delete {index.name} beside it, and both are made anew.")
    return frames


def _write(demonstrations: Demonstrations, data: Path, index: Path) -> None:
    part = data.with_name(f".{data.name}.{os.getpid()}.part")
    part_index = index.with_name(f".{index.name}.{os.getpid()}.part.npz")
    places: list[tuple[int, int]] = []
    values, texts, numbers, known, end = [], [], [], dict[str, int](), 0
    try:
        with part.open("wb") as file:
            for number, episode in enumerate(_episodes(demonstrations)):
                for image, trace in zip(episode.images, episode.traces, strict=True):
                    for content in (image, trace):
                        places.append((end, end + len(content)))
                        end += file.write(content)
                values.append(episode.values)
                texts += [known.setdefault(text, len(known)) for text in episode.instructions]
                numbers += [number] * len(episode.images)
            file.flush()
            os.fsync(file.fileno())
        if not values:
            raise UserError(f"{demonstrations.name} holds no frames.")
        part.replace(data)
        np.savez(
            part_index, places=np.array(places, np.int64).reshape(-1, 2, 2), values=np.concatenate(values),
            texts=np.array(list(known)), text=np.array(texts), episode=np.array(numbers),
        )  # fmt: skip
        part_index.replace(index)
    finally:
        part.unlink(missing_ok=True)
        part_index.unlink(missing_ok=True)


def _episodes(demonstrations: Demonstrations) -> Iterator[_Episode]:
    numbers = range(len(demonstrations.lengths))
    cores = len(os.sched_getaffinity(0))
    if len(numbers) < FEW or cores < 2:
        yield from (_prepared(demonstrations, number) for number in numbers)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(cores, len(numbers)), context, _one_thread_each) as pool, contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting = []
        for number in numbers:
            waiting.append(pool.submit(_prepared, demonstrations, number))
            if len(waiting) > AHEAD * cores:
                yield waiting.pop(0).result()
        yield from (each.result() for each in waiting)


def _one_thread_each() -> None:
    import cv2

    cv2.setNumThreads(1)


def _prepared(demonstrations: Demonstrations, number: int) -> _Episode:
    images, traces, actions, instructions = [], [], [], []
    for step in demonstrations.steps(number):
        images.append(stored(step.image))
        traces.append(b"" if step.traced is None else stored_small(step.traced))
        actions.append(step.action)
        instructions.append(step.instruction)
    commands = np.array(actions, np.float64).reshape(-1, 7)
    if not (np.abs(commands) < LARGEST).all():  # nor if one is no number
        raise UserError(
            f"{demonstrations.name}: episode {number} has actions that are not finite, or beyond {LARGEST:g} m or rad; record "
            "or fetch it anew."
        )
    values = model_values(commands, demonstrations.robot, demonstrations.rotation, demonstrations.gripper)
    return _Episode(images, traces, values, instructions)


def held_out_episodes(episodes: int, share: float, seed: int) -> NDArray[np.bool_]:
    """(episodes,) which are only measured: the nearest whole number to the share, at least one is trained on."""
    chosen = np.zeros(episodes, np.bool_)
    count = min(round(share * episodes), episodes - 1)
    chosen[np.random.Generator(np.random.PCG64([seed, 0x4E1D])).permutation(episodes)[:count]] = True
    return chosen


def of_episodes(frames: Sequence[Frames], held: Sequence[NDArray[np.bool_]], wanted: bool) -> NDArray[np.int64]:
    """(n, 2) dataset and frame of all frames whose episode is (not) held out."""
    parts = [
        np.column_stack(
            [np.full(int((mask[each.episode] == wanted).sum()), place), np.flatnonzero(mask[each.episode] == wanted)]
        )
        for place, (each, mask) in enumerate(zip(frames, held, strict=True))
    ]
    return np.concatenate(parts).astype(np.int64)
