"""Contacts of the last substep, summed as the success rules need them (docs/simpler.md 3.5, 4, Q10, Q11)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import sapien
from numpy.typing import NDArray

IMPULSE_THRESHOLD = 1e-6


def presses_on_shape(contacts: Iterable[sapien.physx.PhysxContact], name: str, shape: sapien.physx.PhysxCollisionShape) -> bool:
    """Whether the named body presses on this very shape of another (docs/simpler.md, tasks 5); the order does not matter."""
    total = np.zeros(3)
    for contact in contacts:
        for mine, other in ((0, 1), (1, 0)):
            if contact.bodies[mine].entity.name == name and contact.shapes[other] == shape:
                sign = 1.0 if mine == 0 else -1.0
                total += sign * np.sum([point.impulse for point in contact.points], axis=0) if contact.points else 0.0
    return float(np.linalg.norm(total)) > IMPULSE_THRESHOLD


class ContactTable:
    """Summed impulses [N s] between named bodies; a contact within the offset but without impulse counts as zero."""

    def __init__(self, contacts: Iterable[sapien.physx.PhysxContact]) -> None:
        self._pairs: dict[tuple[str, str], list[tuple[float, sapien.physx.PhysxContact]]] = {}
        for contact in contacts:
            if contact.points:
                first, second = (body.entity.name for body in contact.bodies)
                self._pairs.setdefault((first, second), []).append((1.0, contact))
                self._pairs.setdefault((second, first), []).append((-1.0, contact))

    def impulse(self, on: str, by: str) -> NDArray[np.float64]:
        """(3,) impulse that ``by`` gives to ``on``, world frame; summed when it is asked for, as hardly any pair is."""
        total = np.zeros(3)
        for sign, contact in self._pairs.get((on, by), ()):
            total += sign * np.add.reduce([point.impulse for point in contact.points], axis=0)
        return total

    def touching(self, name: str) -> set[str]:
        """Bodies that press on ``name``."""
        partners = [by for on, by in self._pairs if on == name]
        return {by for by in partners if float(np.linalg.norm(self.impulse(name, by))) > IMPULSE_THRESHOLD}
