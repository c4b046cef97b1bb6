"""From what a user names to checkpoints: folders, folders of folders, names on the hub; and which of them are complete."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.errors import UserError
from policies.training import is_state

INDEX = ("*.safetensors.index.json", "pytorch_model*.bin.index.json")
"""Written last where weights are in several files: says in which."""
WEIGHTS = ("*.safetensors", "pytorch_model*.bin")
PART = re.compile(r"-\d+-of-\d+\.")
"""In the name of one of several files."""
STEP = re.compile(r"(?:checkpoint|ckpt|chkpt|step|iter|epoch)s?[-_=]?(\d+)", re.IGNORECASE)
NUMBER = re.compile(r"\d+")
MOST_STEPS = 2**53
"""No training has more: a longer number in a name is a hash or a date."""
OUTPUTS = re.compile(r"checkpoints\.(md|csv|png)", re.IGNORECASE)
"""What lies beside the runs; see ``eval.cli.checkpoints``."""

Content = tuple[tuple[str, int, int], ...]
"""(path inside the folder, bytes, time of change in ns) of every file."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint of several."""

    text: str
    """What a policy's option ``checkpoint`` is given."""
    name: str
    """Of its run; no two are equal."""
    step: int | None
    """Of the training; None where the name does not say."""

    @property
    def folder(self) -> Path | None:
        """Where it lies; None: on the hub, or made on the spot."""
        path = Path(self.text)
        return path if path.is_dir() else None


def step_of(name: str) -> int | None:
    """``checkpoint-1000``, ``step_500`` or ``run7--12000_chkpt`` -> its step; None where there is no number."""
    numbers = STEP.findall(name) or NUMBER.findall(name)
    step = int(numbers[-1][:100]) if numbers else None
    return step if step is not None and step <= MOST_STEPS else None


def is_checkpoint(folder: Path) -> bool:
    """Whether weights lie in a folder, be they complete or not."""
    return any(next(folder.glob(pattern), None) is not None for pattern in (*INDEX, *WEIGHTS))


def what_is_missing(folder: Path) -> str | None:
    """Why a checkpoint is not complete; None: it is. Its final index must be there and all files that this names."""
    try:
        indices = [path for pattern in INDEX for path in folder.glob(pattern)]
        weights = [path for pattern in WEIGHTS for path in folder.glob(pattern)]
        for index in indices:
            for name in sorted(_named_by(index)):
                if not (folder / name).is_file():
                    return f"{name} of {index.name} is not there"
        if not indices and any(PART.search(path.name) for path in weights):
            return "the index of its files is not there"
        if not weights:
            return "it has no weights"
        return None if (folder / "config.json").is_file() else "config.json is not there"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    except BrokenIndexError as error:
        return f"{error} is no index, or only a part of one"


class BrokenIndexError(Exception):
    """A file that should say in which files weights are does not."""


def _named_by(index: Path) -> set[str]:
    """The files that an index names, at least one."""
    try:
        names = set(json.loads(index.read_text())["weight_map"].values())
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BrokenIndexError(index.name) from error
    if not names or not all(isinstance(name, str) for name in names):
        raise BrokenIndexError(index.name)
    return names


