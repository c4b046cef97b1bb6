"""Sampling the initial state of an episode, as far as all task families do it alike (docs/simpler.md, tasks 0).

Every level of a reset makes its generator anew from the episode's seed, so the first numbers of all levels are the same:
which generator a value is sampled from, and after what, is as much a part of the original as the range.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.random.bit_generator import ISeedSequence
from numpy.typing import DTypeLike, NDArray

from eval.episode import CabinetSpec, ObjectSpec
from eval.errors import UserError, did_you_mean
from eval.tasks.reset_options import ObjectOptions, ResetOptions
from task_configs.schema.tables import objects
from task_configs.schema.tasks import Box2, Setup, Vec2, Vec4

TABLE_HEIGHT = 0.87
DROP_HEIGHT = 0.5
"""m above the table."""

Item = TypeVar("Item")

DROPPED_WORDS = {"opened", "light", "generated", "modified", "objaverse", "bridge", "baked", "v2"}


@dataclass(frozen=True)
class SampledStart:
    """The initial state of an episode, and the generator after the objects were sampled."""

    objects: tuple[ObjectSpec, ...]
    setup: Setup
    """With what was sampled of it: colours, and with a photo the robot's place."""
    instruction: str
    rng: np.random.RandomState
    cabinet: CabinetSpec | None = None
    later_instructions: tuple[str, ...] = ()
    matte_objects: bool = False


class _NoEntropy(ISeedSequence):
    """Begins a generator that is seeded at once, without asking the system for entropy: a third of the time."""

    def generate_state(self, n_words: int, dtype: DTypeLike = np.uint32) -> NDArray[np.uint32 | np.uint64]:
        """Zeros."""
        return np.zeros(n_words, dtype)


def fresh(seed: int) -> np.random.RandomState:
    """A generator as every level of a reset makes it again: the first numbers of all levels are the same."""
    generator = np.random.RandomState(np.random.MT19937(_NO_ENTROPY))  # type: ignore[arg-type]
    generator.seed(seed)  # what np.random.RandomState(seed) is
    return generator


_NO_ENTROPY = _NoEntropy()


def choose(items: Sequence[Item], rng: np.random.RandomState) -> Item:
    """One of the items; a single item takes no number from the generator."""
    return items[0] if len(items) == 1 else items[int(rng.randint(len(items)))]


def instruction_name(model: str) -> str:
    """Name of an object in instructions: ``baked_opened_7up_can_v2`` -> ``7up can`` (docs/simpler.md, tasks 0.4)."""
    return " ".join(word for word in model.split("_") if word not in DROPPED_WORDS and not word.endswith("cm"))


def sample_colours(setup: Setup, rng: np.random.RandomState) -> Setup:
    """The setup with its colours sampled, if it leaves a choice."""
    if not setup.urdf_choices:
        return setup
    return setup.model_copy(update={"urdf_version": choose(setup.urdf_choices, rng)})


def sample_target(options: ResetOptions, choices: tuple[str, ...], table: str, rng: np.random.RandomState) -> str:
    """Model of the target: the one of the options, else one of the choices. Raises UserError for an unknown one."""
    if options.model_id is None:
        return choose(choices, rng)
    if options.model_id not in objects(table):
        raise UserError(f'No object "{options.model_id}".{did_you_mean(options.model_id, objects(table))}')
    return options.model_id


def sample_spot(given: ObjectOptions, area: Box2, rng: np.random.RandomState) -> Vec2:
    """World position [m] in the area, unless the options give one."""
    return given.init_xy or pair(rng.uniform(area.low, area.high))


def sample_turn(given: ObjectOptions, quat: Vec4, rng: np.random.RandomState) -> Vec4:
    """The start rotation w x y z with the random turns that the options name."""
    if given.init_rand_rot_z:
        quat = multiply(about((0.0, 0.0, 1.0), rng.uniform(0, 2 * math.pi)), quat)
    if given.init_rand_axis_rot_range > 0:
        axis = rng.uniform(-1, 1, 3)
        axis = axis / max(float(np.linalg.norm(axis)), 1e-6)
        quat = multiply(quat, about(axis, rng.uniform(0, given.init_rand_axis_rot_range)))
    return quat


def start_height(options: ResetOptions) -> float:
    """m; objects start to fall from there."""
    surface = options.obj_init_options.init_z
    return (TABLE_HEIGHT if surface is None else surface) + DROP_HEIGHT


def placed(table: str, model: str, role: str, xy: Vec2, z: float, quat: Vec4, density: float | None = None) -> ObjectSpec:
    """An object and where it starts to fall from.

    Args:
        table: table of ``objects.yaml`` that the model's size and density are from.
        model: name of the model.
        role: see ``ObjectSpec.role``.
        xy, z: world position, m.
        quat: start orientation w x y z.
        density: kg/m3, instead of the table's.
    """
    if density is None:
        density = objects(table)[model].density
    return ObjectSpec(model=model, role=role, xy=xy, z=z, quat=quat, density=density, size=objects(table)[model].size)


def pair(values: NDArray[np.float64]) -> Vec2:
    """Two numbers as plain floats."""
    x, y = (float(value) for value in values)
    return x, y


def about(axis: tuple[float, float, float] | NDArray[np.float64], angle: float) -> Vec4:
    """Quaternion w x y z of a rotation by ``angle`` [rad] about a unit axis."""
    sine = math.sin(angle / 2)
    return math.cos(angle / 2), float(axis[0]) * sine, float(axis[1]) * sine, float(axis[2]) * sine


def multiply(a: Vec4, b: Vec4) -> Vec4:
    """Quaternion of "first b, then a"; w x y z."""
    aw, ax, ay, az = a
    bw, bx, by, bz = b
    return (
        aw * bw - ax * bx - ay * by - az * bz,
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
    )
