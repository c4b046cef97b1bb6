"""PhysX settings of the world, and the laws that carry PhysX 4's behaviour over to PhysX 5.

The original runs on SAPIEN 2.2.2 (PhysX 4.1.1), we run on SAPIEN 3.0.3 (PhysX 5.3.1). Two physics systems are used,
because the solver type is fixed when a system is made and each type is right for one job only: objects settle under TGS,
each robot works under its own. One rule for every task and object; how it was chosen: ``docs/contact.md``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import sapien
from sapien import physx
from scipy.optimize import brentq

from eval.errors import UserError
from eval.sim import fork_guard


@dataclass(frozen=True)
class Solver:
    """Solver of a physics system."""

    tgs: bool
    position_iterations: int
    velocity_iterations: int = 1


SETTLING_UPRIGHT = Solver(tgs=True, position_iterations=99, velocity_iterations=0)
SETTLING_FREE = Solver(tgs=True, position_iterations=200, velocity_iterations=0)
"""While objects may not tilt, and after. PhysX 4 removes 0.8 of an overlap per iteration, PhysX 5 ``2 / sqrt(iterations)``,
so no number of iterations is right for everything; how these were chosen: ``docs/contact.md``."""

CONTROL = {
    "google_robot": Solver(tgs=False, position_iterations=50),
    "widowx": Solver(tgs=False, position_iterations=25),
}
"""By robot family. PGS follows the Google arm within 0.21 mm and holds light objects, which TGS of PhysX 5 loses; with fewer
iterations the arm drifts under load. WidowX fingers that are pressed on a table while they close stick to it as in the
original with the original's number of iterations (within 2 mm); with 50 they creep up to 14 mm and catch what they would
miss there."""

ORIGINAL_POSITION_ITERATIONS = 25
STAGE_CONTACT_OFFSET = 0.002
"""Triangle meshes keep PhysX's own default in the original, whatever the scene says (docs/simpler.md Q1)."""
SLEEP_THRESHOLD = 0.005
SMALLEST_SCALE = 1e-4


def new_system(timestep: float, solver: Solver, contact_offset: float) -> physx.PhysxCpuSystem:
    """A physics system with the original's scene settings (docs/simpler.md 2).

    timestep: s; contact_offset: m, for convex and primitive shapes. SAPIEN 3 keeps these settings in process globals that
    are read when systems, bodies and shapes are made: build everything that goes into a system right after this call.
    """
    physx.set_default_material(1.0, 1.0, 0.0)
    physx.set_shape_config(contact_offset=contact_offset, rest_offset=0.0)
    physx.set_body_config(solver.position_iterations, solver.velocity_iterations, SLEEP_THRESHOLD)
    physx.set_scene_config(
        gravity=[0.0, 0.0, -9.81],
        bounce_threshold=2.0,
        enable_pcm=False,
        enable_tgs=solver.tgs,
        enable_ccd=False,
        enable_enhanced_determinism=False,
        enable_friction_every_iteration=True,
        cpu_workers=0,
    )
    system = physx.PhysxCpuSystem()
    system.timestep = timestep
    return system


def new_scene(system: physx.PhysxCpuSystem, render: bool, device: str | None = None) -> sapien.Scene:
    """A scene on ``system``; without ``render`` it has no render system, and nothing visual may be built in it.

    ``device``: what renders, in SAPIEN's words; None: the device of the process, at first the best one. Raises ``UserError``
    if this process renders on another one already.
    """
    if not render:
        return sapien.Scene([system])
    fork_guard.before_rendering()
    kept_renderer(device)
    return sapien.Scene([system, sapien.render.RenderSystem()])


@cache
def kept_renderer(device: str | None = None) -> sapien.render.RenderSystem:
    """One render system that lives as long as the process.

    With the last one SAPIEN closes the Vulkan device. The next scene would open it again and compile every shader anew,
    which takes seconds, and after some fifty times NVIDIA's driver refuses.
    """
    if device is None:
        return sapien.render.RenderSystem()
    try:
        return sapien.render.RenderSystem(device)
    except RuntimeError as error:
        if "single-GPU" not in str(error):
            raise
        now = sapien.render.RenderSystem().device
        raise UserError(
            f"Cannot render on {device}: this process renders on {now} ({now.name}) already, and SAPIEN renders on one device "
            "a process; choose the device before the first image."
        ) from error


def drive_scale(damping: float, inertia: float, timestep: float, solver: Solver) -> float:
    """Factor on a joint's drive (stiffness, damping, force limit) so that a blocked joint presses as hard as in PhysX 4.

    damping: N m s/rad or N s/m; inertia: kg m2 or kg, of what the joint moves; timestep: s.

    A drive that is blocked does not reach its ideal force in a finite number of iterations N: with
    ``a = damping * timestep / inertia`` the original's solver and PGS of PhysX 5 get to ``1 - exp(-N / a)`` of it (TGS of
    PhysX 5 to ``N / (N + a)``; all measured on one joint against a wall). The factor s makes ``s (1 - exp(-N / (s a)))``
    equal to what the original's iterations give; free motion keeps its shape because stiffness and damping shrink together.
    """
    a, n = damping * timestep / inertia, solver.position_iterations
    original = 1.0 - math.exp(-ORIGINAL_POSITION_ITERATIONS / a)

    def too_strong(s: float) -> float:
        return s * (1.0 - math.exp(-n / (s * a))) - original

    return 1.0 if too_strong(1.0) <= 0.0 else float(brentq(too_strong, SMALLEST_SCALE, 1.0))
