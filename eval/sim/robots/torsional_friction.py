"""Torsional friction of fingertips on a cabinet as the original's solver has it: without a limit.

A finger that presses on a panel with one point does not turn about the normal of that contact in 2.2.2, however hard it is
twisted; under PGS of PhysX 5 it turns freely. So a torque is added that stops the turning: in every substep as much more as
would have stopped what was left in the last one. Drawers do not turn themselves. On tables and free objects it was tried and
left out: recordings and episodes of the original are followed no better. Numbers: ``results/benchmarks/original.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

import numpy as np
from numpy.typing import NDArray
from sapien.physx import PhysxArticulationJoint, PhysxArticulationLinkComponent, PhysxContact

from eval.sim.robots.articulation import Robot
from eval.sim.robots.finger_contact import IMPULSE_THRESHOLD

Array = NDArray[np.float64]
Pair = tuple[str, str]
"""Names of the finger's link and of the cabinet's."""


class TorsionalFriction:
    """The torques about the joints by which fingers that press on a cabinet with one point are kept from turning.

    Args:
        robot: whose fingers they are; its drives are set.
        fingers: names of their links.
        cabinet: its links.
        contacts: of the last substep, of the whole scene.
        timestep: of a substep, s.
    """

    def __init__(
        self,
        robot: Robot,
        fingers: Collection[str],
        cabinet: Collection[PhysxArticulationLinkComponent],
        contacts: Callable[[], Iterable[PhysxContact]],
        timestep: float,
    ) -> None:
        self._contacts, self._timestep = contacts, timestep
        self._links = robot.articulation.links
        self._joints = robot.articulation.active_joints
        self._turns = np.array([joint.type.startswith("revolute") for joint in self._joints])
        self._moving = {link.name: _joints_above(link, self._joints) for link in self._links}
        self._fingers, self._cabinet = {robot.links[name] for name in fingers}, set(cabinet)
        stiffness = np.array([joint.stiffness for joint in self._joints], dtype=np.float64)
        damping = np.array([joint.damping for joint in self._joints], dtype=np.float64)
        self._drives = np.diag(timestep * (damping + timestep * stiffness))
        self._torques: dict[Pair, Array] = {}
        self._mobility: tuple[Array, Array] | None = None

    def begin_step(self) -> None:
        """A control step begins: how easily the arm turns is worked out anew if it is needed."""
        self._mobility = None

    def joint_torques(self) -> Array | None:
        """(n,) N m about the joints in the engine's order for the coming substep; None: nothing presses with one point."""
        pressing = self._pressing()
        if not pressing:
            self._torques.clear()
            return None
        axes, mobility = self._mobility = self._mobility or self._how_easily_it_turns()
        total = np.zeros(len(self._joints))
        torques: dict[Pair, Array] = {}
        for pair, (link, normal) in pressing.items():
            turning = np.where(self._moving[link.name] & self._turns, axes @ normal, 0.0)  # of the link about it, a joint each
            speed = float(normal @ np.asarray(link.angular_velocity, dtype=np.float64))
            before = float(normal @ self._torques.get(pair, np.zeros(3)))
            gives_way = float(turning @ mobility @ turning)
            more = -speed / (self._timestep * gives_way * len(pressing)) if gives_way > 0.0 else 0.0
            torques[pair] = (before + more) * normal
            total += (before + more) * turning
        self._torques = torques
        return total

    def _pressing(self) -> dict[Pair, tuple[PhysxArticulationLinkComponent, Array]]:
        """Finger and normal of each contact that has one point with an impulse. It is asked 171 times a control step."""
        found: dict[Pair, tuple[PhysxArticulationLinkComponent, Array]] = {}
        for contact in self._contacts():
            first, second = contact.bodies
            if second in self._fingers:
                first, second = second, first
            if first in self._fingers and second in self._cabinet:
                points = [point for point in contact.points if np.linalg.norm(point.impulse) > IMPULSE_THRESHOLD]
                if len(points) == 1:
                    found[first.name, second.name] = first, np.asarray(points[0].normal, dtype=np.float64)
        return found

    def _how_easily_it_turns(self) -> tuple[Array, Array]:
        """(n, 3) axes of the joints, world, and (n, n) how their speeds change with impulses, against the drives; 1/(kg m2)."""
        poses = [joint.global_pose.to_transformation_matrix().astype(np.float64) for joint in self._joints]
        axes, places = np.array([pose[:3, 0] for pose in poses]), np.array([pose[:3, 3] for pose in poses])
        inertia = self._drives.copy()
        for link in self._links:
            moves = self._moving[link.name]
            if not moves.any():
                continue
            pose = (link.entity_pose * link.cmass_local_pose).to_transformation_matrix().astype(np.float64)
            turning = np.where((moves & self._turns)[:, None], axes, 0.0)
            moving = np.where(self._turns[:, None], np.cross(turning, pose[:3, 3] - places), axes * moves[:, None])
            about = pose[:3, :3] @ np.diag(np.asarray(link.inertia, dtype=np.float64)) @ pose[:3, :3].T
            inertia += float(link.mass) * moving @ moving.T + turning @ about @ turning.T
        return axes, np.asarray(np.linalg.inv(inertia), dtype=np.float64)


def _joints_above(link: PhysxArticulationLinkComponent, joints: list[PhysxArticulationJoint]) -> NDArray[np.bool_]:
    """Which active joints move a link."""
    names = set()
    at: PhysxArticulationLinkComponent | None = link
    while at is not None and at.joint is not None:
        names.add(at.joint.name)
        at = at.parent
    return np.array([joint.name in names for joint in joints])
