"""What loops read of the simulator, against the original's recordings; what is absent raises."""

from __future__ import annotations

import copy
import json
import pickle
import re
from typing import Any

import numpy as np
import pytest
from recordings import golden
from scipy.spatial.transform import Rotation

import eval
from eval.errors import UserError
from eval.simpler_api import NotSupported
from eval.simpler_api.dropin import base_pose

PARITY = golden("parity")
ORIGINAL: dict[str, Any] = json.loads(golden("simpler_spec/robots_2_2_2.json").read_text())
CAN, CARROT = "GraspSingleOpenedCokeCanInScene-v0", "PutCarrotOnPlateInScene-v0"
NEAR, DRAWER = "MoveNearGoogleBakedTexInScene-v1", "OpenTopDrawerCustomInScene-v0"
REST = np.zeros(7)
FINGERS_MEET = 1.03 / 1.3
"""Of the Google Robot, with nothing between them; how they press on each other from then on is compared elsewhere."""
ABSENT = r'is not built; docs/dropin\.md lists what is\.$|has no "\w+"\.$'
MODES = {CAN: base_pose.MODES["google_robot"], CARROT: base_pose.MODES["widowx"]}


def vector(pose: Any) -> np.ndarray:
    return np.concatenate([pose.p, pose.q])


def closedness(qpos: np.ndarray) -> float:
    """The original's ``get_gripper_closedness``, from recorded joints (docs/simpler.md 3.5, 4)."""
    part = qpos[-4:-2] / 1.3 if len(qpos) == 11 else (0.037 - qpos[-2:]) / 0.022
    return max(float(np.mean(part)), 0.0)


def start_of(key: str, number: int = 0) -> tuple[Any, dict[str, Any], dict[str, np.ndarray]]:
    """An environment at the start of a recorded sequence, how it was reset, and the sequence's arrays."""
    data, arrays = json.loads((PARITY / f"{key}.json").read_text()), np.load(PARITY / f"{key}.npz")
    start = data["sequences"][number]["reset"]
    env = eval.make(data["env_id"], **data["kwargs"])
    env.reset(seed=start["seed"], options=start["options"])
    prefix = f"s{number}/"
    return env, start, {name.removeprefix(prefix): arrays[name] for name in arrays if name.startswith(prefix)}


@pytest.mark.parametrize(("key", "robot"), [("near_v0", "google"), ("drawer_open_top", "google"), ("carrot_plate", "widowx")])
def test_robot_and_gripper_are_the_recorded_ones(key: str, robot: str) -> None:
    env, _, recorded = start_of(key)
    agent, original = env.agent, ORIGINAL[robot]
    assert [link.name for link in agent.robot.get_links()] == [link["name"] for link in original["links"]]
    moving = [joint for joint in original["joints"] if joint["type"] in ("revolute", "prismatic")]
    assert [joint.name for joint in agent.robot.get_active_joints()] == [joint["name"] for joint in moving]
    np.testing.assert_allclose(agent.robot.get_qlimits(), [np.ravel(joint["limits"]) for joint in moving], atol=1e-6)
    np.testing.assert_allclose(agent.robot.get_qpos(), recorded["t0/robot_qpos"], atol=1e-6)
    for pose in (agent.robot.pose, agent.base_pose, env.robot_pose):
        np.testing.assert_allclose(vector(pose), recorded["t0/robot_base"], atol=1e-6)
    seen = []
    for t, action in enumerate(recorded["action"][:8], start=1):
        env.step(action)
        if closedness(recorded["x.robot_qpos"][t]) > FINGERS_MEET:
            break
        seen.append(closedness(recorded["x.robot_qpos"][t]))
        assert agent.get_gripper_closedness() == pytest.approx(seen[-1], abs=2e-3)
        assert agent.gripper_closedness == agent.get_gripper_closedness()
        np.testing.assert_allclose(agent.robot.get_qpos(), recorded["x.robot_qpos"][t], atol=2e-3)
        np.testing.assert_allclose(env.tcp.pose.p, recorded["x.tcp"][t, :3], atol=1e-3)
        np.testing.assert_array_equal(vector(agent.ee_pose), vector(env.tcp.pose))
    assert max(seen) - min(seen) > 0.01, "the gripper stood still: nothing was compared"


def test_the_grasp_check_is_the_rule_s() -> None:
    env, _, recorded = start_of("coke_standing", 1)
    grasped = [(env.step(action)[4]["is_grasped"], env.agent.check_grasp(env.obj)) for action in recorded["action"]]
    assert {given for given, _ in grasped} == {False, True}
    assert all(given == checked for given, checked in grasped)


