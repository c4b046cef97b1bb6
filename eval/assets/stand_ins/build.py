"""Generates all stand-ins into one folder, in the layout of the original repository."""

from __future__ import annotations

from pathlib import Path

from eval.assets.stand_ins.objects import write_models
from eval.assets.stand_ins.photos import write_photos
from eval.assets.stand_ins.robots import write_robots
from eval.assets.stand_ins.stages import STAGES, write_stage


def build_all(root: Path) -> None:
    """Write everything below ``root``."""
    write_models(root / "data/custom/models")
    for name, stage in STAGES.items():
        write_stage(stage, root / f"data/hab2_bench_assets/stages/{name}.glb")
    write_photos(root / "data/real_inpainting")
    write_robots(root / "mani_skill2_real2sim/assets/descriptions")
