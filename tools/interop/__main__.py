"""Try our server, our client and our world against the real packages of others; one table of what came of it.

    python tools/interop VENVS [--out results/benchmarks/interop.md]

VENVS is a folder in which each package gets a virtual environment of its own, made by pip where it is not there yet. What
cannot be had here is a row with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
REPO = HERE.parents[1]
STEPS, SEED, EPISODE = 5, 7, "interop"
PACKAGES = {
    "vla-eval": (["vla-eval==0.8.0"], True),
    "openpi-client": (["openpi-client==0.1.2", "websockets", "typing_extensions"], False),
    "stable-baselines3": (["stable-baselines3"], True),
    "lerobot": (["lerobot[dataset,evaluation]==0.6.1", str(REPO), str(REPO / "tools" / "lerobot_env_simpler")], False),
}
"""Environment -> what pip installs, and whether our own requirements go beside it."""


class Skipped(Exception):
    """It cannot be tried here; the text says why."""


@dataclass(frozen=True)
class Trial:
    """A row."""

    protocol: str
    ours: str
    package: str
    """Of theirs, and so its environment; empty: there is none."""
    theirs: str
    try_it: Callable[[Path], str]
    """Given the folder of environments; comes to what was seen, raises Skipped or whatever else."""


def python_of(venvs: Path, name: str) -> str:
    """The interpreter of an environment, which is made first if need be. Raises Skipped."""
    place = venvs / name
    python = place / "bin" / "python"
    done = place / "complete"
    if not done.exists():
        packages, with_ours = PACKAGES[name]
        if with_ours:
            project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
            packages = [*packages, *project["dependencies"], *project["optional-dependencies"].get("remote", [])]
        install = [python, "-m", "pip", "install", "-q", *(["-c", REPO / "constraints.txt"] if with_ours else []), *packages]
        for command in ([interpreter_for(name), "-m", "venv", place], install):
            ran = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
            if ran.returncode:
                raise Skipped(f"pip cannot install {name} here: {ran.stderr.strip().splitlines()[-1][:150]}")
        done.touch()
    return str(python)


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
def process(command: list[str], url: str | None, path: str = "/health") -> Iterator[int]:
    """A server while this lasts, once it is well."""
    child = subprocess.Popen(command, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
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


# ---- the trials ------------------------------------------------------------------------------------------------------


def vla_eval_client(venvs: Path) -> str:
    """Their client object, our server."""
    with our_server("vla-eval") as port:
        out = run([python_of(venvs, "vla-eval"), str(HERE / "ask_vla_eval.py"), str(port), EPISODE, str(SEED), str(STEPS)])
    return same_actions(json.loads(out.splitlines()[-1]))


def openpi_client(venvs: Path) -> str:
    """Their client object, our server."""
    with our_server("openpi") as port:
        python = python_of(venvs, "openpi-client")
        out = run([python, str(HERE / "ask_openpi.py"), str(port), EPISODE, str(SEED), str(STEPS)])
    said = json.loads(out.splitlines()[-1])
    return f"{same_actions(said['actions'])}; numpy {said['numpy']}, websockets {said['websockets']}"


TASK, LIMIT = "widowx_carrot_on_plate", 2


def vla_eval_harness(venvs: Path) -> str:
    """``vla-eval run`` on our benchmark class, against our server: the same as a run of ours."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        with our_server("vla-eval") as port:
            theirs = harness(venvs, folder, port)
        ours = run_of_ours(folder, "--policy", "random")
        for episode in theirs:
            if ours[episode["episode"]] != episode["actions"]:
                raise RuntimeError(f"episode {episode['episode']} was played otherwise than in a run of ours")
    return f"{len(theirs)} episodes by `vla-eval run --no-docker`, actions equal to a run of ours, to the last bit"


def vla_eval_server_harness(venvs: Path) -> str:
    """``vla-eval run`` on our benchmark class, against a model server of theirs."""
    with tempfile.TemporaryDirectory() as place, their_server(venvs) as port:
        theirs = harness(venvs, Path(place), port)
    return f"{len(theirs)} episodes by `vla-eval run --no-docker`"


