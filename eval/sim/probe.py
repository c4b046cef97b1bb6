"""Trying SAPIEN out in a child process, and a scene small enough for that: a broken driver ends the process that asks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import sapien


def run_module(module: str, arguments: Sequence[str], seconds: float) -> subprocess.CompletedProcess[str] | None:
    """Run one of our modules as a program; None if it takes longer than ``seconds``.

    The child imports this very package wherever it is started, and nothing that lies in the working folder.
    """
    path = os.pathsep.join(part for part in (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")) if part)
    try:
        return subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            capture_output=True, text=True, timeout=seconds, env={**os.environ, "PYTHONPATH": path}, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None


def last_json(child: subprocess.CompletedProcess[str]) -> str | None:
    """The last line that is a JSON object: drivers print, too."""
    return next((line for line in reversed(child.stdout.splitlines()) if line.startswith("{")), None)


def render_box(
    renderer: sapien.render.RenderSystem, color: tuple[float, float, float], light: float, size: tuple[int, int] = (64, 48)
) -> NDArray[np.float32]:
    """(H, W, 4) a lit box in the middle of the image, 0..1.

    Args:
        renderer: what renders.
        color: RGB of the box, 0..1.
        light: grey value of the ambient light.
        size: (W, H) of the image, pixels.
    """
    import sapien

    scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), renderer])
    scene.set_ambient_light([light] * 3)
    scene.add_directional_light([1, 0, -1], [1, 1, 1])
    builder = scene.create_actor_builder()
    builder.add_box_visual(half_size=[0.3, 0.3, 0.3], material=list(color))
    builder.build_kinematic()
    camera = scene.add_camera("probe", *size, fovy=1.0, near=0.01, far=10.0)
    camera.entity.set_pose(sapien.Pose([-2, 0, 0]))
    scene.update_render()
    camera.take_picture()
    image: NDArray[np.float32] = np.array(camera.get_picture("Color"))
    return image
