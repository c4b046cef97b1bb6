"""A lab's folder may hold an ``eval``, ``policies`` and ``task_configs`` of its own: ours must start all the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
START = [sys.executable, "-P", str(REPO / "simpler_eval.py")]
API = """
import simpler_eval
from pathlib import Path
from conftest import tiny_spec
if __name__ == "__main__":
    data = simpler_eval.run([tiny_spec(0)], "random", out=Path("run"), workers=1, world="fake_world")
    print([record.status for record in data.records.values()])
"""


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder of modules with our names that may not be imported."""
    (tmp_path / "policies").mkdir()
    for name in ("eval.py", "task_configs.py", "policies/__init__.py"):
        (tmp_path / name).write_text("raise RuntimeError('hostile')")
    return tmp_path


def start(lab: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """In the lab's folder, with the lab first on ``PYTHONPATH``; ours comes last there."""
    path = os.pathsep.join(map(str, (lab, REPO / "tests/support", REPO / "tests", REPO)))
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, cwd=lab, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.parametrize("arguments", ["--version", "list", "plan --task widowx_carrot_on_plate --limit 1"])
def test_verbs(lab: Path, arguments: str) -> None:
    for command in (START, [sys.executable, "-m", "simpler_eval"]):
        done = start(lab, *command, *arguments.split())
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("how", ["script", "-c", "-m"])
def test_workers_play_in_a_fake_world(lab: Path, how: str) -> None:
    (lab / "start.py").write_text(API)
    command = {"script": ["start.py"], "-c": ["-c", API], "-m": ["-m", "start"]}[how]
    done = start(lab, sys.executable, *command)
    assert done.stdout.strip() == "['success']", done.stderr


def test_an_episode_in_the_real_world(lab: Path) -> None:
    arguments = "run --task google_robot_pick_coke_can --limit 1 --max-steps 2 --policy random --out run"
    done = start(lab, *START, *arguments.split())
    assert done.returncode == 0, done.stderr + done.stdout
    assert '"failure"' in (lab / "run/episodes.jsonl").read_text()


def test_another_module_of_our_name_that_is_there_already_is_one_line(lab: Path) -> None:
    code = "import sys, types; sys.modules['eval'] = types.ModuleType('eval')\nimport simpler_eval"
    done = start(lab, sys.executable, "-c", code)
    assert 'write "import simpler_eval" above all other imports' in done.stderr.splitlines()[-1]
    done = start(lab, sys.executable, "-c", f"{code.splitlines()[0]}; sys.argv[0] = 'simpler-eval'\nimport simpler_eval")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1


def test_the_public_functions_have_one_name() -> None:
    import eval
    import simpler_eval
    from policies.registry import load_policy

    assert simpler_eval.make_plan is eval.make_plan
    assert simpler_eval.load_policy is load_policy
    assert {"run", "load_policy", "make_plan"} <= set(dir(simpler_eval))
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        _ = simpler_eval.rum
