"""Try our server, our client and our world against the real packages of others; one table of what came of it.

    python tools/interop [VENVS] [--out results/benchmarks/interop.md]        or: make interop

VENVS (default: .interop, which git ignores) is a folder in which each package gets a virtual environment of its own, made by
pip where it is not there yet. What cannot be had here is a row with the reason.
"""

from __future__ import annotations

import argparse
import datetime
import platform
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from environments import HERE, REPO, Skipped, run, version_of
from lerobot_trials import lerobot_eval, lerobot_oracle, lerobot_recording
from server_trials import (
    gymnasium_checks,
    openpi_client,
    openpi_codec,
    openpi_server,
    openvla_fake,
    vla_eval_client,
    vla_eval_cogact,
    vla_eval_harness,
    vla_eval_server,
    vla_eval_server_harness,
)


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
## Cost of the protocols

ms per step over loopback, one observation per call: a camera image of 512 x 640 to `simpler-eval serve` with a policy that does
nothing, and an action back (`tools/interop/wire_cost.py`). Of 3 runs, the one with the lowest median, with the machine's load
at that time; the CPU time of both processes depends less on the load.

| protocol | median | minimum | CPU, client | CPU, server | load |
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
        f"""# Interoperability with other packages

`make interop`, {now}, Python {platform.python_version()}, no GPU, on the commit
"{commit.strip()}".
Each package in its own virtual environment, as installed by pip. Simulator: with built-in stand-ins; our policy: `random`,
which is seeded by the episode, so that its actions show whether everything arrived.

| protocol | ours | theirs | outcome | details |
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
            text += f"\nThe cost of the protocols could not be measured: {error}\n"
    print(text)
    if not given.only:
        given.out.write_text(text, encoding="utf-8")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
