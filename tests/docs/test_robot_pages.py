"""The pages for robots and other harnesses run as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from page_shell import free_port, line
from serving import served

REPO = Path(__file__).parents[2]


def blocks(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", (REPO / "docs" / page).read_text(encoding="utf-8"), re.DOTALL)


def run(program: str, folder: Path) -> str:
    path = os.pathsep.join(map(str, (REPO, REPO / "tests/support")))
    environment = {**os.environ, "PYTHONPATH": path, "SIMPLER_EVAL_ASSETS": "", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=folder, env=environment, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_an_action_for_a_picture_and_a_sentence_and_the_trace_alone(tmp_path):
    pytest.importorskip("torch")
    python, trace, _ = blocks("robot.md")
    out = run(python + trace + "print(len(action.command), gripper)\n", tmp_path)
    first, second = out.splitlines()
    assert first in ("(256, 256, 3) True", "(256, 256, 3) False")
    assert second.split()[0] == "7"
    assert second.split()[1] in ("1.0", "-1.0")


OUR_OPENPI = '''
import sys, types
from contextlib import ExitStack
from websockets.sync.client import connect
from eval.wire.openpi import pack_map, unpack_map

class WebsocketClientPolicy:
    """Stands for the one of openpi-client, which is tried by tools/interop.py."""
    def __init__(self, host, port):
        self.socket = ExitStack().enter_context(connect(f"ws://{host}:{port}", compression=None, max_size=None, proxy=None))
        self.metadata = unpack_map(self.socket.recv())
    def get_server_metadata(self):
        return self.metadata
    def infer(self, obs):
        self.socket.send(pack_map(obs))
        answer = self.socket.recv()
        assert not isinstance(answer, str), answer
        return unpack_map(answer)

module = types.ModuleType("openpi_client.websocket_client_policy")
module.WebsocketClientPolicy = WebsocketClientPolicy
sys.modules.update({"openpi_client": types.ModuleType("openpi_client"), module.__name__: module})
'''


def test_ten_lines_on_the_robot_s_side(tmp_path):
    with served("random", protocol="openpi", robot="widowx") as server:
        program = OUR_OPENPI + blocks("robot.md")[2].replace("8000", server.url.rsplit(":", 1)[1])
        out = run(program, tmp_path)
    assert out.splitlines()[-1] == "(7,)"
    assert "rotation vector" in out


def test_the_page_s_server_answers_them_and_ends_with_ctrl_c(tmp_path):
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    port = str(free_port())
    command = line("docs/robot.md", "simpler-eval serve").replace(" DIR ", " tiny-random ")
    words = [sys.executable, "-m", "simpler_eval", *shlex.split(command)[1:], "--port", port]
    server = subprocess.Popen(
        words,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPO)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        said = []
        while server.poll() is None and not any(f"127.0.0.1:{port}" in each for each in said):
            said.append(server.stdout.readline())
        out = run(OUR_OPENPI + blocks("robot.md")[2].replace("8000", port), tmp_path)
        assert out.splitlines()[-1] == "(7,)"
        server.send_signal(signal.SIGINT)
        assert server.wait(30) == 0
        assert "served 3 actions of 1 episode." in server.stdout.read()
    finally:
        server.kill()
        server.stdout.close()


def test_the_gymnasium_page(tmp_path):
    (page,) = blocks("elsewhere.md")
    out = run(page, tmp_path).splitlines()
    assert out == ["put carrot on plate False (480, 640, 3)", "(2, 480, 640, 3) [0 1]"]
