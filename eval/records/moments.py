"""The states that an episode went through, kept beside its actions: one file an episode, ``states/<name>.npy``.

A structured array (T + 1,): ``success`` bool, and ``gripper_opening``, ``tcp_pose`` (7,), ``qpos`` (n,) and ``surroundings``
(k,) in the precision that holds them exactly; rows are the reset and the T steps.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.errors import UserError
from eval.nouns import counted
from task_configs.schema.files import read_bytes

FOLDER = "states"
SAID = {
    "success": "the success flag",
    "gripper_opening": "the gripper's opening",
    "tcp_pose": "the tool's pose",
    "qpos": "the joints",
    "surroundings": "the objects",
}
"""What the fields are called, in the order in which a difference is told."""


class Moment(NamedTuple):
    """The world at one time; as of ``eval.backends.base.SimulationState``."""

    success: bool
    gripper_opening: float
    tcp_pose: tuple[float, ...]
    qpos: tuple[float, ...]
    surroundings: tuple[float, ...] = ()


def as_array(moments: Sequence[Moment]) -> NDArray[Any] | None:
    """As it is kept; None for moments that do not fit one array, such as of a world whose robot changes."""
    columns = {}
    for number, name in enumerate(Moment._fields):
        try:
            columns[name] = np.array([moment[number] for moment in moments], None if number else bool)
        except ValueError:  # of different lengths
            return None
    fields = [(name, _exact_type(values), values.shape[1:]) for name, values in columns.items()]
    array = np.zeros(len(moments), fields)
    for name, values in columns.items():
        array[name] = values
    return array


def _exact_type(values: NDArray[Any]) -> type[Any]:
    """Worlds compute in single precision, mostly."""
    if values.dtype == np.bool_:
        return np.bool_
    with np.errstate(over="ignore"):
        return np.float32 if np.array_equal(values.astype(np.float32), values, equal_nan=True) else np.float64


def read_array(path: Path, what: str, hint: str) -> NDArray[Any]:
    """The array of an ``.npy`` that a run kept. Raises UserError, which says what it should be and ends with the hint."""
    try:
        content = read_bytes(path)
        if not content.startswith(np.lib.format.MAGIC_PREFIX):  # NumPy would speak of pickles, and how to trust them
            raise ValueError("it is no .npy file" if content else "it is empty")
        array: NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except UserError as error:
        raise UserError(f"Cannot read {what}: {str(error).removesuffix('.')}; {hint}.") from None
    except (ValueError, EOFError, MemoryError) as error:
        raise UserError(f"Cannot read {what} {path}: {error}; {hint}.") from error
    return array


def read_states(run: Path, name: str) -> NDArray[Any] | None:
    """What a run keeps of an episode; None: nothing. Raises UserError if it is something else."""
    path = run / FOLDER / f"{name}.npy"
    if not path.exists():
        return None
    array = read_array(path, "the kept states", "remove the file to compare how the episode ends")
    if array.ndim != 1 or array.dtype.names != Moment._fields:
        raise UserError(f"{path} does not hold the states of an episode; remove it to compare how the episode ends.")
    return array


@dataclass(frozen=True)
class Difference:
    """Where two courses of an episode part."""

    step: int
    """Control steps done; 0: they begin in different states."""
    what: str
    """What differs there, in words."""
    by: float
    """Largest difference of a number there (m, rad, or parts of a quaternion)."""
    at_end: float
    """The same in the last state that both have."""


def first_difference(kept: NDArray[Any], now: NDArray[Any]) -> Difference | None:
    """Where two arrays of states first differ, to the bit; a missing end is a difference, too."""
    both = min(len(kept), len(now))
    if kept.dtype.descr != now.dtype.descr and any(kept[name].shape[1:] != now[name].shape[1:] for name in SAID):
        return Difference(0, "the number of joints or objects", float("nan"), float("nan"))
    parted = {name: _differing_rows(kept[name][:both], now[name][:both]) for name in SAID}
    rows = np.flatnonzero(np.any(list(parted.values()), axis=0))
    if len(rows):
        row = int(rows[0])
        what = " and ".join(said for name, said in SAID.items() if parted[name][row])
        return Difference(row, what, _distance(kept, now, row), _distance(kept, now, both - 1))
    if len(kept) != len(now):
        return Difference(both, f"that it ends after {counted(min(len(kept), len(now)) - 1, 'step')}", 0.0, 0.0)
    return None


def _differing_rows(a: NDArray[Any], b: NDArray[Any]) -> NDArray[np.bool_]:
    same = (a == b) | ((a != a) & (b != b))
    rows: NDArray[np.bool_] = ~same.reshape(len(same), -1).all(axis=1)
    return rows


def _distance(a: NDArray[Any], b: NDArray[Any], row: int) -> float:
    numbers = [name for name in SAID if name != "success"]
    gaps = [np.abs(np.asarray(a[name][row], np.float64) - b[name][row]).ravel() for name in numbers]
    return float(np.nanmax(np.concatenate([[0.0], *gaps])))
