"""The module that stands in for ``simpler_env``: words, seeds, dictionaries, and one clear line for what is not built."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import types
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from recordings import golden

import eval
import eval.simpler_env as simpler_env
from eval.errors import UserError
from eval.simpler_api import FRESH_ENVIRONMENT_SEED, NotSupported
from eval.simpler_env.utils.env.env_builder import build_maniskill2_env, get_robot_control_mode
from eval.simpler_env.utils.env.observation_utils import get_image_from_maniskill2_obs_dict

REPO = Path(__file__).parents[3]
TABLES = golden("simpler_spec/tasks.json")
CAN, CARROT = "GraspSingleOpenedCokeCanInScene-v0", "PutCarrotOnPlateInScene-v0"
PLACE = "PlaceIntoClosedTopDrawerCustomInScene-v0"
REST = np.zeros(7)


def example() -> str:
    (code,) = re.findall(r"```python\n(.*?)```", (REPO / "docs" / "dropin.md").read_text(encoding="utf-8"), re.DOTALL)
    return str(code)


def test_the_page_s_example_runs_as_it_stands(capsys: pytest.CaptureFixture[str]) -> None:
    exec(compile(example(), "docs/dropin.md", "exec"), {})
    said = capsys.readouterr().out
    assert said.startswith("put carrot on plate False {'moved_correct_obj': ")


@pytest.mark.parametrize("name", simpler_env.ENVIRONMENTS)
def test_every_task_name_is_built(name: str) -> None:
    env = simpler_env.make(name)
    assert env.obs_mode == "rgbd"
    assert env.episode_spec.setting == "prepackaged"
    assert env.is_final_subtask() == ("place" not in name)
    env_id, kwargs = simpler_env.ENVIRONMENT_MAP[name]
    assert (env.env_id, "obs_mode" in kwargs) == (env_id, False)


def test_names_are_the_originals() -> None:
    table = json.loads(TABLES.read_text())["prepackaged_tasks"]
    assert list(simpler_env.ENVIRONMENT_MAP) == simpler_env.ENVIRONMENTS
    assert dict(simpler_env.ENVIRONMENT_MAP) == {name: (t["env_name"], t["kwargs"]) for name, t in table.items()}


@pytest.mark.parametrize(
    ("name", "kwargs"),
    [
        ("widowx_carrot_on_plate", {}),
        ("google_robot_open_drawer", {"obs_mode": "state_dict"}),
        (PLACE, {"model_ids": "apple"}),
        ("MoveNearGoogleInScene-v0", {"obs_mode": "state_dict"}),
    ],
)
@pytest.mark.filterwarnings("ignore:default value", "ignore:.*(symmetric and normalized|infinity)")
def test_gymnasium_accepts_the_environment(name: str, kwargs: dict[str, Any]) -> None:
    check_env(eval.make(name, **kwargs), skip_render_check=True)


def test_an_rgbd_observation_has_the_originals_parts() -> None:
    env = simpler_env.make("google_robot_pick_coke_can")
    obs, _ = env.reset(options={"obj_init_options": {"init_xy": np.array([-0.2, 0.2])}})
    joints = {
        "qpos": (11,),
        "qvel": (11,),
        "eef_pos": (8,),
        "controller": {"gripper": {"target_qpos": (2,)}},
        "base_pose": (7,),
    }
    matrices = {"extrinsic_cv": (4, 4), "cam2world_gl": (4, 4), "intrinsic_cv": (3, 3)}

    def seen(h: int, w: int) -> dict[str, Any]:
        return {"rgb": (h, w, 3), "depth": (h, w, 1), "Segmentation": (h, w, 4)}

    def shapes(part: Any) -> Any:
        return {key: shapes(value) for key, value in part.items()} if isinstance(part, dict) else part.shape

    assert shapes(obs) == {
        "agent": joints,
        "extra": {"tcp_pose": (7,)},
        "camera_param": {"base_camera": matrices, "overhead_camera": matrices},
        "image": {"base_camera": seen(128, 128), "overhead_camera": seen(512, 640)},
    }
    image = obs["image"]["overhead_camera"]
    assert [image[key].dtype for key in ("rgb", "depth", "Segmentation")] == [np.uint8, np.float32, np.uint32]
    assert get_image_from_maniskill2_obs_dict(env, obs) is image["rgb"]
    assert get_image_from_maniskill2_obs_dict(env, obs, "base_camera").shape == (128, 128, 3)
    np.testing.assert_array_equal(env.render(), image["rgb"])
    assert env.unwrapped is env
    # The can is where it was put: at the pixel of its centre its side is seen, a radius (33 mm) or, aslant, two before it.
    params = obs["camera_param"]["overhead_camera"]
    target = np.append([-0.2, 0.2, 0.9], 1.0) @ params["extrinsic_cv"].T
    u, v = (params["intrinsic_cv"] @ target[:3] / target[2])[:2].round().astype(int)
    assert 0.03 < target[2] - image["depth"][v, u, 0] < 0.066


def test_seeds_follow_the_originals_chain() -> None:
    env = eval.make(CARROT)
    assert env.get_language_instruction() == "put carrot on plate"
    seeds = []
    for seed in (None, None, 7, None):
        env.reset(seed=seed)
        seeds.append(env.episode_spec.seed)
    assert seeds[:3] == [FRESH_ENVIRONMENT_SEED, 2089909345, 7]
    again = eval.make(CARROT)
    again.reset(seed=np.int64(7))
    again.reset()
    assert again.episode_spec == env.episode_spec


def test_subtasks_change_by_the_loop_s_word_or_by_force() -> None:
    env = eval.make(PLACE, model_ids="apple", max_episode_steps=102)
    env.reset(seed=0)
    assert (env.get_language_instruction(), env.is_final_subtask()) == ("open top drawer", False)
    env.advance_to_next_subtask()
    assert (env.get_language_instruction(), env.is_final_subtask()) == ("place apple into top drawer", True)
    env.reset(seed=0)
    assert not env.is_final_subtask()
    with pytest.raises(NotImplementedError, match="has no subtasks"):
        eval.make(CARROT).advance_to_next_subtask()


def test_the_step_limit_is_the_loops_end_and_success_is_not() -> None:
    env = eval.make("CloseTopDrawerCustomInScene-v0", max_episode_steps=2)
    env.reset(seed=1, options={"obj_init_options": {"cabinet_init_qpos": 0.03}})
    steps = [env.step(REST) for _ in range(3)]
    assert [step[1:4] for step in steps] == [(1.0, True, False), (1.0, True, True), (1.0, True, True)]
    info = steps[0][4]
    assert list(info) == ["elapsed_steps", "success", "episode_stats", "qpos"]
    assert info["episode_stats"] == {"qpos": "0.030"}
    assert (env.elapsed_steps, info["qpos"]) == (3, pytest.approx(0.03, abs=1e-3))


def test_environments_are_built_as_the_sweeps_build_them() -> None:
    words: dict[str, Any] = {
        "obs_mode": "rgbd", "robot": "google_robot_static", "sim_freq": 513, "control_freq": 3, "max_episode_steps": 80,
        "control_mode": get_robot_control_mode("google_robot_static", "rt1"), "scene_name": "google_pick_coke_can_1_v4",
        "camera_cfgs": {"add_segmentation": True}, "lr_switch": True,
    }  # fmt: skip
    photo = "./ManiSkill2_real2sim/data/real_inpainting/google_coke_can_real_eval_1.png"
    env = build_maniskill2_env(CAN, rgb_overlay_path=photo, **words)
    assert env.episode_spec.overlay == "real_inpainting/google_coke_can_real_eval_1.png"
    assert build_maniskill2_env(CAN, rgb_overlay_path=None, **words).episode_spec.overlay is None
    # The original lays no photo over any camera unless a camera is named.
    with pytest.warns(UserWarning, match="rgb_overlay_cameras names no camera"):
        assert eval.make(CAN, rgb_overlay_path=photo, **words).episode_spec.overlay is None
    assert get_robot_control_mode("widowx") == "arm_pd_ee_target_delta_pose_align2_gripper_pd_joint_pos"


def test_a_keyword_of_one_call_is_not_kept_for_the_next() -> None:
    with pytest.warns(UserWarning, match="for Key obs_mode changes to value"):
        assert simpler_env.make("widowx_stack_cube", obs_mode="state").obs_mode == "state"
    assert simpler_env.make("widowx_stack_cube").obs_mode == "rgbd"


def test_the_numbers_of_keywords_may_be_numpys() -> None:
    env = eval.make(CARROT, max_episode_steps=np.int64(2), sim_freq=np.int32(500), control_freq=np.float64(5).astype(int))
    assert (env._max_episode_steps, env.control_freq) == (2, 5)
    with pytest.raises(UserError, match=r"max_steps: input should be a valid integer, got 2\.5"):
        eval.make(CARROT, max_episode_steps=np.float32(2.5))


@pytest.mark.parametrize("name", simpler_env.ENVIRONMENTS)
def test_a_plain_make_warns_of_nothing(name: str) -> None:
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        simpler_env.make(name)
    assert [str(warning.message) for warning in seen] == []


def test_what_has_no_effect_in_the_original_either_is_said() -> None:
    for given in ({"robot": "widowx"}, {"scene_name": "kitchen"}, {"control_freq": 5}, {"urdf_version": "recolor_sim"}):
        with pytest.warns(UserWarning, match=f"{next(iter(given))}=.* has no effect on {CAN}") as seen:
            env = simpler_env.make("google_robot_pick_coke_can", **given)
        assert env.control_freq == 3
        assert {Path(warning.filename).name for warning in seen if "no effect" in str(warning.message)} == {"test_dropin.py"}
    photo = "data/real_inpainting/bridge_real_eval_2.png"
    for key, value in {"rgb_overlay_path": photo, "rgb_overlay_cameras": ["overhead_camera"]}.items():
        with pytest.warns(UserWarning, match=f"{key}=.* has no effect on {CARROT}: its prepackaged setting chooses"):
            simpler_env.make("widowx_carrot_on_plate", **{key: value})
    with pytest.warns(UserWarning, match=f"rgb_overlay_path has no effect on {CARROT}: rgb_overlay_cameras names no camera"):
        eval.make(CARROT, rgb_overlay_path=photo)
    # vla-evaluation-harness numbers the episodes of the can and makes an environment for each: all are one scene.
    can, carrot = eval.make(CAN), eval.make(CARROT, prepackaged_config=True)
    with pytest.warns(UserWarning, match=f"episode_id has no effect on {CAN}: its episodes have no numbers"):
        can.reset(options={"obj_init_options": {"episode_id": 4}})
    with pytest.warns(UserWarning, match=f"init_xy has no effect on the objects of {CARROT}: episode_id says"):
        carrot.reset(options={"obj_init_options": {"init_xy": [0.0, 0.0]}})
    with pytest.warns(UserWarning, match=f"robot_init_options has no effect on {CARROT}: its setting places"):
        carrot.reset(options={"robot_init_options": {"init_xy": [0.5, 0.0]}})


LOOP = """
from eval.simpler_env import install; install()
import simpler_env
from simpler_env import ENVIRONMENTS
from simpler_env.utils.env.env_builder import build_maniskill2_env, get_robot_control_mode
from simpler_env.utils.env.observation_utils import get_image_from_maniskill2_obs_dict
from simpler_env.utils.visualization import write_video
env = build_maniskill2_env("CloseTopDrawerCustomInScene-v0", robot="google_robot_static", max_episode_steps=1)
env.reset()
print(simpler_env.__name__, env.get_language_instruction(), env.step([0.0] * 7)[3])
"""


def test_code_that_imports_simpler_env_runs_unchanged() -> None:
    child = subprocess.run([sys.executable, "-c", LOOP], capture_output=True, text=True, check=False, cwd=REPO)
    assert child.stdout.splitlines() == ["eval.simpler_env close top drawer True"], child.stderr


def test_the_original_is_not_replaced_once_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "simpler_env", types.ModuleType("simpler_env"))
    with pytest.raises(NotSupported, match="simpler_env is imported already"):
        simpler_env.install()


@pytest.mark.parametrize(
    ("name", "kwargs", "said"),
    [
        ("google_robot_pick_coke", {}, 'Did you mean "google_robot_pick_coke_can"?'),
        ("TurnFaucet-v0", {}, 'Environment "TurnFaucet-v0" is not built.'),
        (CAN, {"obs_mode": "pointcloud"}, 'obs_mode "pointcloud" is not built.'),
        (CAN, {"control_mode": "pd_joint_pos"}, 'control_mode "pd_joint_pos" is not built.'),
        (CAN, {"reward_mode": "sparse"}, 'reward_mode "sparse" is not built.'),
        (CAN, {"camera_cfgs": {"width": 64}}, 'camera_cfgs "width" is not built'),
        (CAN, {"rgb_overlay_cameras": ["base_camera"]}, "a photo goes over overhead_camera only"),
        (CAN, {"rgb_overlay_cameras": ["overhead_camera"], "rgb_overlay_path": "/home/me/table.png"}, "only photos of a pack"),
        (CAN, {"render_config": {"rt_max_path_depth": 2}}, "render_config \"{'rt_max_path_depth': 2}\" is not built."),
        (CAN, {"render_configs": {}}, 'Keyword "render_configs"'),
        (CAN, {"assets": "/nowhere"}, "asset folder /nowhere does not exist"),
        (CAN, {"control_freq": 1000}, "control_freq 1000 is above sim_freq 513: nothing would move."),
        (CAN, {"rt": "maybe"}, 'rt "maybe" is not known. Known: auto, fast, raster, trace.'),
    ],
)
def test_what_is_not_built_is_one_line(name: str, kwargs: dict[str, Any], said: str) -> None:
    with pytest.raises(UserError) as caught:
        eval.make(name, **kwargs)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_misuse_is_one_line() -> None:
    env = eval.make(CAN)
    with pytest.raises(NotSupported, match="reset the environment first"):
        env.step(REST)
    with pytest.raises(AttributeError, match='"_cameras" of the original\'s environment is not built'):
        _ = env._cameras
    with pytest.raises(UserError, match='Did you mean "obj_init_options"'):
        env.reset(options={"obj_init_option": {}})
    env.reset(seed=0)
    with pytest.raises(ValueError, match="7 finite numbers"):
        env.step(np.full(7, np.nan))
    for action in (np.full(7, 1j), np.ma.masked_all(7)):
        with pytest.raises(ValueError, match="7 finite numbers"):
            env.step(action)
