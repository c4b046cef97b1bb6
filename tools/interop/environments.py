"""Environments with the packages of others, processes in them, and runs of ours beside."""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
STEPS, SEED, EPISODE = 5, 7, "interop"
TASK, LIMIT = "widowx_carrot_on_plate", 2
PACKAGES = {
    "vla-eval": (["vla-eval==0.8.0"], True),
    "openpi-client": (["openpi-client==0.1.2", "websockets", "typing_extensions"], False),
    "stable-baselines3": (["stable-baselines3"], True),
    "lerobot": (["lerobot[dataset,evaluation]==0.6.1"], False),
}
"""Environment -> what pip installs, and whether our own requirements go beside it."""
OURS = {"lerobot": [REPO, REPO / "tools" / "lerobot_env_simpler"]}
"""Environment -> what of ours is installed in it, as it is now."""


class Skipped(Exception):
    """It cannot be tried here; the text says why."""


@functools.cache
def python_of(venvs: Path, name: str) -> str:
    """The interpreter of an environment, which is made first if need be. Raises Skipped."""
    place = venvs / name
    python = place / "bin" / "python"
    done = place / "complete"
    install = [python, "-m", "pip", "install", "-q"]
    if not done.exists():
        packages, with_ours = PACKAGES[name]
        if with_ours:
            project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
            packages = [*packages, *project["dependencies"], *project["optional-dependencies"].get("remote", [])]
        set_up(name, [interpreter_for(name), "-m", "venv", place])
        set_up(name, [*install, *(["-c", REPO / "constraints.txt"] if with_ours else []), *packages])
    with tempfile.TemporaryDirectory() as copies:  # where pip builds it leaves things behind
        ours = [Path(copies) / folder.name for folder in OURS.get(name, ())]
        for folder, copy in zip(OURS.get(name, ()), ours, strict=True):
            shutil.copytree(folder, copy, ignore=shutil.ignore_patterns(".*", "build", "results", "tests", "*.egg-info"))
        if ours and not done.exists():
            set_up(name, [*install, *ours])  # with what they require
        elif ours:
            set_up(name, [*install, "--no-deps", "--force-reinstall", *ours])
    done.touch()
    return str(python)


def set_up(name: str, command: Sequence[object]) -> None:
    """A step of making an environment. Raises Skipped."""
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise Skipped(f"pip cannot install {name} here: {ran.stderr.strip().splitlines()[-1][:150]}")


def interpreter_for(name: str) -> str:
    """That makes the environment. Raises Skipped."""
    if name != "lerobot":
        return sys.executable
    for newer in ("python3.12", "python3.13"):
        with contextlib.suppress(OSError):
            if subprocess.run([newer, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return newer
    raise Skipped("lerobot needs Python 3.12 or newer, and there is none here")


def version_of(venvs: Path, name: str) -> str:
    """Of the package in its environment."""
    code = f"import importlib.metadata as m; print(m.version({name!r}))"
    ran = subprocess.run([python_of(venvs, name), "-c", code], capture_output=True, text=True, check=True)
    return ran.stdout.strip()


def free_port() -> int:
    """Nobody's now."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
        return port


def environment() -> dict[str, str]:
    """With our packages importable, one thread a process."""
    return {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1", "SIMPLER_EVAL_ASSETS": ""}


@contextlib.contextmanager
def process(command: list[str], url: str | None, path: str = "/health", more: dict[str, str] | None = None) -> Iterator[int]:
    """A server while this lasts, once it is well; ``more``: environment variables."""
    child = subprocess.Popen(
        command, env=environment() | (more or {}), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        end = time.monotonic() + 120
        while url is not None:
            with contextlib.suppress(OSError), urllib.request.urlopen(url + path, timeout=2):
                break
            if child.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the server did not start: {(child.stderr.read() if child.stderr else '')[-300:]}")
            time.sleep(0.3)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(20)
        except subprocess.TimeoutExpired:
            child.kill()


@contextlib.contextmanager
def our_server(protocol: str, *more: str) -> Iterator[int]:
    """``simpler-eval serve random`` at a free port."""
    port = free_port()
    command = [sys.executable, "-m", "simpler_eval", "serve", "random", "--protocol", protocol, "--port", str(port), *more]
    with process(command, f"http://127.0.0.1:{port}"):
        yield port


def run(command: list[str], folder: Path | None = None, more: dict[str, str] | None = None) -> str:
    """What it prints; ``more``: environment variables. Raises RuntimeError with its last lines."""
    ran = subprocess.run(
        command, env=environment() | (more or {}), cwd=folder, capture_output=True, text=True, check=False, timeout=500
    )
    if ran.returncode:
        raise RuntimeError(f"exit code {ran.returncode}: {' '.join(ran.stderr.split())[-300:]}")
    return ran.stdout


def expected_actions() -> list[list[float]]:
    """What the policy ``random`` commands without any wire."""
    import numpy as np

    from policies.base import EpisodeInfo, Observation, Proprio
    from policies.random import RandomPolicy

    policy, nothing = RandomPolicy(), np.zeros(3, np.float32)
    policy.reset([EpisodeInfo(EPISODE, "t", "widowx", "do", 80, 5, SEED)])
    seen = [Observation(EPISODE, n, "widowx", "do", None, Proprio(nothing, nothing, 0.0, nothing)) for n in range(STEPS)]
    return [policy.act([one])[0].command.tolist() for one in seen]


def same_actions(given: list[list[float]]) -> str:
    """Raises RuntimeError where a bit differs."""
    if given != expected_actions():
        raise RuntimeError("actions differ from those of the policy itself")
    return f"{STEPS} actions equal to the policy's own, to the last bit"


def run_of_ours(folder: Path, *policy: str, **args: str) -> dict[str, list[list[float]]]:
    """Episode -> actions of ``simpler-eval run``, the first of the plan; ``args``: of the policy."""
    import numpy as np

    import simpler_eval

    name = policy[1]
    plan = simpler_eval.make_plan(tasks=TASK, max_steps=STEPS)[:LIMIT]
    data = simpler_eval.run(plan, name, out=folder / "ours", workers=1, policy_args=args)
    data.raise_errors()
    files = (folder / "ours" / "actions").glob("*.npy")
    return {file.stem: np.load(file)[:, :7].tolist() for file in files}
