"""Kinematics and joint paths against calls of the original's engine that were recorded one by one."""

from __future__ import annotations

import json

import numpy as np
import pytest
from recordings import golden

from eval.parity.recordings.controller import pose_difference
from eval.sim.objects import mass_properties
from eval.sim.robots.geometry import robot_geometry
from eval.sim.robots.kinematics import KinematicModel
from eval.sim.robots.trajectory import PathPlanner

FAMILIES = {"google": "google_robot", "widowx": "widowx"}


@pytest.mark.parametrize("name", FAMILIES)
def test_inverse_kinematics_end_where_the_originals_did(name: str) -> None:
    model = KinematicModel(robot_geometry(FAMILIES[name]))
    with np.load(golden("simpler_spec/ik_reference.npz")) as file:
        start, target, joints, success = (file[f"{name}_{what}"] for what in ("q0", "target", "res", "suc"))
    ours = [model.inverse(t.astype(np.float64), q.astype(np.float64)) for q, t in zip(start, target, strict=True)]
    assert len(ours) == 200
    np.testing.assert_array_equal([result.success for result in ours], success)
    both = np.flatnonzero(success)
    assert len(both) > 100
    np.testing.assert_allclose([ours[i].qpos for i in both], joints[both], atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_tool_is_where_the_original_has_it(name: str) -> None:
    model = KinematicModel(robot_geometry(FAMILIES[name]))
    with np.load(golden("simpler_spec/ik_reference.npz")) as file:
        joints, poses = file[f"{name}_q0"].astype(np.float64), file[f"{name}_fk"]
    metres, quaternion = pose_difference(np.array([model.tool_pose(q) for q in joints]), poses)
    assert metres < 1e-5
    assert quaternion < 1e-5


@pytest.mark.parametrize("part", ["plan_arm", "plan_gripper"])
def test_joint_paths_are_the_originals(part: str) -> None:
    facts = json.loads(golden("parity/controller.json").read_text())["google"]
    with np.load(golden("parity/controller.npz")) as file:
        rows = {name: file[f"google/{part}.{name}"] for name in ("start", "target", "v0", "duration", "pos", "vel")}
    limits = facts[f"{part}_limits"]
    planner = PathPlanner(rows["start"].shape[1], limits["vlim"], limits["alim"], limits["jerklim"])
    for i, duration in enumerate(rows["duration"]):
        path = planner.plan(rows["start"][i], rows["v0"][i], rows["target"][i], 1 / 513, 171)
        assert path.duration == pytest.approx(duration, abs=1e-6)
        np.testing.assert_allclose(path.position[::10], rows["pos"][i], atol=1e-6)
        np.testing.assert_allclose(path.velocity[::10], rows["vel"][i], atol=1e-5)


def test_objects_weigh_what_they_did() -> None:
    """Mass, principal moments and centre of mass of every object model, at the density that was recorded."""
    recorded = json.loads(golden("simpler_spec/objects_2_2_2.json").read_text())["objects"]
    compared = 0
    for model, facts in recorded.items():
        ours = mass_properties(model, facts["density"])
        if ours is None:
            continue
        compared += 1
        assert ours.mass == pytest.approx(facts["mass"], rel=1e-5), model
        np.testing.assert_allclose(ours.com_p, facts["com"], atol=1e-6, err_msg=model)
        np.testing.assert_allclose(sorted(ours.inertia), sorted(facts["inertia"]), rtol=1e-4, err_msg=model)
    assert compared > 30


@pytest.mark.parametrize("name", FAMILIES)
def test_links_weigh_and_joints_turn_as_they_did(name: str) -> None:
    recorded = json.loads(golden("simpler_spec/robots_2_2_2.json").read_text())[name]
    geometry = robot_geometry(FAMILIES[name])
    links = {link["name"]: link for link in recorded["links"]}
    assert set(geometry.links) == set(links)
    for link in geometry.link_data:
        assert link.mass == pytest.approx(links[link.name]["mass"], rel=1e-5), link.name
        np.testing.assert_allclose(link.inertia, links[link.name]["inertia"], rtol=1e-4, atol=1e-10, err_msg=link.name)
    limits = {joint["name"]: joint["limits"] for joint in recorded["joints"] if joint.get("limits")}
    for joint in geometry.active_joints:
        np.testing.assert_allclose(joint.limits, np.ravel(limits[joint.name]), atol=1e-6, err_msg=joint.name)
