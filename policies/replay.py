"""Play recorded actions back: from a file, or from the folder of a run."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from policies.base import Action, EpisodeInfo, EpisodeResult, Observation, PolicyDescription
from task_configs.schema.files import read_bytes

ACTIONS_FOLDER = "actions"
"""In a run folder: ``<episode>.npy`` (T, 7) float64, and ``<episode>.terminate.npy`` (T,) bool if the policy ever said done."""
TERMINATE = ".terminate"


class ReplayFileError(UserError):
    """There are no actions that can be played."""


@dataclass(frozen=True)
class Recorded:
    """What was played in one episode."""

    commands: NDArray[np.float64]
    """(T, 7)."""
    terminates: NDArray[np.bool_] | None = None
    """(T,); None: the policy never said done, and the robot stands still after the last action."""
    lost: bool = False
    """Whether the episode came to no verdict: after the last action there is nothing to play."""

    def at(self, observation: Observation) -> Action:
        """The action of an observation's step; after the last one no motion, with the gripper held."""
        step = observation.step
        if step < len(self.commands):
            return Action(self.commands[step], self.terminates is not None and bool(self.terminates[step]))
        if self.lost:
            raise ReplayFileError(f"the episode that is replayed was errored after {step} action{'s' if step != 1 else ''}.")
        still = np.zeros(7)
        still[6] = 0.0 if observation.robot == "google_robot" else self.commands[-1, 6]
        return Action(still, self.terminates is not None)


class ReplayPolicy:
    """Actions from a file or a run folder.

    ``path`` is one of

    - the folder of a run: every episode is played as it was there, with its ``terminate``, and ended after its last action
      (one that was errored there is errored again);
    - an ``.npz``: an array (T, 7) per episode id, or one named ``actions`` for every other episode; after the last action
      the robot stands still: no motion, the gripper held (a Google Robot's change is 0, a WidowX keeps its last command);
    - an ``.npy``: (T, 7), for every episode; ends in the same way.

    ``episode`` names one of a run folder (``<id>``, ``<id>-r<k>``): its actions are played in every episode.
    """

    needs_image = False
    needs_privileged = False

    def __init__(self, path: str, episode: str | None = None) -> None:
        self.path = Path(path).expanduser().absolute()  # the working folder may change
        if episode is not None and not self.path.is_dir():
            raise ReplayFileError(f"episode={episode} names one of a run folder, which {self.path} is not; leave it out.")
        self._source = _RunFolder(self.path, episode) if self.path.is_dir() else _File(Path(path).expanduser())
        self._playing: dict[str, Recorded] = {}

    def check_episodes(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Refuse a plan of which there is an episode without actions."""
        missing = [info.episode for info in episodes if not self._source.holds(info.episode)]
        if missing:
            episodes_of_it = f"{len(episodes)} episode{'s' if len(episodes) != 1 else ''}"
            raise ReplayFileError(
                f"{self.path} has no actions for {len(missing)} of {episodes_of_it}, such as {missing[0]}; play the "
                "plan of that run, with the same options."
            )

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        """Read what is to be played."""
        for info in episodes:
            self._playing[info.episode] = self._source.recorded(info)

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        """The recorded action of each observation's step."""
        return [self._playing[observation.episode].at(observation) for observation in observations]

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[EpisodeResult]) -> None:
        """Forget what was played."""
        for info in episodes:
            self._playing.pop(info.episode, None)

    def describe(self) -> PolicyDescription:
        """The hash of the actions decides the numbers, not where they lie."""
        return PolicyDescription(name="replay", settings={"actions": self._source.digest}, details={"file": str(self.path)})

    def close(self) -> None:
        """Nothing is held."""


@contextlib.contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, AttributeError, TypeError, EOFError, MemoryError, zipfile.BadZipFile) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise ReplayFileError(f"Cannot read actions from {path}: {reason}; it must be an .npz or .npy of numbers.") from error


def _content(path: Path) -> bytes:
    try:
        return read_bytes(path)
    except UserError as error:
        raise ReplayFileError(
            f"Cannot read actions from {str(error).removesuffix('.')}; it must be a file of numbers."
        ) from None