def vla_eval_server(venvs: Path) -> str:
    """``simpler-eval run``, against a model server of theirs."""
    with tempfile.TemporaryDirectory() as place, their_server(venvs) as port:
        ours = run_of_ours(Path(place), "--policy", f"vla-eval://127.0.0.1:{port}")
    return f"{len(ours)} episodes by `simpler-eval run`, none errored"


@contextlib.contextmanager
def their_server(venvs: Path) -> Iterator[int]:
    """A model server on vla-eval's own classes, with a model that looks at mean colours."""
    port = free_port()
    script = REPO / "tests" / "support" / "vla_eval_server.py"
    with process([python_of(venvs, "vla-eval"), str(script), str(port)], f"http://127.0.0.1:{port}"):
        yield port


def harness(venvs: Path, folder: Path, port: int) -> list[dict[str, Any]]:
    """Episodes of ``vla-eval run`` on a short form of our YAML."""
    file, told = folder / "config.yaml", folder / "told.jsonl"
    command = [sys.executable, "-m", "simpler_eval", "vla-eval-config", str(file), "--task", TASK, "--max-steps", str(STEPS)]
    run([*command, "--url", f"ws://127.0.0.1:{port}", "--output-dir", str(folder / "theirs")])
    text = re.sub(r"episodes_per_task: \d+", f"episodes_per_task: {LIMIT}", file.read_text())
    file.write_text(text.replace("eval.interop.vla_eval:SimplerEval", "recorded_benchmark:Recorded"))
    binary = Path(python_of(venvs, "vla-eval")).with_name("vla-eval")
    more = {"PYTHONPATH": os.pathsep.join([str(REPO), str(HERE)]), "INTEROP_ACTIONS": str(told)}
    run([str(binary), "run", "-c", str(file), "--no-docker"], folder, more)
    episodes = [json.loads(line) for line in told.read_text().splitlines()]
    if len(episodes) != LIMIT or any(len(episode["actions"]) != STEPS for episode in episodes):
        raise RuntimeError(f"{len(episodes)} episodes came to an end")
    return episodes


def run_of_ours(folder: Path, *policy: str) -> dict[str, list[list[float]]]:
    """Episode -> actions of ``simpler-eval run``, the first of the plan."""
    import numpy as np

    import simpler_eval

    name = policy[1]
    plan = simpler_eval.make_plan(tasks=TASK, max_steps=STEPS)[:LIMIT]
    data = simpler_eval.run(plan, name, out=folder / "ours", workers=1)
    data.raise_errors()
    files = (folder / "ours" / "actions").glob("*.npy")
    return {file.stem: np.load(file)[:, :7].tolist() for file in files}


def gymnasium_checks(venvs: Path) -> str:
    """Both checkers."""
    said = json.loads(
        run([python_of(venvs, "stable-baselines3"), "-W", "ignore", str(HERE / "gymnasium_checks.py")]).splitlines()[-1]
    )
    if len(said) < 2:
        raise Skipped("stable-baselines3 is not installed; Gymnasium's own checker passes")
    return "check_env of both passes"


def openpi_server(venvs: Path) -> str:
    """Their server is in no package."""
    raise Skipped("openpi's server is part of openpi itself (JAX), not of openpi-client; our client is tested on a fake of it")


