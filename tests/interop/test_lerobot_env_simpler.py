"""The plug-in for lerobot-eval: the plan's episodes, SIMPLER's verdict, and the keys and conventions of datasets."""

from __future__ import annotations

import importlib
import sys
import tomllib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from lerobot_stub import EnvConfig, modules
from scipy.spatial.transform import Rotation

import simpler_eval
from eval.datasets.features import features_of
from eval.errors import UserError
from eval.version import VERSION

HOME = Path(__file__).parents[2] / "tools" / "lerobot_env_simpler"
CARROT = "widowx_carrot_on_plate"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch):
    """As LeRobot imports it, by the name of its distribution."""
    for name, module in modules().items():
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.syspath_prepend(str(HOME))
    yield importlib.import_module("lerobot_env_simpler")
    for name in [name for name in sys.modules if name.startswith("lerobot_env_simpler")]:
        del sys.modules[name]


def config(plugin: ModuleType, **options: object):
    return plugin.SimplerEnv(world="fake_world", max_steps=3, **options)


def test_the_distribution_has_the_name_that_lerobot_looks_for_and_our_version() -> None:
    project = tomllib.loads((HOME / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["name"] == "lerobot_env_simpler"
    assert (HOME / project["name"] / "__init__.py").is_file()
    assert project["version"] == VERSION
    assert f"simpler-eval=={VERSION}" in project["dependencies"]


def test_features_are_those_of_our_datasets(plugin: ModuleType) -> None:
    for task, robot, fps in ((CARROT, "widowx", 5), ("google_robot_pick_coke_can", "google_robot", 3)):
        made = EnvConfig.known["simpler"](task=task)
        height, width = (480, 640) if robot == "widowx" else (512, 640)
        written = features_of(robot, height, width, {}, False)
        shapes = {made.features_map[name]: tuple(feature.shape) for name, feature in made.features.items()}
        assert shapes == {name: written[name].shape for name in shapes}
        assert len(shapes) == 3
        assert made.fps == fps


def test_seeds_go_through_the_plan_and_only_the_last_step_tells_success(plugin: ModuleType) -> None:
    plan = simpler_eval.make_plan(tasks=CARROT, max_steps=3)
    (envs,) = config(plugin).create_envs(2)[CARROT].values()
    single = envs.envs[0]
    assert single._max_episode_steps == 3
    for seed in (0, 1, 1000):
        observation, info = single.reset(seed=seed, options={"lerobot_new_rollout": True})
        assert info["episode"] == plan[seed % len(plan)].id
    assert set(observation) == {"pixels", "agent_pos"}
    assert set(observation["pixels"]) == {"image_0"}
    assert single.task_description == info["instruction"]
    single.reset(seed=0)
    told = [single.step(np.zeros(7, np.float32)) for _ in range(3)]
    assert [reward for _, reward, *_ in told] == [1.0, 1.0, 1.0], "the task is solved at every step"
    assert [info["is_success"] for *_, info in told] == [False, False, True]
    assert single.render().shape == observation["pixels"]["image_0"].shape
    envs.close()


def test_actions_of_the_public_datasets_become_commands(plugin: ModuleType) -> None:
    reader = importlib.import_module("lerobot_env_simpler.actions").reader
    given = np.array([0.01, 0.02, 0.03, 0.3, -0.2, 0.4, 0.9], np.float32)
    assert reader("command", "widowx")(given) == pytest.approx(given)
    made = reader("open_x", "widowx")(given)
    turned = Rotation.from_rotvec(made[3:6]).as_matrix()
    about = [Rotation.from_rotvec(angle * axis).as_matrix() for angle, axis in zip(given[3:6], np.eye(3), strict=True)]
    assert turned == pytest.approx(about[2] @ about[1] @ about[0], abs=1e-6)  # roll first, about fixed axes
    assert made[:3] == pytest.approx(given[:3])
    assert made[6] == 1.0
    google = reader("open_x", "google_robot")
    grips = [google([0] * 6 + [opening])[6] for opening in [1.0] * 2 + [0.0] + [1.0] * 20]
    assert grips[:3] == [0.0, 0.0, 1.0], "closing is plus one"
    assert grips[3:17] == [1.0] * 14, "and held for 15 steps"
    assert grips[17] != 1.0


def test_what_cannot_be_is_one_line(plugin: ModuleType) -> None:
    for options, says in [
        ({"task": "widowx_carot_on_plate"}, "Did you mean"),
        ({"task": f"{CARROT}, google_robot_pick_coke_can"}, "two robots"),
        ({"actions": "open-x"}, 'Did you mean "open_x"'),
    ]:
        with pytest.raises(UserError, match=says):
            config(plugin, **options)
