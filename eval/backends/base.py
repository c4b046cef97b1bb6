"""A world behind the runner, seen from both of its sides.

``Backend`` is the parent's side: how the world is reached and what a run says of it. ``Simulation`` is the worker's side: it
plays one episode at a time inside a process of its own. A world of one's own is a module with one class derived from
``Simulation``; ``simpler-eval run --world MODULE`` plays in it. The hash of the module's file, and of what it
imports from its folder, belongs to a run's identity. A whole one::

    import numpy as np

    from eval.backends.base import Simulation, SimulationState
    from eval.records.header import WorldRecord


    class Nothing(Simulation):
        def image_size(self, spec):
            return 48, 64

        def begin(self, spec, image):
            self.spec = spec
            return self._state(image)

        def step(self, action, image):
            return self._state(image)

        def _state(self, image):
            if image is not None:
                image[...] = 127
            return SimulationState(
                instruction=self.spec.instruction,
                tcp_pose=np.array([0.3, 0.0, 0.2, 1.0, 0.0, 0.0, 0.0]),
                gripper_opening=1.0,
                qpos=np.zeros(8),
                success=False,
                episode_stats={},
            )

        def describe(self):
            return WorldRecord(name="a world in which nothing happens")

H, W pixels; n joints.
"""

from __future__ import annotations

import importlib
import inspect
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.records.header import WorldIdentity, WorldRecord
from policies.base import Privileged

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
OLD_FUNCTIONS = ("make_world", "scene_key", "open_assets")


# ---- inside a worker -------------------------------------------------------------------------------------------------


class WorldOptions(NamedTuple):
    """What the command line says of a world; picklable."""

    assets: str | None = None
    """``--assets``."""
    rendering: str = "raster"
    """How episodes are rendered for which the original traces rays: a choice of :mod:`eval.sim.ray_tracing`."""
    render_device: str | None = None
    """What renders, as of ``--render-device`` (for our own world: in SAPIEN's words). A world that honours it says so in
    ``WorldRecord.render_device``; else the run ends with a line. None: the world's own choice."""


class SimulationState(NamedTuple):
    """The world after the reset or after a control step."""

    instruction: str
    """What the policy is to do now."""
    tcp_pose: NDArray[np.floating]
    """(7,) x y z qw qx qy qz, tool in the frame of the robot's base; m."""
    gripper_opening: float
    """0 closed .. 1 open."""
    qpos: NDArray[np.floating]
    """(n,) rad or m, in the URDF's depth-first order."""
    success: bool
    episode_stats: Mapping[str, object]
    """JSON scalars; NumPy's own count as such."""
    is_final_subtask: bool = True
    """Whether the policy's "done" may end the episode."""
    surroundings: NDArray[np.floating] | None = None
    """(k,) of what moves beside the robot (poses of objects, openings of drawers), in an order that stays the same through an
    episode; kept, so that ``simpler-eval replay`` sees whether it moves as before. None: the world does not say."""


