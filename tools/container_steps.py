"""Runs the steps of the Dockerfile in a folder that holds a Debian system, for machines without a container engine.

    debootstrap --variant=minbase bookworm ROOT
    python tools/container_steps.py ROOT [--build-arg TORCH=cpu] [--bring FILE ...] [-- COMMAND ...]

Must be run as root. RUN, ENV, ARG, COPY of the whole context, USER and WORKDIR do what they do in a build; layers, labels and
NVIDIA's toolkit have no counterpart. COMMAND is run at the end as the user of the image. --bring copies files of this machine
into ROOT before each, such as certificates and pip's configuration behind a proxy. Prints each step and its seconds.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

REPO = Path(__file__).resolve().parents[1]
NO_COUNTERPART = ("FROM", "ENTRYPOINT", "CMD")


class Step(NamedTuple):
    """An instruction and what follows it, continued lines joined."""

    word: str
    rest: str


def steps(text: str) -> Iterator[Step]:
    """Of a Dockerfile."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    for whole in re.split(r"(?<!\\)\n", "\n".join(lines)):
        word, _, rest = whole.replace("\\\n", " ").strip().partition(" ")
        yield Step(word.upper(), rest.strip())


def copy_context(target: Path) -> None:
    """What .dockerignore lets through: here a list of names after ``*``, each with a ``!``."""
    patterns = (REPO / ".dockerignore").read_text(encoding="utf-8").splitlines()
    for name in (pattern[1:] for pattern in patterns if pattern.startswith("!")):
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name)


class Image:
    """The folder, and what later steps remember of earlier ones."""

    def __init__(self, root: Path, arguments: dict[str, str], brought: Sequence[Path]) -> None:
        self.root, self.arguments, self.brought = root, arguments, brought
        self.environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        self.build_only: dict[str, str] = {}
        self.user, self.folder = "root", "/"

    def run(self, command: list[str], more: dict[str, str] | None = None) -> int:
        """In the folder, as the user; its exit code."""
        for file in (Path("/etc/resolv.conf"), *self.brought):  # each time: a package may have put its own there
            (self.root / file.relative_to("/")).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, self.root / file.relative_to("/"))
        entry = ["chroot", f"--userspec={self.user}:{self.user}", str(self.root), "/usr/bin/env", "-i", "-C", self.folder]
        named = [f"{name}={value}" for name, value in {**self.environment, **(more or {})}.items()]
        return subprocess.run([*entry, *named, *command], check=False).returncode

    def do(self, step: Step) -> int:
        """An exit code."""
        if step.word == "RUN":
            return self.run(["/bin/sh", "-c", step.rest], self.build_only)
        if step.word == "ARG":
            name, _, default = step.rest.partition("=")
            self.build_only[name] = self.arguments.get(name, default)
        elif step.word == "ENV":
            for name, value in re.findall(r"(\w+)=(\S+)", step.rest):
                self.environment[name] = re.sub(r"\$(\w+)", lambda found: self.environment.get(found[1], ""), value)
        elif step.word == "COPY" and step.rest.startswith(". /"):
            copy_context(self.root / step.rest.split()[1].lstrip("/"))
        elif step.word == "USER":
            self.user = step.rest
        elif step.word == "WORKDIR":
            self.folder = step.rest
        elif step.word not in NO_COUNTERPART:
            raise SystemExit(f"no counterpart for: {step.word} {step.rest}")
        return 0


def main() -> int:
    """Exit code of the first step that failed, or of COMMAND."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--build-arg", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--bring", action="append", default=[], type=Path)
    parser.add_argument("--only-command", action="store_true", help="the steps were run before")
    middle = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    given, command = parser.parse_args(sys.argv[1:middle]), sys.argv[middle + 1 :]
    root = given.root.resolve()
    image = Image(root, dict(argument.split("=", 1) for argument in given.build_arg), given.bring)
    mounts = [("proc", "proc"), ("tmpfs", "dev/shm")]
    for kind, place in mounts:
        subprocess.run(["mount", "-t", kind, kind, str(root / place)], check=True)
    try:
        for step in steps((REPO / "Dockerfile").read_text(encoding="utf-8")):
            if given.only_command and step.word in ("RUN", "COPY"):
                continue
            began = time.monotonic()
            print(f"==> {step.word} {step.rest[:100]}", flush=True)
            if code := image.do(step):
                return code
            if (seconds := time.monotonic() - began) > 1:
                print(f"    {seconds:.0f} s", flush=True)
        return image.run(command) if command else 0
    finally:
        for _, place in mounts:
            subprocess.run(["umount", str(root / place)], check=False)


if __name__ == "__main__":
    os.chdir(REPO)
    sys.exit(main())
