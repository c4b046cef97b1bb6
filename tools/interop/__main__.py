"""Try our server, our client and our world against the real packages of others; one table of what came of it.

    python tools/interop [VENVS] [--out results/benchmarks/interop.md]        or: make interop

VENVS (default: .interop, which git ignores) is a folder in which each package gets a virtual environment of its own, made by
pip where it is not there yet. What cannot be had here is a row with the reason.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import functools
import importlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
import urllib.request
from collections.abc import Callable, Iterator, Sequence
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
    "lerobot": (["lerobot[dataset,evaluation]==0.6.1"], False),
}
"""Environment -> what pip installs, and whether our own requirements go beside it."""
OURS = {"lerobot": [REPO, REPO / "tools" / "lerobot_env_simpler"]}
"""Environment -> what of ours is installed in it, as it is now."""


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


def vla_eval_cogact(venvs: Path) -> str:
    """The commands of docs/remote.md: vla-eval's own server of CogACT, whose weights alone are none."""
    lines = (REPO / "docs" / "remote.md").read_text().splitlines()
    served = next(line for line in lines if line.startswith("uv run vla_eval/")).split()[3:]
    played = next(line for line in lines if "--policy-arg family=cogact" in line).split()
    port = free_port()
    python = python_of(venvs, "vla-eval")
    script = run([python, "-c", "import vla_eval.model_servers as m; print(m.__path__[0])"]).strip() + "/cogact.py"
    served = [word.replace(":8000", f":{port}") for word in served]
    played = [word.replace(":8000", f":{port}") for word in played[1:]]
    more = {"PYTHONPATH": str(HERE / "without_weights")}
    with tempfile.TemporaryDirectory() as place:
        with process([python, script, *served], f"http://127.0.0.1:{port}", more=more):
            few = ["--limit", "1", "--max-steps", str(2 * STEPS), "--workers", "1", "--out", str(Path(place) / "run")]
            run([sys.executable, "-m", "simpler_eval", *played, *few])
        records = [json.loads(line) for line in (Path(place) / "run" / "episodes.jsonl").read_text().splitlines()]
    if not records or any(record["status"] == "errored" for record in records):
        raise RuntimeError(f"{len(records)} episodes, of which some are errored")
    return (
        f"its `model_servers/cogact.py` as it is, a stand-in for the weights: {len(records)} episodes by the commands of "
        "docs/remote.md, none errored; pictures of 224 x 224 and the statistics' key arrive"
    )


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
    raise Skipped("openpi's server is part of openpi itself (JAX), not of openpi-client; see the next row")


def openpi_codec(venvs: Path) -> str:
    """``simpler-eval run``, against a server that speaks by the codec of openpi-client."""
    port = free_port()
    script = REPO / "tests" / "support" / "openpi_server.py"
    with tempfile.TemporaryDirectory() as place, process([python_of(venvs, "openpi-client"), str(script), str(port)], None):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2):
                break
            time.sleep(0.3)
        ours = run_of_ours(Path(place), "--policy", f"openpi://127.0.0.1:{port}", rotation="rotation_vector")
    return f"{len(ours)} episodes by `simpler-eval run`, none errored; frames packed and unpacked by openpi-client's own codec"


def openvla_fake(venvs: Path) -> str:
    """``simpler-eval run``, against a fake of OpenVLA's script, which is in no package."""
    sys.path.insert(0, str(REPO / "tests" / "support"))
    fakes = importlib.import_module("fake_servers")
    with tempfile.TemporaryDirectory() as place, fakes.HttpServer() as server:
        ours = run_of_ours(Path(place), "--policy", server.url)
        shapes = {request["image"].shape for request in server.requests}
        told = {request["instruction"] for request in server.requests}
    if len(server.requests) < LIMIT * STEPS or not all(told):
        raise RuntimeError(f"{len(server.requests)} requests with the instructions {sorted(told)}")
    sides = ", ".join(sorted("x".join(map(str, shape)) for shape in shapes))
    return f"{len(ours)} episodes by `simpler-eval run`, none errored; each request a picture of {sides} and an instruction"