def lerobot_eval(venvs: Path) -> str:
    """Their command on a policy of theirs with random weights."""
    binary = Path(python_of(venvs, "lerobot")).with_name("lerobot-eval")
    given = {
        "env.type": "simpler", "env.task": TASK, "env.max_steps": STEPS, "eval.n_episodes": LIMIT, "eval.batch_size": 1,
        "policy.type": "act", "policy.device": "cpu", "policy.pretrained_backbone_weights": "null",
        "policy.push_to_hub": "false", "seed": 0,
        "policy.chunk_size": 4, "policy.n_action_steps": 4, "policy.dim_model": 32, "policy.n_heads": 2, "output_dir": "out",
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        run([str(binary), *(f"--{name}={value}" for name, value in given.items())], Path(place), {"HF_HUB_OFFLINE": "1"})
        told = json.loads((Path(place) / "out" / "eval_info.json").read_text())
    if list(told["per_group"]) != [TASK] or told["overall"]["n_episodes"] != LIMIT:
        raise RuntimeError(f"it counted {told['overall']}")
    return f"{LIMIT} episodes with an ACT policy of random weights, by task in eval_info.json"


def lerobot_oracle(venvs: Path) -> str:
    """Their evaluation loop on what our oracle commanded in a run of ours."""
    import numpy as np

    import simpler_eval

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plan = simpler_eval.make_plan(tasks=TASK)[:1]
        simpler_eval.run(plan, "oracle", out=folder / "ours", workers=1).raise_errors()
        actions = folder / "ours" / "actions" / f"{plan[0].id}.npy"
        script = [python_of(venvs, "lerobot"), str(HERE / "lerobot_oracle.py"), str(actions), TASK]
        told = json.loads(run(script, folder, {"HF_HUB_OFFLINE": "1"}).splitlines()[-1])
        steps = len(np.load(actions))
    if told["overall"]["pc_success"] != 100.0 or told["steps"] != plan[0].max_steps:
        raise RuntimeError(f"it counted {told['overall']} in {told['steps']} steps")
    return f"the oracle's {steps} actions of a run here solve the task there, too, in {told['steps']} steps"


TRIALS = (
    Trial("vla-eval", "server (`simpler-eval serve`)", "vla-eval", "its client", vla_eval_client),
    Trial("vla-eval", "server and benchmark (`SimplerEval`)", "vla-eval", "`vla-eval run`", vla_eval_harness),
    Trial("vla-eval", "benchmark (`SimplerEval`)", "vla-eval", "`vla-eval run`, its model server", vla_eval_server_harness),
    Trial("vla-eval", "client (`run --policy vla-eval://`)", "vla-eval", "its model server", vla_eval_server),
    Trial("openpi", "server (`simpler-eval serve`)", "openpi-client", "its client", openpi_client),
    Trial("openpi", "client (`run --policy openpi://`)", "", "openpi's server", openpi_server),
    Trial("Gymnasium", "`simpler_eval/...-v0`", "stable-baselines3", "checkers of Gymnasium and SB3", gymnasium_checks),
    Trial("LeRobot", "`lerobot_env_simpler`", "lerobot", "`lerobot-eval`", lerobot_eval),
    Trial("LeRobot", "`lerobot_env_simpler`", "lerobot", "its `eval_policy_all`", lerobot_oracle),
)


def tried(trial: Trial, venvs: Path) -> tuple[str, str, str]:
    """Version, outcome and what was seen."""
    print(f"{trial.protocol}: {trial.ours} with {trial.theirs} ...", file=sys.stderr, flush=True)
    version = ""
    try:
        version = version_of(venvs, trial.package) if trial.package else ""
        seen = trial.try_it(venvs)
    except Skipped as reason:
        return version, "not run", str(reason)
    except Exception as error:
        return version, "FAILED", f"{type(error).__name__}: {error}"[:300]
    return version, "works", seen


def main() -> int:
    """Make the table; exit code 1 if a trial failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("venvs", type=Path)
    parser.add_argument("--out", type=Path, default=REPO / "results" / "benchmarks" / "interop.md")
    parser.add_argument("--only", help="trials whose words contain this; nothing is written")
    given = parser.parse_args()
    sys.path.insert(0, str(REPO))
    rows, failed = [], False
    for trial in TRIALS:
        if given.only and given.only not in f"{trial.protocol} {trial.ours} {trial.theirs}":
            continue
        version, outcome, seen = tried(trial, given.venvs.absolute())
        failed |= outcome == "FAILED"
        package = f"{trial.theirs} ({trial.package} {version})" if trial.package else trial.theirs
        rows.append(f"| {trial.protocol} | {trial.ours} | {package} | {outcome} | {seen.replace('|', '/')} |")
    now = datetime.date.today().isoformat()
    text = (
        f"""# What was tried with whom

`python tools/interop VENVS`, {now}, Python {platform.python_version()}, no GPU. Each package in a virtual environment of its
own, as pip has it. World: built-in stand-ins; policy of ours: `random`, which is seeded by the episode, so that its actions
tell whether everything arrived.

| protocol | ours | theirs | outcome | what was seen |
|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )
    print(text)
    if not given.only:
        given.out.write_text(text, encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
