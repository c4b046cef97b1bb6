"""A shell for the lines of a page, in which ``python`` and ``simpler-eval`` are those of this checkout."""

from __future__ import annotations

import os
import shutil
import signal
import site
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from pages import REPO, shell_lines_of


def line(page: str, *texts: str) -> str:
    """The one line of its blocks with these texts in it, without its comment."""
    found = [each for each in shell_lines_of(page) if all(text in each for text in texts)]
    assert len(found) == 1, (page, texts, found)
    return found[0].split("  #")[0].strip()


def program(folder: Path, name: str, script: str) -> None:
    """An executable for ``PATH``, by sh."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / name).chmod(0o755)


def checkout(folder: Path) -> Path:
    """A copy of what git keeps here, as it is now: what a clone would have."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPO, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (REPO / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, folder / name)
    return folder


def free_ports(count: int) -> list[int]:
    with ExitStack() as kept:
        probes = [kept.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [probe.getsockname()[1] for probe in probes]


def free_port() -> int:
    return free_ports(1)[0]


class Shell:
    """Runs lines in a folder, and says what one that failed said."""

    def __init__(self, folder: Path, path: str | None = None, **variables: object) -> None:
        """``path``: instead of what finds this checkout's packages."""
        self.folder, self.bin = folder, folder / ".bin"
        ours = f'exec "{sys.executable}" "$@"'
        for name in ("python", "python3", "python3.11"):
            program(self.bin, name, ours)
        program(self.bin, "simpler-eval", f'exec "{sys.executable}" -m simpler_eval "$@"')
        found = os.pathsep.join(map(str, (REPO, REPO / "tests/support")))
        # what pytest and make tell their children, and where a program of this environment would look for it
        told = ("PYTEST", "VIRTUAL_ENV", "COV_CORE", "MAKE", "MFLAGS")
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(told)}
        self.environment = {
            **inherited, "PATH": f"{self.bin}:{os.environ['PATH']}", "PYTHONPATH": found if path is None else path,
            "OMP_NUM_THREADS": "1", **{name: str(value) for name, value in variables.items()},
        }  # fmt: skip

    def run(self, command: str, code: int = 0, seconds: float = 600) -> str:
        """What it printed; it must end with this code."""
        done = subprocess.run(
            ["bash", "-c", command], cwd=self.folder, env=self.environment, text=True, check=False, timeout=seconds,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == code, f"$ {command}\n{done.stdout[-4000:]}\nexit code {done.returncode}"
        return done.stdout

    @contextmanager
    def listening(self, command: str, port: int) -> Iterator[None]:
        """While a server runs that takes connections at the port."""
        told = self.folder / f".told-{port}"
        with told.open("w") as output:
            server = subprocess.Popen(
                ["bash", "-c", f"exec {command.removesuffix('&')}"], cwd=self.folder, env=self.environment, stdout=output,
                stderr=output, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        try:
            until = time.monotonic() + 120
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert server.poll() is None, f"$ {command}\n{told.read_text()[-4000:]}"
                assert time.monotonic() < until, f"{command} does not listen"
                time.sleep(0.1)
            yield
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)

    def environment_here(self, name: str) -> None:
        """An environment of its own that has pip and all that is installed here, so that what is there is not fetched again."""
        own = next(path for path in map(Path, site.getsitepackages()) if (path / "pip").is_dir())
        self.run(f'"{sys.executable}" -m venv --without-pip {name}')
        (packages,) = (self.folder / name).glob("lib/python*/site-packages")
        (packages / "those_of_the_tests.pth").write_text(f"{own}\n")
        program(self.folder / name / "bin", "pip", f'exec "{self.folder / name}/bin/python" -m pip "$@"')

    def install(self, command: str) -> None:
        """A line that installs packages; the test is skipped where no registry is in reach."""
        said = self.run(f"{command} || echo NOT INSTALLED")
        if "NOT INSTALLED" in said and "Retrying" in said:
            pytest.skip("no registry of packages is in reach")
        assert "NOT INSTALLED" not in said, said[-4000:]
