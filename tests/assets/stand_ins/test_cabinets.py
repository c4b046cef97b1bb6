"""The cabinets weigh and slide like the originals."""

import numpy as np
import pytest
import sapien

from eval.assets.resolver import Assets
from eval.assets.stand_ins import cabinets

ASSETS = Assets([])


@pytest.mark.parametrize("station", sorted(cabinets.STATIONS))
def test_cabinets_weigh_and_slide_like_the_originals(station):
    scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), sapien.render.RenderSystem()])
    loader = scene.create_urdf_loader()
    loader.fix_root_link = True
    cabinet = loader.load(str(ASSETS.urdf(f"data/custom/{station}.urdf")))
    cabinet.qpos = np.zeros(3, dtype=np.float32)  # places the links
    masses = {link.name: link.mass for link in cabinet.links}
    assert masses["body"] == pytest.approx(38.0845, rel=1e-3)
    for name, height in (("top_drawer", 0.668), ("middle_drawer", 0.423), ("bottom_drawer", 0.178)):
        assert masses[name] == pytest.approx(11.3765, rel=1e-3)
        link = next(link for link in cabinet.links if link.name == name)
        assert link.entity_pose.p[2] == pytest.approx(height, abs=1e-6)
        # the task's contact test looks at the third shape: the drawer's floor
        floor = link.collision_shapes[2]
        np.testing.assert_allclose(floor.local_pose.p, [0, 0, -0.06], atol=1e-6)
        np.testing.assert_allclose(floor.half_size, [0.275, 0.2575, 0.01], atol=1e-6)
    for joint in cabinet.active_joints:
        np.testing.assert_allclose(joint.limits, [[0.0, 0.5]], atol=1e-6)
