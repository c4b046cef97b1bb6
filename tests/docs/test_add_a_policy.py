"""The policy that docs/add_a_policy.md shows works as it stands there, by the command that stands below it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from observations import episode_info, observation
from pages import blocks_of

import simpler_eval
from eval.records.folder import load_run
from policies.registry import load_policy
from task_configs import robots

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs/add_a_policy.md").read_text(encoding="utf-8")
POLICY = re.findall(r"```python\n(# my_policy\.py.*?)```", PAGE, re.DOTALL)[0]
COMMAND = re.findall(r"^simpler-eval (run --policy my_policy\.py.*)$", PAGE, re.MULTILINE)[0]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    (tmp_path / "my_policy.py").write_text(POLICY)
    return tmp_path


def test_it_plays_both_robots_by_the_command_of_the_page(cli, here) -> None:
    code, _, err = cli(*shlex.split(COMMAND), "--max-steps", 6, "--workers", 2, "--world", "fake_world", "--out", "run")
    assert code == 0, err
    data = load_run(here / "run")
    assert sorted(spec.robot[:6] for spec in data.plan) == ["google", "widowx"]
    assert "errored" not in {record.status for record in data.records.values()}
    assert data.header.policy.settings == {"play": 2}
    assert data.header.identity.policy.code is not None


def test_it_acts_on_our_images_and_on_the_originals(cli, here, bulk, pack) -> None:
    commands = re.findall(r"^simpler-eval (parity actions .*)$", PAGE, re.MULTILINE)
    mine, checkpoints = (command.replace("IMAGES", str(bulk / "images")).replace("PACK", pack) for command in commands)
    code, out, err = cli(*shlex.split(mine), "--only", "vm_bridge_carrot_ep10", "--json")
    assert code == 0, err
    assert [pair["translation"] for pair in json.loads(out)["pairs"]] == [0, 0]
    if find_spec("torch"):
        words = shlex.split(checkpoints.replace("CHECKPOINT", "tiny-random").replace("*,*_rt", "vm_bridge_carrot_ep10"))
        code, out, err = cli(*words, "--assets", pack)
        assert code == 0, err
        assert {pair["tokens_compared"] for pair in json.loads(out)["pairs"]} == {7}


def test_its_script_runs(here, monkeypatch) -> None:
    monkeypatch.setattr(simpler_eval, "make_plan", partial(simpler_eval.make_plan, max_steps=2), raising=False)
    monkeypatch.setattr(simpler_eval, "run", partial(simpler_eval.run, world="fake_world", workers=1, out="run"), raising=False)
    exec(blocks_of("docs/add_a_policy.md", "python")[1], {})
    assert len(load_run(here / "run").records) == 3


def test_what_it_answers(here) -> None:
    policy = load_policy("my_policy.py:MyPolicy")
    infos = [episode_info("w"), episode_info("g", robot="google_robot")]
    policy.reset(infos)
    asked = []
    policy.net.predict = lambda *given: asked.append(given) or np.tile([0, 0, -0.005, 0, 0, 0.1, 1.0], (len(given[0]), 8, 1))
    pair = [observation(0, episode="w"), observation(0, "google_robot", episode="g")]
    commands = [[action.command.tolist() for action in policy.act(pair)] for _ in range(5)]
    for widowx, google in commands:
        assert widowx == pytest.approx([0, 0, -0.005, 0, 0, 0.1, 1])
        assert google == pytest.approx([0, 0, -0.005, 0, 0, 0.1, 0])
    assert [len(images) for images, _, _ in asked] == [2, 2]  # 4 of each chunk are played
    assert asked[0][2].shape == (2, 8)
    policy.act([replace(pair[0], instruction="now the next one")])
    assert len(asked) == 3  # what was predicted for the subtask before is not played
    policy.end(infos, [])
    assert policy.grippers == policy.instructions == {}


def test_the_table_of_robots_is_right() -> None:
    rows = {line.split("|")[1].strip(): line.split("|")[2:4] for line in PAGE.splitlines() if line.startswith("| ")}
    for robot in robots().values():
        column = ("google_robot", "widowx").index(robot.family)
        assert f"({robot.camera.height}, {robot.camera.width}, 3)" in rows["`image`"][column]
        assert int(rows["control frequency in Hz (`control_freq`)"][column]) == robot.control_freq
        assert f"({len(robot.joints)},)" in rows["`proprio.qpos`"][column]
