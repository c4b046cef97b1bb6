"""What a step costs more when the policy is behind a wire on this machine: a picture of the camera there, an action back.

    python tools/interop/wire_cost.py [STEPS]

A server process with a policy that does nothing, a client process that asks as `simpler-eval run` does, one observation a call.
Beside the time on the clock, which other programs make longer, the processors' time of both processes, which they do less.
Prints rows of a table: the run whose median is least, of several.
"""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

REPO = Path(__file__).resolve().parents[2]
RUNS = 3
WAYS: tuple[tuple[str, str, dict[str, object]], ...] = (
    ("vla-eval, raw", "vla-eval", {}),
    ("vla-eval, PNG", "vla-eval", {"image_format": "png"}),
    ("openpi, raw", "openpi", {}),
)
"""Name, protocol, options of the client."""
POLICY = """
import numpy as np
from policies.base import Action, PolicyDescription

class Still:
    needs_image, needs_privileged = True, False

    def reset(self, episodes): ...

    def act(self, observations):
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self):
        return PolicyDescription(name="still")

    def close(self): ...
"""


def processor_seconds(process: int | str) -> float:
    """That a process has used in all its threads."""
    nanoseconds = sum(int(file.read_text().split()[0]) for file in Path(f"/proc/{process}/task").glob("*/schedstat"))
    return nanoseconds / 1e9


@dataclass(frozen=True)
class Cost:
    """ms a step."""

    median: float
    least: float
    client: float
    """Of processors."""
    server: float
    """Of processors."""
    load: float
    """Of the machine meanwhile."""


def measured(protocol: str, options: dict[str, object], steps: int, picture: NDArray[np.uint8]) -> Cost:
    """A tenth of the steps warms up and does not count."""
    from policies.base import EpisodeInfo, Observation, Proprio
    from policies.registry import load_policy

    proprio = Proprio(np.zeros(3, np.float32), np.array([1, 0, 0, 0], np.float32), 1.0, np.zeros(11, np.float32))
    with serving(protocol) as (server, address):
        policy = load_policy(f"{protocol}://{address}", options)
        policy.reset([EpisodeInfo("a", "t", "google_robot", "do", steps, 3, 0)])
        clock, begun = [], (0.0, 0.0)
        for step in range(steps):
            if step == steps // 10:
                begun = processor_seconds("self"), processor_seconds(server)
            before = time.perf_counter()
            policy.act([Observation("a", step, "google_robot", "do", picture, proprio)])
            clock.append(1000 * (time.perf_counter() - before))
        ended = processor_seconds("self"), processor_seconds(server)
        policy.close()
    counted = clock[steps // 10 :]
    used = [1000 * (now - then) / len(counted) for now, then in zip(ended, begun, strict=True)]
    return Cost(statistics.median(counted), min(counted), used[0], used[1], os.getloadavg()[0])


@contextlib.contextmanager
def serving(protocol: str) -> Iterator[tuple[int, str]]:
    """The process and the address of a server that does nothing but answer."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "still.py").write_text(POLICY)
        command = [
            sys.executable,
            "-m",
            "simpler_eval",
            "serve",
            f"{folder}/still.py:Still",
            "--protocol",
            protocol,
            "--port",
            "0",
        ]
        environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
            try:
                said = ""
                while (at := re.search(r"ws://([\d.]+:\d+)", said)) is None:
                    line = server.stdout.readline() if server.stdout else ""
                    if not line:
                        raise RuntimeError(f"the server did not start: {said}")
                    said += line
                yield server.pid, at[1]
            finally:
                server.terminate()


def camera_picture() -> NDArray[np.uint8]:
    """(512, 640, 3), of an episode of ours."""
    from eval.interop.gymnasium_env import SimplerEvalEnv

    env = SimplerEvalEnv("google_robot_pick_coke_can", limit=1)
    try:
        picture: NDArray[np.uint8] = env.reset(seed=0)[0]["image"]
        return picture
    finally:
        env.close()


def main() -> None:
    """Rows of a table."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    sys.path.insert(0, str(REPO))
    picture = camera_picture()
    for name, protocol, options in WAYS:
        costs = [measured(protocol, options, steps, picture) for _ in range(RUNS)]
        best = min(costs, key=lambda cost: cost.median)
        numbers = (best.median, best.least, best.client, best.server)
        print(f"| {name} | {' | '.join(f'{number:.2f}' for number in numbers)} | {best.load:.1f} |", flush=True)


if __name__ == "__main__":
    main()