def test_state_is_laid_out_as_the_originals() -> None:
    env, start, recorded = start_of("place_apple_top")
    actors, rest = np.split(env.get_state(), [13 * len(start["actor_names"])])
    actors = actors.reshape(-1, 13)
    np.testing.assert_allclose(actors[0, :7], recorded["t0/actor_pose"][0], atol=1e-6)
    np.testing.assert_allclose(actors[1, :3], recorded["t0/actor_pose"][1, :3], atol=0.01)  # our apple has another shape
    np.testing.assert_array_equal(vector(env.obj.pose), np.float32(actors[1, :7]))
    robot, cabinet = np.split(rest, [13 + 22])
    np.testing.assert_allclose(robot[:7], recorded["t0/robot_base"], atol=1e-6)
    np.testing.assert_allclose(robot[13:24], recorded["t0/robot_qpos"], atol=1e-6)
    assert cabinet[:3] == pytest.approx([-0.295, 0, 0.017], abs=1e-6)
    np.testing.assert_allclose(cabinet[13:], np.concatenate([recorded["t0/art0_qpos"], recorded["t0/art0_qvel"]]), atol=1e-6)
    assert (env.drawer_id, env.joint_idx, env.drawer_obj.name) == (start["drawer_id"], start["joint_idx"], "top_drawer")


def test_the_tool_at_the_base_is_the_forks_eight_numbers() -> None:
    """Measured start (docs/simpler.md 4): tool at base, open gripper; qw is not negative."""
    env = eval.make(CARROT, obs_mode="rgbd")
    obs, _ = env.reset(seed=0)
    expected = [0.2920693, -0.0060915, 0.1353210, 0.6867123, 0.0052570, 0.7268656, -0.0080839, 1.0]
    np.testing.assert_allclose(obs["agent"]["eef_pos"], expected, atol=1e-5)
    np.testing.assert_allclose(vector(env.agent.ee_pose_at_robot_base), expected[:7], atol=1e-5)
    arm = env.agent.controller.controllers["arm"]
    np.testing.assert_allclose(vector(arm.ee_pose_at_base), expected[:7], atol=1e-5)
    for _ in range(4):
        obs, *_ = env.step([0, 0, 0, 0, 0, 0, -1])
    assert obs["agent"]["eef_pos"][7] == pytest.approx(1 - env.agent.get_gripper_closedness())
    assert obs["agent"]["eef_pos"][7] < 0.1
    assert env.observation_space.contains(obs)


def test_reading_counts_nothing_and_changes_nothing() -> None:
    env, untouched = (eval.make(CAN, obs_mode="state_dict") for _ in range(2))
    for world in (env, untouched):
        world.reset(seed=3)
    assert env.get_info() == {"elapsed_steps": 0, **env.evaluate()}
    for step in range(3):
        info, expected = env.step(REST)[4], untouched.step(REST)[4]
        assert info == expected == env.get_info()
        assert env.evaluate()["success"] is False
        assert (env.get_reward(info=info), env.get_reward(), env.get_done(info=info)) == (0.0, 0.0, False)
        np.testing.assert_array_equal(env.get_obs()["agent"]["qpos"], env.agent.robot.get_qpos())
        assert env._elapsed_steps == step + 1


def test_a_held_view_tells_the_present_episode() -> None:
    env = eval.make(CAN)
    agent = env.agent
    before = agent.robot.get_qpos()  # the constructor's own reset: the original has one before the first of the loop
    env.reset(options={"robot_init_options": {"qpos": before + 0.01, "init_xy": [0.4, 0.1]}})
    np.testing.assert_allclose(agent.robot.get_qpos(), before + 0.01, atol=1e-6)
    np.testing.assert_allclose(agent.robot.pose.p[:2], [0.4, 0.1], atol=1e-6)
    # The arm is where the segmentation shows it.
    assert set(agent.robot_link_ids).isdisjoint({env.obj.id})


def test_objects_are_called_as_in_the_original() -> None:
    env = eval.make(NEAR)
    env.reset(seed=0)
    names = [actor.name for actor in env.episode_objs]
    assert env.episode_source_obj.name in names
    assert env.episode_target_obj.name in names
    offset = env.source_obj_pose.p - env.target_obj_pose.p
    assert 0.1 < np.linalg.norm(offset[:2]) < 0.6
    carrot = eval.make(CARROT, obs_mode="state_dict")
    obs, _ = carrot.reset(seed=0)
    np.testing.assert_allclose(obs["extra"]["source_obj_pose"], vector(carrot.source_obj_pose), atol=1e-6)
    assert list(obs["extra"]) == ["tcp_pose", "source_obj_pose", "target_obj_pose", "tcp_to_source_obj_pos"]
    can = eval.make(CAN, obs_mode="state_dict")
    obs, _ = can.reset(seed=0)
    assert list(obs["extra"]) == ["tcp_pose", "obj_pose", "tcp_to_obj_pos"]
    np.testing.assert_allclose(obs["extra"]["obj_pose"], vector(can.obj_pose), atol=1e-6)
    assert can.agent.check_grasp(can.obj) is False


