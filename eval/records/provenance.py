"""Where a number came from: command, commit, versions, machine."""

from __future__ import annotations

import datetime
import hashlib
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path

from eval.records.header import GitRecord, MachineRecord, Provenance, SessionRecord
from eval.records.options import RunOptions
from eval.version import VERSION

PACKAGES = ("sapien", "ruckig", "gymnasium", "numpy", "scipy", "opencv-python-headless", "torch",
            "transformers")  # fmt: skip
PARTS = ("eval", "policies", "task_configs")
"""Our own packages."""


def now() -> str:
    """UTC time, ISO 8601 to the second."""
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")


def provenance() -> Provenance:
    """Of what this process makes now."""
    return Provenance(
        command=shlex.join([*map(_program, sys.argv[:1]), *sys.argv[1:]]),
        started=now(),
        git=_git(),
        python=platform.python_version(),
        packages={"simpler-eval": VERSION} | {name: version for name in PACKAGES if (version := _version(name))},
        machine=MachineRecord(system=platform.platform(), cpu=_cpu(), cores=_cores()),
    )


def _program(argument: str) -> str:
    """What a user types for it: ``python -m simpler_eval`` and ``python -m eval`` are the same command as ``simpler-eval``."""
    path = Path(argument)
    ours = path.name == "simpler_eval.py" or (path.name == "__main__.py" and path.parent.name == "eval")
    return "simpler-eval" if ours else path.name


def new_session(options: RunOptions, folder: str | None = None) -> SessionRecord:
    """The session that this process begins now; ``folder``: what relative paths in the options are relative to."""
    return SessionRecord(**dict(provenance()), options=options, folder=folder)


def sources_hash() -> str:
    """16 hex digits over the code and the configurations of this package."""
    root, whole = Path(__file__).parents[2], hashlib.blake2b(digest_size=8)
    for package in PARTS:
        for path in sorted(path for kind in ("*.py", "*.yaml") for path in (root / package).rglob(kind)):
            whole.update(f"{path.relative_to(root)}\n".encode())
            whole.update(path.read_bytes())
    return whole.hexdigest()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _git() -> GitRecord | None:
    """Commit of the code that runs (not of the folder it is called from); None outside a checkout."""

    def git(*args: str) -> str:
        root = Path(__file__).resolve().parents[2]
        done = subprocess.run(["git", *args], cwd=root, capture_output=True, text=True, check=True, timeout=20)
        return done.stdout.strip()

    try:
        return GitRecord(commit=git("rev-parse", "HEAD"), dirty=bool(git("status", "--porcelain", "-uno")))
    except (OSError, subprocess.SubprocessError):
        return None


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _cores() -> int:
    return len(os.sched_getaffinity(0))