def lerobot_command(venvs: Path, folder: Path, **options: object) -> dict[str, Any]:
    """What ``lerobot-eval`` counts with a policy of theirs of random weights, which are the same every time."""
    binary = Path(python_of(venvs, "lerobot")).with_name("lerobot-eval")
    given = {
        "env.type": "simpler", "env.task": TASK, "env.max_steps": STEPS,
        "policy.type": "act", "policy.device": "cpu", "policy.pretrained_backbone_weights": "null",
        "policy.push_to_hub": "false", "seed": 0,
        "policy.chunk_size": 4, "policy.n_action_steps": 4, "policy.dim_model": 32, "policy.n_heads": 2, "output_dir": "out",
    }  # fmt: skip
    given |= {f"eval.{name}": str(value).lower() for name, value in options.items()}
    folder.mkdir(parents=True)
    run([str(binary), *(f"--{name}={value}" for name, value in given.items())], folder, {"HF_HUB_OFFLINE": "1"})
    told: dict[str, Any] = json.loads((folder / "out" / "eval_info.json").read_text())
    if list(told["per_group"]) != [TASK] or told["overall"]["n_episodes"] != options["n_episodes"]:
        raise RuntimeError(f"it counted {told['overall']}")
    return told


def lerobot_eval(venvs: Path) -> str:
    """Their command, one environment at a time and several, with its videos."""
    many = LIMIT + 1
    with tempfile.TemporaryDirectory() as place:
        for name, (size, processes) in {"one": (1, False), "two": (2, False), "processes": (2, True)}.items():
            folder = Path(place) / name
            lerobot_command(venvs, folder, n_episodes=many, batch_size=size, use_async_envs=processes)
            films = [file for file in (folder / "out").glob("videos/*/*.mp4") if file.stat().st_size]
            if len(films) < many:
                raise RuntimeError(f"{len(films)} videos of {many} episodes ({name})")
    return (
        f"{many} episodes with an ACT policy of random weights, by task in eval_info.json, each with its video; "
        "`--eval.batch_size` 1, 2, and 2 in processes"
    )


def lerobot_recording(venvs: Path) -> str:
    """Their command with recording: whatever the batch, the same episodes."""
    with tempfile.TemporaryDirectory() as place:
        folders = [Path(place) / name for name in ("one", "together", "processes")]
        lerobot_command(venvs, folders[0], n_episodes=1, batch_size=1, recording=True)
        for folder, processes in zip(folders[1:], (False, True), strict=True):
            options = {"n_episodes": LIMIT, "batch_size": LIMIT, "use_async_envs": processes}
            lerobot_command(venvs, folder, recording=True, **options)
        recordings = [str(folder / "out" / "recordings") for folder in folders]
        script = [python_of(venvs, "lerobot"), str(HERE / "lerobot_recordings.py"), *recordings]
        one, together, processes_ = json.loads(run(script, Path(place), {"HF_HUB_OFFLINE": "1"}).splitlines()[-1])
    if [len(found) for found in (one, together, processes_)] != [1, LIMIT, LIMIT]:
        raise RuntimeError("a recording lacks episodes")
    if together != processes_ or not alike(one[0], together[0]) or alike(together[0], together[1]):
        raise RuntimeError("the recorded episodes depend on the batch")
    if any(len(found["states"]) != STEPS for found in (*one, *together)):
        raise RuntimeError("an episode was not recorded as long as it was")
    return (
        f"recorded with `--eval.batch_size={LIMIT}`, in one process and in two: the same states, actions and pictures, "
        "those of the first episode as with batch size 1"
    )


def alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether these are one episode, but for how a network rounds on another batch size."""
    import numpy as np

    return all(np.allclose(one[name], other[name], atol=1e-4) for name in ("states", "actions"))


def lerobot_oracle(venvs: Path) -> str:
    """Their evaluation loop on what our oracle commanded in a run of ours, once cut off half-way."""
    import numpy as np

    import simpler_eval

    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        plan = simpler_eval.make_plan(tasks=TASK)[:3]
        simpler_eval.run(plan, "oracle", out=folder / "ours", workers=1).raise_errors()
        files = [folder / "ours" / "actions" / f"{spec.id}.npy" for spec in plan]
        actions = np.load(files[1])
        np.save(files[1], actions[: len(actions) // 2])
        script = [python_of(venvs, "lerobot"), str(HERE / "lerobot_oracle.py"), TASK, *map(str, files)]
        told = json.loads(run(script, folder, {"HF_HUB_OFFLINE": "1"}).splitlines()[-1])
    first = told["one"]
    if first["successes"] != [True, False, True] or any(way != first for way in told.values()):
        raise RuntimeError(f"it counted {told}")
    return (
        "the oracle's actions of 3 runs here solve the task there, too, and do not when they are cut off; successes and solved "
        "steps are the same one environment at a time, two, and two in processes"
    )


TRIALS = (
    Trial("vla-eval", "server (`simpler-eval serve`)", "vla-eval", "its client", vla_eval_client),
    Trial("vla-eval", "server and benchmark (`SimplerEval`)", "vla-eval", "`vla-eval run`", vla_eval_harness),
    Trial("vla-eval", "benchmark (`SimplerEval`)", "vla-eval", "`vla-eval run`, its model server", vla_eval_server_harness),
    Trial("vla-eval", "client (`run --policy vla-eval://`)", "vla-eval", "its model server", vla_eval_server),
    Trial("vla-eval", "client (`run --policy-arg family=cogact`)", "vla-eval", "its server of another family", vla_eval_cogact),
    Trial("openpi", "server (`simpler-eval serve`)", "openpi-client", "its client", openpi_client),
    Trial("openpi", "client (`run --policy openpi://`)", "", "openpi's server", openpi_server),
    Trial("openpi", "client (`run --policy openpi://`)", "openpi-client", "a server of ours on its codec", openpi_codec),
    Trial(
        "OpenVLA's HTTP", "client (`run --policy http://.../act`)", "", "a fake of its script, from the protocol", openvla_fake
    ),
    Trial("Gymnasium", "`simpler_eval/...-v0`", "stable-baselines3", "checkers of Gymnasium and SB3", gymnasium_checks),
    Trial("LeRobot", "`lerobot_env_simpler`", "lerobot", "`lerobot-eval`", lerobot_eval),
    Trial("LeRobot", "`lerobot_env_simpler`", "lerobot", "`lerobot-eval --eval.recording=true`", lerobot_recording),
    Trial("LeRobot", "`lerobot_env_simpler`", "lerobot", "its `eval_policy_all`", lerobot_oracle),
)


WIRE = """
## What a wire costs

ms a step over loopback, one observation a call: a camera image of 512 x 640 to `simpler-eval serve` with a policy that does
nothing, an action back (`tools/interop/wire_cost.py`). Of 3 runs, the one whose median is least, with the load of the machine
then; the processors' time of both processes depends on it less.

| protocol | median | least | processors, client | processors, server | load |
|---|---|---|---|---|---|
"""


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
    parser.add_argument("venvs", type=Path, nargs="?", default=REPO / ".interop")
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
    commit = subprocess.run(["git", "log", "-1", "--format=%s"], cwd=REPO, capture_output=True, text=True, check=False).stdout
    text = (
        f"""# What was tried with whom

`make interop`, {now}, Python {platform.python_version()}, no GPU, on the commit
"{commit.strip()}".
Each package in a virtual environment of its own, as pip has it. World: built-in stand-ins; policy of ours: `random`, which is
seeded by the episode, so that its actions tell whether everything arrived.

| protocol | ours | theirs | outcome | what was seen |
|---|---|---|---|---|
"""
        + "\n".join(rows)
        + "\n"
    )
    if not given.only:
        try:
            text += WIRE + run([sys.executable, str(HERE / "wire_cost.py")])
        except Exception as error:  # the trials are not lost for it
            failed = True
            text += f"\nWhat a wire costs could not be measured: {error}\n"
    print(text)
    if not given.only:
        given.out.write_text(text, encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
