"""What is tried with servers and harnesses, ours and theirs, and with checkers of Gymnasium."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import re
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from environments import (
    EPISODE,
    HERE,
    LIMIT,
    REPO,
    SEED,
    STEPS,
    TASK,
    Skipped,
    free_port,
    our_server,
    process,
    python_of,
    run,
    run_of_ours,
    same_actions,
)


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