def content_of(folder: Path) -> Content:
    """What lies in a folder now; what vanishes meanwhile is left out."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            if path.is_file():
                status = path.stat()
                found.append((str(path.relative_to(folder)), status.st_size, status.st_mtime_ns))
        except OSError:
            continue
    return tuple(found)


def find_checkpoints(texts: Sequence[str]) -> list[Checkpoint]:
    """What a user named; checkpoints of one folder in the order of their steps if all names tell them, else as they were given.

    A folder that holds checkpoints stands for all of them; one that is a checkpoint itself for itself, too. Anything that is
    no folder is left to the policy: a name on the hub, ``tiny-random``.

    Raises:
        UserError: a folder has no checkpoint, or one is named twice.
    """
    found: list[str] = []
    for text in texts:
        path = Path(text).expanduser()
        if not path.is_dir():
            if not text.strip() or path.is_absolute() or path.exists():
                raise UserError(f'"{text}" is no folder; give checkpoints, or folders of them.')
            found.append(text)
            continue
        inside = checkpoints_in(path)
        if is_checkpoint(path):
            inside.append(path)
        if not inside:
            raise UserError(f"{text} holds no checkpoint: no weights ({', '.join(WEIGHTS)}) lie in it or in its folders.")
        found += [each.text for each in named([str(folder.resolve()) for folder in inside])]
    if twice := [text for text, count in Counter(found).items() if count > 1]:
        raise UserError(f"{twice[0]} is given twice; give it once.")
    return named(found)


def checkpoints_in(folder: Path) -> list[Path]:
    """The checkpoints whose folders lie in this one; half-written ones that are renamed later begin with a dot or ``tmp``.

    A link such as ``latest`` to a checkpoint beside it is no further one; what a training keeps for going on is none.
    """
    try:
        inside = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "tmp")) and path.is_dir())
    except OSError as error:
        raise UserError(f"{folder} cannot be read: {error.strerror}.") from error
    found: dict[Path, Path] = {}
    for path in sorted(inside, key=Path.is_symlink):  # one that is no link first: its name tells the step
        if is_checkpoint(path) and not is_state(path):
            found.setdefault(path.resolve(), path)
    return sorted(found.values())


def named(texts: Sequence[str]) -> list[Checkpoint]:
    """Checkpoints with names that tell them apart; those of one training sorted by step.

    A name in which something had to be replaced has a hash of what it was: another checkpoint, which may be found only later,
    never gets the same.
    """
    short = [_clean(Path(text).name) for text in texts]
    counts = Counter(short)
    names = []
    for text, name in zip(texts, short, strict=True):
        parent = _clean(Path(text).parent.name)
        names.append(f"{parent}-{name}" if counts[name] > 1 and parent else name)
    counts = Counter(names)
    names = [f"{name}-{_mark(text)}" if counts[name] > 1 else name for text, name in zip(texts, names, strict=True)]
    checkpoints = [Checkpoint(text, name, step_of(Path(text).name)) for text, name in zip(texts, names, strict=True)]
    return sorted(checkpoints, key=lambda checkpoint: checkpoint.step or 0) if of_one_training(checkpoints) else checkpoints


def of_one_training(checkpoints: Sequence[Checkpoint]) -> bool:
    """Whether their steps can be compared: every name tells one, and all lie in one folder or are of one owner on the hub.

    Where a training goes on from what another one made, each counts from 0.
    """
    return len({Path(checkpoint.text).parent for checkpoint in checkpoints}) <= 1 and all(
        checkpoint.step is not None for checkpoint in checkpoints
    )


def _clean(name: str) -> str:
    cleaned = re.sub(r"[^\w.=-]+", "_", name).strip("_.") or "checkpoint"
    plain = cleaned == name.replace("@", "_") and not OUTPUTS.fullmatch(cleaned)
    return cleaned if plain else f"{cleaned}-{_mark(name)}"


def _mark(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=3).hexdigest()


class Watched:
    """A folder in which a training writes checkpoints.

    A checkpoint counts once it is complete and its files are what they were at the look before.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise UserError(f"--watch {folder} is no folder; give the one in which the training writes its checkpoints.")
        self.folder = folder
        self._folder = folder.resolve()
        self._before: dict[Path, Content] = {}
        self._given: dict[Path, Content] = {}

    def look(self) -> list[Checkpoint]:
        """Those that are complete now and were not given out before. Raises UserError where the folder cannot be read."""
        now = {path: content_of(path) for path in checkpoints_in(self._folder) if path not in self._given}
        ready = [path for path, content in now.items() if self._before.get(path) == content and not what_is_missing(path)]
        self._before = now
        self._given.update({path: now[path] for path in ready})
        return named([str(path) for path in ready])

    def left(self) -> list[Checkpoint]:
        """Those of the last look that were not given out: not complete, or not yet still."""
        return named([str(path) for path in self._before if path not in self._given])

    def rewritten(self) -> list[Checkpoint]:
        """Those whose files are others than when they were given out; one whose weights were removed since is none of them."""
        changed = [path for path, content in self._given.items() if is_checkpoint(path) and content_of(path) != content]
        return named([str(path) for path in changed])
