"""From the actions of a dataset to the seven numbers that a model says, and to token ids; the reverse of what a policy does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydantic import JsonValue
from scipy.spatial.transform import Rotation

from eval.errors import UserError
from policies.base import RobotName
from policies.phi3v.actions import encode
from policies.phi3v.statistics import Range
from policies.training import GripperMeaning
from policies.training import Rotation as RotationMeaning

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MASK = [True] * 6 + [False]
"""The gripper is meant as it is."""
SMALL = 1e-8
"""Added to the width of a range, as the original has it."""


def model_values(actions: Floats, robot: RobotName, rotation: RotationMeaning, gripper: GripperMeaning) -> Floats:
    """The actions of one episode as a model says them; reverse of ``controller_command`` beside the policies.

    Args:
        actions: (T, 7) translation [m], rotation, gripper.
        robot: whose.
        rotation: what numbers 3 to 5 are.
        gripper: what number 6 is.

    Returns:
        (T, 7) translation [m], roll pitch yaw [rad], opening of the gripper (0 closed .. 1 open).
    """
    angles = actions[:, 3:6] if rotation == "euler" else Rotation.from_rotvec(actions[:, 3:6]).as_euler("xyz")
    hand = actions[:, 6]
    if gripper == "command":
        hand = (hand > 0).astype(np.float64) if robot == "widowx" else openings(hand)
    return np.column_stack([actions[:, :3], angles, hand])


def openings(changes: Floats) -> Floats:
    """(T,) relative commands of a Google Robot (1 closes, -1 opens) -> (T,) opening, as the original's data was converted.

    What the first command changes is how the episode began; an episode without one has the hand open.
    """
    states = np.where(changes > 0.1, 0.0, np.where(changes < -0.1, 1.0, np.nan))
    said = np.flatnonzero(~np.isnan(states))
    begin = 1.0 if not len(said) else 1.0 - states[said[0]]
    last = np.maximum.accumulate(np.where(np.isnan(states), -1, np.arange(len(states))))
    return np.asarray(np.where(last < 0, begin, states[np.maximum(last, 0)]))


def action_statistics(values: Floats, episodes: int) -> dict[str, JsonValue]:
    """The entry of a dataset in ``dataset_statistics.json``; ``values`` (n, 7) as :func:`model_values` gives them."""
    numbers = {
        "mean": values.mean(0), "std": values.std(0), "max": values.max(0), "min": values.min(0),
        "q01": np.quantile(values, 0.01, axis=0), "q99": np.quantile(values, 0.99, axis=0),
    }  # fmt: skip
    action: dict[str, JsonValue] = {name: value.tolist() for name, value in numbers.items()}
    return {"action": {**action, "mask": [*MASK]}, "num_transitions": len(values), "num_trajectories": episodes}


def check_spread(key: str, statistics: Mapping[str, JsonValue]) -> None:
    """Raises UserError for actions that do not differ: nothing can be learnt from them, and no policy would load the result."""
    action = statistics["action"]
    assert isinstance(action, Mapping)
    low, high = (np.asarray(action[name], np.float64)[:6] for name in ("q01", "q99"))
    if np.array_equal(low, high):
        raise UserError(f'The actions of "{key}" do not differ between their 1st and 99th percentile; record other data.')


def token_ids(values: Floats, span: Range, constant: NDArray[np.bool_], vocab_size: int) -> Ints:
    """(n, 7) token ids of values.

    Args:
        values: (n, 7) as :func:`model_values` gives them.
        span: what they are scaled with.
        constant: (7,) numbers that are the same in the whole dataset: they are in the middle, as the original has it (but
            never the gripper, for which the middle would mean closed).
        vocab_size: of the tokenizer.
    """
    scaled = np.clip(2 * (values - span.q01) / (span.q99 - span.q01 + SMALL) - 1, -1, 1)
    scaled = np.where(span.mask, np.where(constant, 0.0, scaled), values)
    return encode(scaled, vocab_size)


def pooled(values: Sequence[Floats]) -> Floats:
    """Values of several datasets as one."""
    return np.concatenate(list(values))
