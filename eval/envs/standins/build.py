"""Generates all stand-ins into one folder, in the layout of the original repository."""

from __future__ import annotations

from pathlib import Path

from eval.envs.standins.objects import write_models
from eval.envs.standins.photos import write_photos
from eval.envs.standins.robots import write_robots
from eval.envs.standins.stages import STAGES, write_stage


def build_all(root: Path) -> None:
    """Write everything below ``root``."""
    write_models(root / "data/custom/models")
    for name, stage in STAGES.items():
        write_stage(stage, root / f"data/hab2_bench_assets/stages/{name}.glb")
    write_photos(root / "data/real_inpainting")
    write_robots(root / "mani_skill2_real2sim/assets/descriptions")