class Simulation(ABC):
    """A world inside a worker process: plays one episode after the other. The module's docstring has an example.

    Whatever a method raises costs the episode under way (twice, then it is recorded as errored), except ``UserError``, which
    ends the run with its text.
    """

    def __init__(self, options: WorldOptions) -> None:
        """Open what all episodes need; an ``__init__`` of one's own calls this one."""
        self.options = options

    @abstractmethod
    def image_size(self, spec: EpisodeSpec) -> tuple[int, int]:
        """(H, W) of the image that a policy sees in this episode."""

    @abstractmethod
    def begin(self, spec: EpisodeSpec, image: Image | None) -> SimulationState:
        """Reset to an episode, which must not depend on those before it.

        ``image``: where the first image is to be written; None: nothing is rendered in this episode.
        """

    @abstractmethod
    def step(self, action: NDArray[np.float64], image: Image | None) -> SimulationState:
        """Play one control step with a (7,) action (``policies.base.Action.command``); ``image`` as for ``begin``."""

    @abstractmethod
    def describe(self) -> WorldRecord:
        """What ``run.json`` says of the world; asked once an episode, after ``begin``."""

    def advance_to_next_subtask(self) -> None:
        """Begin the next subtask; called only if the last state was not in the final one."""
        name = type(self).__name__
        raise UserError(f"The world {name} reports subtasks but cannot change them; give it a method advance_to_next_subtask.")

    def privileged(self) -> Privileged:
        """State of the simulator for scripted policies; asked only if the policy ``needs_privileged``."""
        raise UserError(f"The world {type(self).__name__} has no privileged state; choose a policy that needs none.")

    @classmethod
    def refusal(cls, error: Exception) -> str | None:
        """One line if ``error`` means that no episode at all can be played here, with what would help; else None."""
        return None

    def close(self) -> None:  # noqa: B027  most worlds hold nothing
        """Free what the world holds."""


def load_simulation(module_name: str) -> type[Simulation]:
    """The class of a world's module. Raises UserError if it has none, or several."""
    module = importlib.import_module(module_name)
    classes = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, Simulation) and value.__module__ == module.__name__
    ]
    if len(classes) == 1:
        return classes[0]
    what = "has several classes" if classes else "has no class"
    if not classes and any(name in vars(module) for name in OLD_FUNCTIONS):
        what = f"has functions of an earlier version ({', '.join(OLD_FUNCTIONS)}) instead of a class"
    raise UserError(
        f"The world {module_name} {what} derived from eval.backends.base.Simulation; give it exactly one, as in the example "
        "at the top of eval/backends/base.py."
    )


def search_path() -> tuple[str, ...]:
    """``sys.path`` as it is now, and valid wherever the working folder moves."""
    return tuple(os.path.abspath(entry) for entry in sys.path)


# ---- in the parent ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class OwnWorker:
    """A worker in our own interpreter."""

    module: str
    """Of the class derived from ``Simulation``."""
    options: WorldOptions
    path: tuple[str, ...] = field(default_factory=search_path)
    """Search path of the process, which must find the module."""


@dataclass(frozen=True)
class ForeignWorker:
    """A worker in another interpreter: ``python script serve DESCRIPTOR PARENT``, which speaks the protocol."""

    python: str
    script: Path


class Backend(ABC):
    """How a world is reached, and what a run says of it."""

    holds_several: ClassVar[bool] = False
    """Whether one worker can hold several episodes at once."""

    def __init__(self, identity: WorldIdentity, worker: OwnWorker | ForeignWorker, render_device: str | None = None) -> None:
        """A way to reach a world.

        Args:
            identity: what two runs must share to be pooled.
            worker: what is started to play in the world.
            render_device: what was chosen to render, as a user calls it (``cuda:1``); None: nothing was.
        """
        self.identity, self.worker, self.render_device = identity, worker, render_device

    @abstractmethod
    def payload(self, spec: EpisodeSpec) -> str:
        """The text that a ``Begin`` carries about an episode."""

    @abstractmethod
    def completed(self, record: WorldRecord) -> WorldRecord:
        """A worker's record of its world, with what only the parent knows."""


class OwnBackend(Backend):
    """A world that our own worker plays in: one ``Simulation`` for each episode that it holds."""

    holds_several = True

    def payload(self, spec: EpisodeSpec) -> str:
        """The episode itself."""
        return spec.model_dump_json()

    def completed(self, record: WorldRecord) -> WorldRecord:
        """As it is, with the user's name for the device. Raises UserError if the world ignores which one was chosen."""
        if self.render_device is not None and record.render_device is None:
            raise UserError(
                f"{record.name} does not render on a chosen device; leave --render-device out, or let the world use "
                "options.render_device and name it in its WorldRecord."
            )
        return record.model_copy(update={"render_device": self.render_device})
