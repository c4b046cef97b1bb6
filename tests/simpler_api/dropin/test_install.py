"""``install()`` and ``python -m eval.simpler_env``: code written for SimplerEnv finds what it imports, or one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eval.errors import UserError
from eval.simpler_api.dropin import rest
from eval.simpler_env.__main__ import main

REPO = Path(__file__).parents[3]
CHECKOUT = {
    "simpler_env/__init__.py": "raise RuntimeError('the checkout replaced our package')",
    "simpler_env/utils/__init__.py": "raise RuntimeError('the checkout replaced our package')",
    "simpler_env/utils/io.py": "class DictAction: pass",
    "simpler_env/utils/action/__init__.py": "",
    "simpler_env/utils/action/action_ensemble.py": "class ActionEnsembler: pass",
    "simpler_env/utils/visualization.py": "write_video = None\ndef plot_pred_and_gt_action_trajectory(): pass",
    "simpler_env/evaluation/__init__.py": "",
    "simpler_env/evaluation/maniskill2_evaluator.py": (
        "from simpler_env.utils.env.env_builder import build_maniskill2_env, get_robot_control_mode\n"
        "from simpler_env.utils.io import DictAction\n"
        "from simpler_env.utils.visualization import write_video, write_interval_video, plot_pred_and_gt_action_trajectory\n"
    ),
}
"""A checkout in the original's layout, with words of our own."""


def script(tmp_path: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a user's script says when it is run by ``python -m eval.simpler_env``."""
    (tmp_path / "script.py").write_text(text)
    command = [sys.executable, "-m", "eval.simpler_env", *arguments, str(tmp_path / "script.py"), "--own", "word"]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPO)


def test_a_checkout_gives_what_we_do_not_have_and_nothing_else(tmp_path: Path) -> None:
    for name, text in CHECKOUT.items():
        (tmp_path / "original" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "original" / name).write_text(text)
    run = script(
        tmp_path,
        "import sys, os, simpler_env, simpler_env.evaluation.maniskill2_evaluator as evaluator\n"
        "from simpler_env.utils.action.action_ensemble import ActionEnsembler\n"
        "print(simpler_env.make.__module__, evaluator.write_video.__module__, evaluator.DictAction.__module__)\n"
        "print(sys.argv[1:], __name__, os.path.basename(sys.path[0]) == os.path.basename(os.path.dirname(__file__)))",
        "--rest",
        str(tmp_path / "original"),
    )
    assert run.stdout.splitlines() == [
        "eval.simpler_api.dropin.make eval.simpler_env.utils.visualization simpler_env.utils.io",
        "['--own', 'word'] __main__ True",
    ], run.stderr


MODULES = """
import gymnasium, mani_skill2_real2sim.envs, mediapy, sapien.core as sapien, shutil, warnings
env = gymnasium.make("PutCarrotOnPlateInScene-v0", obs_mode="state_dict", max_episode_steps=2)
registered = gymnasium.spec("PutCarrotOnPlateInScene-v0")
print(env.get_language_instruction(), env.spec.max_episode_steps, registered.max_episode_steps)
unversioned = gymnasium.make("MoveNearGoogleBakedTexInScene")
print(unversioned.spec.id, unversioned.spec.max_episode_steps, unversioned.get_language_instruction()[:4])
env.reset()
print([env.step([0.0] * 7)[3] for _ in range(2)], env.get_wrapper_attr("agent").robot.dof)
print(gymnasium.make("CartPole-v1", max_episode_steps=7).spec.max_episode_steps)
vector = gymnasium.make_vec("PutCarrotOnPlateInScene-v0", num_envs=1, vectorization_mode="sync", max_episode_steps=70)
print(vector.reset()[0].shape, vector.envs[0].get_wrapper_attr("_max_episode_steps"))
again = env.spec.make()
print(again is not env, again.spec.max_episode_steps, again.obs_mode)
print(shutil.which("ffmpeg") is not None or mediapy._config.ffmpeg_name_or_path != "ffmpeg")
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    sapien.render_config.rt_use_denoiser = True
    sapien.render_config.rt_samples_per_pixel = 512
print(len(seen), sapien.render_config.rt_samples_per_pixel, "has no effect" in str(seen[0].message))
for statement in (
    "from simpler_env.policies.rt1.rt1_model import RT1Inference",
    "import simpler_env.evaluation.argparse",
    "from simpler_env.utils.visualization import plot_pred_and_gt_action_trajectory",
    "import mani_skill2_real2sim.utils.sapien_utils",
    "from mani_skill2_real2sim import ASSET_DIR",
):
    try:
        exec(statement)
    except ImportError as error:
        print(str(error).count(chr(10)), "docs/dropin.md" in str(error), "rest=FOLDER" in str(error))
try:
    sapien.render_config.nonsense = 1
except AttributeError as error:
    print(error)
"""


