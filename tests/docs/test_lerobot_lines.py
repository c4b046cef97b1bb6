"""The lines of docs/elsewhere.md about LeRobot, with the real package, which is fetched (some 3 GB)."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_shell import Shell, checkout, line, program

PAGE = "docs/elsewhere.md"
GIGABYTES = 12
POLICY = """
import sys
from lerobot.envs.factory import make_env_config
from lerobot.policies.factory import make_policy, make_policy_config, make_pre_post_processors
import lerobot_env_simpler

small = dict(device="cpu", pretrained_backbone_weights=None, push_to_hub=False)
small |= dict(chunk_size=4, n_action_steps=4, dim_model=32, n_heads=2)
env = make_env_config("simpler", task="widowx_carrot_on_plate")
policy = make_policy(make_policy_config("act", **small), env_cfg=env)
policy.save_pretrained(sys.argv[1])
for part in make_pre_post_processors(policy.config, dataset_stats={}):
    part.save_pretrained(sys.argv[1])
"""
"""A small ACT policy with weights by chance."""


def newer_python() -> str:
    """The test is skipped where there is none."""
    names = ("python3.12", "python3.13")
    found = [path for name in names if (path := shutil.which(name))]
    found += [str(path) for name in names for path in Path.home().glob(f".pyenv/versions/{name[6:]}*/bin/{name}")]
    for path in found:
        if subprocess.run([path, "-c", "import venv, ensurepip"], capture_output=True, check=False).returncode == 0:
            return path
    pytest.skip("LeRobot needs Python 3.12 or newer, and there is none here")


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    python = newer_python()
    if shutil.disk_usage(tmp_path).free < GIGABYTES * 2**30:
        pytest.skip(f"LeRobot and torch need {GIGABYTES} GB of disk")
    folder = checkout(tmp_path / "clone")
    shell = Shell(folder, path="", HF_HUB_OFFLINE="1", HOME=tmp_path, SIMPLER_EVAL_ASSETS="", PIP_NO_CACHE_DIR="1")
    program(shell.bin, "python3.12", f'exec {python} "$@"')
    yield shell
    shutil.rmtree(folder)


@pytest.mark.slow
def test_lerobot_plays_our_world(shell: Shell) -> None:
    make, install, play = line(PAGE, "python3.12"), line(PAGE, "pip install ."), line(PAGE, "lerobot-eval ")
    shell.install(f"{make} && {install}")
    activate = make.split(" && ")[1]
    (shell.folder / "policy.py").write_text(POLICY)
    shell.run(f"{activate} && python policy.py checkpoint")
    few = play.replace("n_episodes=24", "n_episodes=2").replace("CHECKPOINT", "checkpoint")
    shell.run(f"{activate} && {few} --env.max_steps=3 --output_dir=out")
    counted = json.loads((shell.folder / "out/eval_info.json").read_text())
    assert list(counted["per_group"]) == ["widowx_carrot_on_plate"]
    assert counted["overall"]["n_episodes"] == 2
    assert len([*shell.folder.glob("out/videos/**/*.mp4")]) == 2
