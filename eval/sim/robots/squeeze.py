"""What the original reads as velocity of two fingers that squeeze a free body: a rest of its solver's last pass.

In every pass the solver visits each finger's contact once, its normal first and then its friction, and then every drive adds
some of the force that it still lacks. A body that is held stands still, so a pass over the contacts takes up just what the
drives have added, and what row of the contact takes up how much is a matter of statics. After the last pass of the positions
comes one of the velocities, which no longer pushes apart what overlaps (all else is kept). What it lets through is what is
read. It is small for a heavy body and far out on the finger, and nothing where the contacts are so slanted that friction
bears much of the load. No number here is fitted; the order of the fingers, and what is forgotten, were chosen by what fits.
Against what 2.2.2 reads: ``docs/contact.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.sim.physics import ORIGINAL_POSITION_ITERATIONS

Array = NDArray[np.float64]

VISITED = (1, 0)
"""The left finger's contact comes before the right one's: so 2.2.2 reads, the other order fits worse."""


@dataclass(frozen=True)
class FingerDrive:
    """Drive of a finger as the original has it."""

    stiffness: float
    """N m/rad."""
    damping: float
    """N m s/rad."""
    inertia: float
    """kg m2, of the finger about its joint."""

    def last_push(self, timestep: float) -> float:
        """Velocity that the drive gives its blocked finger in the last pass, per lag behind the target; 1/s."""
        a = timestep * (timestep * self.stiffness + self.damping) / self.inertia
        share = 1.0 / (1.0 + a)
        done = (1.0 - share) ** (ORIGINAL_POSITION_ITERATIONS - 1)
        return share * done * timestep * self.stiffness / self.inertia


@dataclass(frozen=True)
class FreeBody:
    """The body between the fingers."""

    mass: float
    """kg."""
    inertia: Array
    """(3, 3) kg m2, about the centre of mass along the world's axes."""


@dataclass(frozen=True)
class Press:
    """Contact of one finger with the body, world axes."""

    place: Array
    """(3,) m, from the body's centre of mass."""
    normal: Array
    """(3,) unit vector into the body."""
    motion: Array
    """(3,) m/rad, how the finger moves there while it closes."""


def closing_speed(
    body: FreeBody, presses: Sequence[Press], lags: Sequence[float] | Array, drive: FingerDrive, timestep: float
) -> float:
    """Sum of both fingers' velocities as read; rad/s.

    presses and lags: of two fingers, right and left; a lag is target minus angle, rad; timestep: s.
    """
    rows = np.concatenate([_rows(presses[finger], finger) for finger in VISITED])
    inverse_mass = np.zeros((8, 8))
    inverse_mass[0, 0] = inverse_mass[1, 1] = 1.0 / drive.inertia
    inverse_mass[2:5, 2:5] = np.eye(3) / body.mass
    inverse_mass[5:, 5:] = np.linalg.inv(body.inertia)
    answer = inverse_mass @ rows.T
    coupling = rows @ answer
    pushed = np.zeros(8)
    pushed[:2] = drive.last_push(timestep) * np.asarray(lags)
    taken = -np.linalg.lstsq(coupling, rows @ pushed, rcond=1e-9)[0]

    velocity, let_through = pushed.copy(), np.zeros(8)
    for k, row in enumerate(rows):
        parting = coupling[k, k] * taken[k] + row @ velocity  # at which this row aims, so that all ends at rest
        velocity += answer[:, k] * taken[k]
        forgotten = max(parting, 0.0) if k % 3 == 0 else 0.0
        let_through += answer[:, k] * ((-forgotten - row @ let_through) / coupling[k, k])
    return float(let_through[:2].sum())


def _rows(press: Press, finger: int) -> Array:
    """(3, 8) normal and two directions of friction: how fast body and finger part there.

    Columns: velocity of the right and the left finger, of the body's centre, its angular velocity.
    """
    along = press.motion - press.normal * (press.motion @ press.normal)
    if not along.any():
        along = np.cross(press.normal, np.eye(3)[np.argmin(np.abs(press.normal))])
    along = along / np.linalg.norm(along)
    rows = np.zeros((3, 8))
    for row, direction in zip(rows, (press.normal, along, np.cross(press.normal, along)), strict=True):
        row[finger] = -(press.motion @ direction)
        row[2:5] = direction
        row[5:] = np.cross(press.place, direction)
    return rows