def test_what_evaluators_import_besides(tmp_path: Path) -> None:
    run = script(tmp_path, MODULES)
    assert run.stdout.splitlines() == [
        "put carrot on plate 2 60",
        "MoveNearGoogleBakedTexInScene-v1 80 move",
        "[False, True] 8",
        "7",
        "(1, 54) 70",
        "True 2 state_dict",
        "True",
        "1 32 True",
        *["0 True True"] * 3,
        *["0 True False"] * 2,
        "SAPIEN 2 setting 'nonsense' is not known here; known: camera_shader_dir, viewer_shader_dir, rt_samples_per_pixel, "
        "rt_max_path_depth, rt_use_denoiser.",
    ], run.stderr


def test_a_lab_s_own_package_called_eval_is_found(tmp_path: Path) -> None:
    (tmp_path / "eval" / "simpler").mkdir(parents=True)
    (tmp_path / "eval" / "simpler" / "env_utils.py").write_text("NAME = __name__")
    run = script(tmp_path, "from eval.simpler.env_utils import NAME\nimport simpler_env\nprint(NAME, simpler_env.__name__)")
    assert run.stdout.split() == ["eval.simpler.env_utils", "eval.simpler_env"], run.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "usage: python -m eval.simpler_env [--rest FOLDER] (SCRIPT | -m MODULE) [ARGUMENTS]"),
        (["--rest"], "usage: "),
        (["--record"], "usage: "),
        (["nowhere.py"], "nowhere.py does not exist."),
    ],
)
def test_misuse_of_the_runner_is_one_line(arguments: list[str], said: str) -> None:
    with pytest.raises(UserError) as caught:
        main(arguments)
    assert str(caught.value).startswith(said)


def test_a_folder_without_the_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no package simpler_env"):
        rest.add(tmp_path, "eval.simpler_env")


FORK = """
import multiprocessing, sys
from eval.errors import UserError
from eval.sim import fork_guard
from eval.simpler_env import make

def work(queue, obs_mode):
    try:
        made = make("PutCarrotOnPlateInScene-v0", obs_mode=obs_mode)
        made.reset()
        queue.put("played")
    except UserError as error:
        queue.put(str(error))

context = multiprocessing.get_context("fork")
if "render" in sys.argv:
    make("PutCarrotOnPlateInScene-v0", obs_mode="rgbd").reset()
else:
    fork_guard.before_rendering()
for obs_mode in ("state", "rgbd"):
    queue = context.Queue()
    child = context.Process(target=work, args=(queue, obs_mode))
    child.start()
    print(queue.get(timeout=60), flush=True)
    child.join()
"""


@pytest.mark.parametrize("before", ["mark", pytest.param("render", marks=pytest.mark.slow)])
def test_a_fork_after_rendering_is_one_line_instead_of_a_hang(before: str) -> None:
    command = [sys.executable, "-c", FORK, before]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=REPO, timeout=120)
    lines = run.stdout.splitlines()
    assert lines[0] == "played", run.stderr
    assert 'context="spawn"' in lines[1]
