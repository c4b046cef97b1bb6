"""Interpreters that have the released packages of other policy servers, which do not install beside ours."""

from __future__ import annotations

import os
import socket
import subprocess
import time

import pytest

VARIABLES = {"vla_eval": "PYTHON_WITH_VLA_EVAL", "openpi_client": "PYTHON_WITH_OPENPI_CLIENT"}


def python_with(package):
    """The interpreter that an environment variable names; the test is skipped where there is none."""
    python = os.environ.get(VARIABLES[package])
    if not python:
        pytest.skip(f"{VARIABLES[package]} names no Python with {package}")
    return python


class Script:
    """A script of tests/support in such an interpreter, which listens at a free port. Use as a context manager."""

    def __init__(self, python, script, *arguments):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.command = [python, str(script), str(self.port), *map(str, arguments)]

    def __enter__(self):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(self.command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return self
            assert self.process.poll() is None, self.process.stderr.read().decode()[-2000:]
            time.sleep(0.1)
        raise TimeoutError(f"{self.command} does not listen")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(10)
        self.process.stderr.close()
