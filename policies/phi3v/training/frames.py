"""Images of demonstrations, prepared once: as a policy has them just before it enlarges them for the model.

Decoding videos and the first of the two steps of resampling cost several times as much as the rest; what comes out of them is
kept as the JPEG files that the second step would make anyway, so nothing is lost. Nothing here needs torch.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.phi3v.camera_transforms import stored, stored_small
from policies.phi3v.training.files import disk_errors, one_at_a_time
from policies.phi3v.training.labels import model_values
from policies.phi3v.training.prepared import Prepared, PreparedEpisode
from policies.training import Demonstrations, StoppedEarly

FEW = 8
"""Episodes that no other processes are started for."""
LARGEST = 1e6
"""That no number of an action comes to, in metres and radians; statistics of larger ones would not be finite."""
PLAIN, TRACED = 0, 1
"""The images of a step."""
AHEAD = 4
"""Episodes a process that may wait to be written."""
BLAS_THREADS = "OPENBLAS_NUM_THREADS"
"""Environment variable that is read when a process loads the library."""


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
    index: Path
    """File of all this but the images, beside them."""

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


def prepare_frames(
    demonstrations: Demonstrations,
    folder: Path,
    stopping: Callable[[], bool] = lambda: False,
    say: Callable[[str], None] = lambda line: None,
) -> Frames:
    """Prepared frames of a dataset: those that lie in ``folder``, or made now, by all cores; whatever ends that, it goes on.

    Args:
        demonstrations: the dataset.
        folder: of prepared frames, which several trainings may share; one prepares, the others wait.
        stopping: whether to stop.
        say: prints a line.

    Raises:
        UserError: something of the dataset cannot be read, or there is no room for what comes out.
        StoppedEarly: it is to stop.
    """
    base = folder / demonstrations.fingerprint
    data, index = base.with_suffix(".jpegs"), base.with_suffix(".npz")
    if not index.is_file():
        with disk_errors(data):
            folder.mkdir(parents=True, exist_ok=True)
            with one_at_a_time(folder / f".{base.name}.lock", stopping, say) as alone:
                if not index.is_file():  # another one has made it meanwhile
                    _write(demonstrations, Prepared(data, "" if alone else f".{os.getpid()}"), index, stopping)
    try:
        with np.load(index) as file:
            parts = {name: file[name] for name in file.files}
        texts = tuple(str(text) for text in parts.pop("texts"))
        frames = Frames(np.memmap(data, np.uint8, "r"), texts=texts, index=index, **parts)
        whole = not len(frames) or frames.places.max() <= len(frames.data)
    except (OSError, ValueError, TypeError, LookupError, EOFError, BadZipFile, zlib.error) as error:
        raise UserError(f"{index} cannot be read ({error}); delete it, and it is made anew.") from error
    if not whole:
        raise UserError(f"{data} is only a part of what it was; delete {index.name} beside it, and both are made anew.")
    return frames


def _write(demonstrations: Demonstrations, prepared: Prepared, index: Path, stopping: Callable[[], bool]) -> None:
    with prepared:
        try:
            for episode in _episodes(demonstrations, prepared):
                prepared.add(episode)
                if stopping() and len(prepared) < len(demonstrations.lengths):
                    raise StoppedEarly("stopped while images were prepared; those that are prepared are kept")
        except UserError as error:
            if not isinstance(error, StoppedEarly | ProcessEnded):
                prepared.discard()
            raise
        if not sum(demonstrations.lengths):
            prepared.discard()
            raise UserError(f"{demonstrations.name} holds no frames.")
        prepared.finish(index)


class ProcessEnded(UserError):
    """A process that helps was killed."""


def _episodes(demonstrations: Demonstrations, prepared: Prepared) -> Iterator[PreparedEpisode]:
    """Those that are not prepared yet, in order."""
    numbers = range(len(prepared), len(demonstrations.lengths))
    cores = len(os.sched_getaffinity(0))
    if len(numbers) < FEW or cores < 2:
        yield from (_prepared(demonstrations, number) for number in numbers)
        return
    context = multiprocessing.get_context("spawn")
    helpers = ProcessPoolExecutor(min(cores, len(numbers)), context, _help, (demonstrations,))
    with _one_thread_each(), helpers as pool, contextlib.ExitStack() as stack:
        stack.callback(pool.shutdown, wait=False, cancel_futures=True)
        waiting = []
        try:
            for number in numbers:
                waiting.append(pool.submit(_prepared_by_helper, number))
                if len(waiting) > AHEAD * cores:
                    yield waiting.pop(0).result()
            yield from (each.result() for each in waiting)
        except BrokenProcessPool as error:
            raise ProcessEnded(
                "A process that prepares images was killed; was there too little memory? What is prepared is kept; go on with "
                "--resume."
            ) from error


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """For processes that are started meanwhile: NumPy, SciPy and OpenCV would each bring a thread a core, and nothing to do."""
    before = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = "1"
    try:
        yield
    finally:
        del os.environ[BLAS_THREADS]
        if before is not None:
            os.environ[BLAS_THREADS] = before


_helped: list[Demonstrations] = []
"""In a process that helps: what it prepares episodes of, opened once and not for every episode."""


def _help(demonstrations: Demonstrations) -> None:
    """Begins a process that prepares episodes for another one: signals to both are that one's, and it does not outlive it."""
    import cv2

    _helped[:] = [demonstrations]
    cv2.setNumThreads(1)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    threading.Thread(target=_end_with, args=(multiprocessing.parent_process(),), daemon=True).start()


def _end_with(parent: BaseProcess | None) -> None:
    if parent is not None:
        parent.join()
        os._exit(1)


def _prepared_by_helper(number: int) -> PreparedEpisode:
    return _prepared(_helped[0], number)


def _prepared(demonstrations: Demonstrations, number: int) -> PreparedEpisode:
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
    return PreparedEpisode(images, traces, values, instructions)


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
