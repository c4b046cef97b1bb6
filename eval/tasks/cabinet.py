"""The base of the families with a cabinet: opening drawers, and placing into them (docs/simpler.md, tasks 3 to 5)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from eval.episode import DRAWERS, CabinetSpec
from eval.errors import UserError
from eval.tasks.base import TaskBase
from eval.tasks.reset_options import ResetOptions
from eval.tasks.sampling import choose, sample_colours
from task_configs.schema.tables import robot_places
from task_configs.schema.tasks import Setup, require_distinct

OPEN, CLOSED = 0.15, 0.05
"""m, from and up to which a drawer counts as open and as closed."""
JOINT_FRICTION = 0.05
STATIONS = ("mk_station", "mk_station2", "mk_station3", "mk_station4", "mk_station_recolor")
"""Cabinet files (docs/simpler.md, tasks 4); they differ in colours alone."""
KEYWORDS: Mapping[str, str] = {
    "station_name": "station",
    "light_mode": "lighting",
    "camera_mode": "view",
    "cabinet_joint_friction": "joint_friction",
}
"""Constructor keyword of the original -> field of a setup."""


class CabinetTask(TaskBase):
    """A task with a cabinet (docs/simpler.md, tasks 3 and 4); nothing collides with the stage."""

    stage_collides: bool = False
    drawers: Annotated[tuple[Literal["top", "middle", "bottom"], ...], Field(min_length=1)]
    """The drawer of the task; sampled where there are several."""

    required: ClassVar[tuple[str, ...]] = ("station",)
    own_fields: ClassVar[frozenset[str]] = frozenset({"station", "drawer", "joint_friction", "place_choices", "urdf_choices"})

    @model_validator(mode="after")
    def _drawers_differ(self) -> Self:
        require_distinct(self.drawers, "drawers:")
        return self

    @property
    def known_names(self) -> Mapping[str, Collection[str]]:
        """Its drawers, and the cabinet files."""
        return {"drawer": self.drawers, "station": STATIONS}

    def fixed_drawer(self, setup: Setup) -> str:
        """The drawer of the setup or the only one of the task; "" where it is sampled."""
        return setup.drawer or (self.drawers[0] if len(self.drawers) == 1 else "")

    def sample_drawer(self, setup: Setup, rng: np.random.RandomState) -> tuple[str, Setup]:
        """The drawer, and the setup with photo, robot's place and colours; sampled from one generator in this order."""
        drawer = setup.drawer or choose(self.drawers, rng)
        if setup.place_choices:
            setup = robot_places()[choose(setup.place_choices, rng)].applied_to(setup)
        return drawer, sample_colours(setup, rng)


def cabinet_spec(setup: Setup, drawer: str, opening: float, options: ResetOptions) -> CabinetSpec:
    """The cabinet with one drawer ``opening`` [m] open; the options may say otherwise (docs/simpler.md Q46).

    Raises UserError.
    """
    given = options.obj_init_options.cabinet_init_qpos
    if isinstance(given, tuple):
        if len(given) != len(DRAWERS):
            raise UserError(f"cabinet_init_qpos has {len(given)} numbers; give one, or {len(DRAWERS)} from top to bottom.")
        qpos = given
    else:
        opening = opening if given is None else given
        qpos = tuple(opening if name == drawer else 0.0 for name in DRAWERS)
    friction = JOINT_FRICTION if setup.joint_friction is None else setup.joint_friction
    return CabinetSpec(station=setup.station or "", drawer=drawer, qpos=qpos, joint_friction=friction)
