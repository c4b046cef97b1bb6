"""The files that a plan needs are those that its episodes load."""

from __future__ import annotations

from eval.assets.needed import needed_files
from eval.plan.suites import make_plan

COKE = "data/custom/models/opened_coke_can"
STAGE = "data/hab2_bench_assets/stages/google_pick_coke_can_1_v4.glb"
PHOTO = "data/real_inpainting/google_coke_can_real_eval_1.png"
URDF = "mani_skill2_real2sim/assets/descriptions/googlerobot_description/google_robot_meta_sim_fix_wheel_fix_fingertip.urdf"


def test_what_a_plan_needs() -> None:
    names = needed_files(make_plan(tasks=["google_robot_pick_coke_can"]))
    assert {STAGE, PHOTO, URDF, f"{COKE}/collision.obj", f"{COKE}/textured.dae"} <= set(names)
    assert sum("recolor_" in name for name in names) == 3
    assert len(needed_files(make_plan(tasks=["google_robot_pick_coke_can"], setting="variant_aggregation"))) > len(names)
