"""Which asset files episodes load."""

from __future__ import annotations

from collections.abc import Iterable

from eval.assets.manifest import original_assets
from eval.assets.resolver import VISUAL_NAMES, robot_name
from eval.episode import EpisodeSpec
from task_configs import robots, scenes


def needed_files(plan: Iterable[EpisodeSpec]) -> list[str]:
    """Names (relative to a pack) of the files that some episodes load, sorted; robots by their URDFs.

    Not among them are the files that these name: meshes of URDFs, materials and textures of meshes.
    """
    names: set[str] = set()
    models: set[str] = set()
    for spec in plan:
        if stage := scenes()[spec.scene].file:
            names.add(f"data/{stage}")
        if spec.overlay is not None:
            names.add(f"data/{spec.overlay}")
        if cabinet := spec.cabinet:
            names.add(f"data/custom/{cabinet.station}.urdf")
        models.update(item.model for item in spec.objects)
        names.add(robot_name(robots()[spec.robot].family, spec.urdf_version))
    for model in models:
        names |= {f"data/custom/models/{model}/collision.obj", _visual(model)}
    return sorted(names)


def _visual(model: str) -> str:
    """The visual mesh that the original loads for an object."""
    names = [f"data/custom/models/{model}/{name}" for name in VISUAL_NAMES]
    return next((name for name in names if name in original_assets().files), names[-1])