def test_settings_of_the_environment() -> None:
    env = eval.make("google_robot_pick_coke_can")
    assert (env.spec.id, env.spec.max_episode_steps, env._max_episode_steps) == (CAN, 80, 80)
    assert (env.scene_name, env.control_timestep) == ("google_pick_coke_can_1_v4", 1 / 3)
    assert str(env.rgb_overlay_path).endswith("real_inpainting/google_coke_can_real_eval_1.png")
    assert env.rgb_overlay_img is not None
    assert env.rgb_overlay_img.shape[2] == 3
    assert 0.2 < env.rgb_overlay_img.mean() < 0.9
    assert env.env.env.env.agent.robot.dof == 11
    assert not hasattr(env.env.env.env, "env")
    plain = eval.make(CAN)
    assert (plain.rgb_overlay_img, plain.rgb_overlay_path, plain.scene_name) == (None, None, None)


@pytest.mark.parametrize(
    ("env_id", "read"),
    [
        (CAN, "env.agent.set_control_mode"),
        (CAN, "env.agent.robot.set_qpos"),
        (CAN, "env.agent.controller.controllers['arm']._target_qpos"),
        (CAN, "env.set_state"),
        (CAN, "env.episode_source_obj"),
        (CAN, "env.art_obj"),
        (CAN, "env.obj.set_pose"),
        (CARROT, "env.obj"),
        (CARROT, "env.obj_pose"),
        (DRAWER, "env.obj"),
        (DRAWER, "env.episode_objs"),
        (DRAWER, "env.drawer_obj.get_collision_shapes"),
    ],
)
def test_what_is_absent_raises(env_id: str, read: str) -> None:
    env = eval.make(env_id)
    with pytest.raises(AttributeError, match=ABSENT) as caught:
        reach(env, read)
    assert "\n" not in str(caught.value)


def test_what_would_be_lost_cannot_be_written() -> None:
    env = eval.make(CAN)
    for name in ("elapsed_steps", "_max_episode_steps", "control_freq", "obs_mode", "obj_pose", "reward_mode", "_episode_seed"):
        for layer in (env, env.env):
            with pytest.raises(AttributeError, match=f'"{name}" .* cannot be written here|has no setter'):
                setattr(layer, name, 1)
    for view in (env.agent, env.agent.robot, env.obj, env.tcp):
        with pytest.raises(AttributeError, match=r'"pose" of the original\'s .* cannot be written here'):
            view.pose = env.obj.pose
    env.task_description = "a lab's own note"
    assert env.env.task_description == "a lab's own note"


def test_a_scene_is_neither_copied_nor_pickled() -> None:
    env = eval.make(CARROT)
    assert copy.deepcopy(env.env).get_language_instruction() == "put carrot on plate"
    assert pickle.loads(pickle.dumps(env)).spec == env.spec
    env.reset(seed=0)
    for work in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match=r"^An environment with a scene cannot be copied or pickled; .*makes another\.$"):
            work(env)
    assert env.step(REST)[4]["elapsed_steps"] == 1


def reach(env: Any, read: str) -> Any:
    value: Any = env
    for name in re.findall(r"\.(\w+)", read):
        value = getattr(value, name)
        if name == "controllers":
            value = value["arm"]
    return value


@pytest.mark.parametrize("env_id", [CAN, CARROT])
def test_a_pose_at_the_base_leads_where_its_change_leads(env_id: str) -> None:
    """The modes of the X-VLA forks: position and fixed-axis angles instead of a change of pose."""
    usual, posed = eval.make(env_id), eval.make(env_id, control_mode=MODES[env_id])
    for env in (usual, posed):
        env.reset(seed=0)
    start = usual.agent.ee_pose_at_robot_base
    position = np.add(start.p, [0.01, -0.01, 0.02])
    turn = Rotation.from_rotvec([0.0, 0.05, 0.02])
    goal = (turn * Rotation.from_quat(np.roll(start.q, -1))).as_euler("xyz")
    usual.step([0.01, -0.01, 0.02, *turn.as_rotvec(), 0.3])
    posed.step([*position, *goal, 0.3])
    np.testing.assert_allclose(vector(posed.tcp.pose), vector(usual.tcp.pose), atol=2e-4)
    np.testing.assert_allclose(posed.agent.robot.get_qpos(), usual.agent.robot.get_qpos(), atol=2e-3)
    for _ in range(8):  # the same pose again: it stays there, where a change would add up
        posed.step([*position, *goal, 0.0])
    np.testing.assert_allclose(posed.agent.ee_pose_at_robot_base.p, position, atol=4e-3)


def test_keywords_that_name_a_device_or_a_default() -> None:
    device = {"device": "cuda:77", "offscreen_only": True}
    env = eval.make(CAN, obs_mode="rgbd", renderer_kwargs=device, enable_shadow=False, bg_name=None)
    assert env.render_device == "cuda:77"
    with pytest.raises(UserError, match=r"^renderer_kwargs device cuda:77 is not possible\."):
        env.reset()
    for kwargs in ({"renderer_kwargs": {"vram": 3}}, {"enable_shadow": True}, {"scene_table_height": 0.9}):
        with pytest.raises(NotSupported, match=next(iter(kwargs))):
            eval.make(CAN, **kwargs)
    with pytest.raises(NotSupported, match=r'render\("human"\) is not built'):
        env.render("human")
