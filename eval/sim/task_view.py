"""The observation of a task's rule, read from a scene."""

from __future__ import annotations

from collections.abc import Sequence

from eval.sim.contacts import ContactTable, presses_on_shape
from eval.sim.objects import body_of
from eval.sim.robots.base import pose_array
from eval.sim.scene import EpisodeScene
from eval.sim.settling import Settled
from eval.tasks.base import TaskObservation
from eval.tasks.grasp_check import is_grasped


class TaskView:
    """Reads one scene, step after step; what does not change during an episode is looked up once."""

    def __init__(self, scene: EpisodeScene) -> None:
        self._scene = scene
        self._family = scene.config.family
        self._links = frozenset(scene.robot.links)
        self._fingers = {name: link for name, link in scene.robot.links.items() if "finger" in name}
        self._mass_centers = {name: body_of(entity).cmass_local_pose for name, entity in scene.objects.items()}

    def read(self, settled: Sequence[Settled] | None = None) -> TaskObservation:
        """The scene as it stands; ``settled``, the objects' settled states, at the start of an episode only."""
        scene, links = self._scene, self._links
        contacts = scene.engine.get_contacts()
        table = ContactTable(contacts)
        poses = {name: pose_array(entity.pose) for name, entity in scene.objects.items()}
        centers = {name: pose_array(e.pose * self._mass_centers[name])[:3] for name, e in scene.objects.items()}
        axes = {name: link.entity_pose.to_transformation_matrix()[:3, 1] for name, link in self._fingers.items()}

        def grasped(name: str, max_angle: float) -> bool:
            return is_grasped(self._family, lambda link: table.impulse(link, name), axes, max_angle)

        def foreign_contact(name: str, allowed: frozenset[str]) -> bool:
            return any(other not in links and other not in allowed for other in table.touching(name))

        def lies_in_drawer(name: str, drawer: str) -> bool:
            return scene.cabinet is not None and presses_on_shape(contacts, name, scene.cabinet.floor(drawer))

        heights = None
        if settled is not None:
            heights = {name: state.reference_height for name, state in zip(scene.objects, settled, strict=True)}
        drawers = scene.cabinet.openings if scene.cabinet is not None else {}
        return TaskObservation(poses, centers, grasped, foreign_contact, heights, drawers, lies_in_drawer)
