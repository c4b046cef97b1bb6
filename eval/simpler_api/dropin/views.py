"""What callers of the original read of its simulator, under SAPIEN 2's names and in its order of joints and links.

Every view looks the present scene up anew, so one kept over a reset tells the new episode's numbers. Views only read.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn

import numpy as np
from numpy.typing import NDArray

from eval.sim.objects import body_of
from eval.sim.scene import EpisodeScene
from eval.sim.stage import STAGE_NAME
from eval.simpler_api import NotSupported

if TYPE_CHECKING:
    import sapien

Float32 = NDArray[np.float32]
Scene = Callable[[], EpisodeScene]
"""The scene of the present episode."""


class View:
    """What is not built raises, so that a caller's fallback or wrong guess is seen; so does writing, which would be lost."""

    what: ClassVar[str] = "environment"

    def __init__(self, **fields: object) -> None:
        self.__dict__.update(fields)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  attributes of the original have any type
        absent(self.what, name)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        only_read(self.what, name)


def absent(what: str, name: str) -> NoReturn:
    """Raise AttributeError for a part of the original that is not built."""
    raise AttributeError(f'"{name}" of the original\'s {what} is not built; docs/dropin.md lists what is.')


def only_read(what: str, name: str) -> NoReturn:
    """Raise AttributeError for a part of the original that would be lost if it were written."""
    raise AttributeError(f'"{name}" of the original\'s {what} cannot be written here; give make or reset what you want.')


class Body(View, ABC):
    """What has a place in the scene: an actor or a link."""

    name: str

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}")'

    @property
    @abstractmethod
    def _entity(self) -> sapien.Entity:
        """In the present scene."""

    @property
    def id(self) -> int:
        """Its number in the second channel of ``Segmentation``."""
        return int(self._entity.per_scene_id)

    @property
    def pose(self) -> sapien.Pose:
        """World pose of its frame."""
        return self._entity.pose

    def get_name(self) -> str:
        """See ``name``."""
        return self.name

    def get_id(self) -> int:
        """See ``id``."""
        return self.id

    def get_pose(self) -> sapien.Pose:
        """See ``pose``."""
        return self.pose


class Actor(Body):
    """A body that is no link: the stage or an object. Poses are of its own frame, in the world."""

    what = "actor"

    _scene: Scene

    def __init__(self, scene: Scene, name: str) -> None:
        super().__init__(_scene=scene, name=name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Actor) and other.name == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    @property
    def _entity(self) -> sapien.Entity:
        scene = self._scene()
        if self.name == STAGE_NAME:
            return scene.stage
        if self.name not in scene.objects:
            raise NotSupported(f'"{self.name}" is not in the present scene; read it from the environment after each reset.')
        return scene.objects[self.name]

    @property
    def cmass_local_pose(self) -> sapien.Pose:
        """Frame of the principal axes, in the actor's."""
        return body_of(self._entity).cmass_local_pose

    @property
    def velocity(self) -> Float32:
        """(3,) m/s, of the centre of mass; zero for the stage."""
        return np.zeros(3, np.float32) if self.name == STAGE_NAME else np.array(body_of(self._entity).linear_velocity)

    @property
    def angular_velocity(self) -> Float32:
        """(3,) rad/s; zero for the stage."""
        return np.zeros(3, np.float32) if self.name == STAGE_NAME else np.array(body_of(self._entity).angular_velocity)

    def get_velocity(self) -> Float32:
        """See ``velocity``."""
        return self.velocity

    def get_angular_velocity(self) -> Float32:
        """See ``angular_velocity``."""
        return self.angular_velocity


class Link(Body):
    """A link of the robot or of the cabinet."""

    what = "link"

    _find: Callable[[], sapien.Entity]

    def __init__(self, entity: Callable[[], sapien.Entity], name: str) -> None:
        super().__init__(_find=entity, name=name)

    @property
    def _entity(self) -> sapien.Entity:
        return self._find()


class Joint(View):
    """A joint that moves."""

    what = "joint"

    name: str
    _limits: Float32

    def __init__(self, name: str, limits: Float32) -> None:
        super().__init__(name=name, _limits=limits)

    def __repr__(self) -> str:
        return f'Joint(name="{self.name}")'

    def get_name(self) -> str:
        """See ``name``."""
        return self.name

    def get_limits(self) -> Float32:
        """(1, 2) least and greatest position."""
        return self._limits[None].copy()