def _arrays(content: bytes, path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of an ``.npz`` by name; that of an ``.npy`` is called ``actions``."""
    with _reading(path):
        if not content.startswith((np.lib.format.MAGIC_PREFIX, b"PK")):  # NumPy would speak of pickles, and how to trust them
            raise ValueError("it is neither" if content else "it is empty")
        file = np.load(io.BytesIO(content), allow_pickle=False)
        return {"actions": file} if isinstance(file, np.ndarray) else {name: file[name] for name in file.files}


def _array(path: Path) -> NDArray[Any]:
    """That of an ``.npy``."""
    arrays = _arrays(_content(path), path)
    if list(arrays) != ["actions"]:
        raise ReplayFileError(f"{path} holds {len(arrays)} arrays; the actions of an episode are one.")
    return arrays["actions"]


def _commands(array: NDArray[Any], where: str) -> NDArray[np.float64]:
    """(T, 7) finite numbers."""
    if array.ndim != 2 or array.shape[1] != 7 or not len(array):
        raise ReplayFileError(f"{where} has shape {array.shape}; actions are (T, 7).")
    if array.dtype.kind not in "biuf":
        raise ReplayFileError(f"{where} holds {array.dtype}; actions are real numbers.")
    commands = np.asarray(array, np.float64)
    if not np.isfinite(commands).all():
        raise ReplayFileError(f"{where} holds numbers that are not finite.")
    return commands


class _File:
    """Actions of one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.exists():
            raise ReplayFileError(f"Cannot read actions from {path}, which does not exist; give a run folder, an .npz or .npy.")
        content = _content(path)
        self.digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        arrays = _arrays(content, path)
        self._recorded = {name: Recorded(_commands(array, f'{path}: array "{name}"')) for name, array in arrays.items()}

    def holds(self, episode: str) -> bool:
        return episode in self._recorded or "actions" in self._recorded

    def recorded(self, info: EpisodeInfo) -> Recorded:
        actions = self._recorded.get(info.episode, self._recorded.get("actions"))
        if actions is None:
            raise ReplayFileError(f'{self._path} has no actions for episode {info.episode} and no array "actions".')
        return actions


def _errored(path: Path) -> set[str]:
    """Names of the episodes of a run that have no verdict; its last line about an episode counts."""
    status: dict[str, object] = {}
    with _reading(path):
        for line in path.read_text().splitlines() if path.exists() else ():
            with contextlib.suppress(ValueError):  # the line that a crash tore in half
                record = json.loads(line)
                repeat = record.get("repeat", 0)
                status[f"{record['id']}-r{repeat}" if repeat else record["id"]] = record["status"]
    return {name for name, said in status.items() if said == "errored"}


class _RunFolder:
    """Actions that a run kept."""

    def __init__(self, path: Path, only: str | None = None) -> None:
        self._folder, self._only = path / ACTIONS_FOLDER, only
        files = sorted(self._folder.glob("*.npy"))
        if not files:
            raise ReplayFileError(
                f"{path} holds no {ACTIONS_FOLDER}/*.npy; give the folder of a run that was not played with --no-actions."
            )
        if only is not None:
            files = [file for file in files if file.stem in (only, f"{only}{TERMINATE}")]
        whole = hashlib.blake2b(digest_size=16)
        for file in files:
            whole.update(f"{file.name} ".encode() + hashlib.blake2b(_content(file), digest_size=16).digest())
        self.digest = whole.hexdigest()
        self._errored = _errored(path / "episodes.jsonl")
        self._episodes = {file.stem for file in files if not file.stem.endswith(TERMINATE)}

    def holds(self, episode: str) -> bool:
        return (self._only or episode) in self._episodes

    def recorded(self, info: EpisodeInfo) -> Recorded:
        name = self._only or info.episode
        if not self.holds(info.episode):
            raise ReplayFileError(
                f"{self._folder} has no actions for episode {name}, only those of {len(self._episodes)} others."
            )
        place = self._folder / f"{name}.npy"
        commands = _commands(_array(place), str(place))
        sidecar = self._folder / f"{name}{TERMINATE}.npy"
        given = _array(sidecar) if sidecar.exists() else np.zeros(len(commands), bool)
        if given.shape != (len(commands),) or given.dtype != np.bool_:
            raise ReplayFileError(f"{sidecar} holds {given.dtype} {given.shape}; it must be bool ({len(commands)},).")
        lost = name in self._errored
        if len(commands) < info.max_steps and not lost:
            given[-1] = True
        return Recorded(commands, given, lost)
