"""Docker itself, unpacked into a folder, without a network of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from debian import unpacked
from page_shell import program

HOOK = r"""
bundle=$(sed 's/.*"bundle": *"\([^"]*\)".*/\1/')
cp "$bundle/config.json" {told}
"""
"""Stands for NVIDIA's toolkit: Docker calls it for containers with GPUs. It gives none and keeps what it was told."""


def needs_root() -> None:
    """Skips the test where nothing may be mounted."""
    if os.geteuid() or subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("a system in a folder, or a container, needs the rights of root")


@contextmanager
def docker_engine(folder: Path) -> Iterator[dict[str, str]]:
    """Variables with which ``docker`` speaks to it, while this lasts; all that it made is removed at the end."""
    needs_root()
    found = unpacked(folder / "packages", "docker.io", "containerd", "runc", "tini")
    host = f"unix://{folder}/docker.sock"
    told = folder / "container.json"
    program(Path(found["ROOT"]) / "usr/bin", "nvidia-container-runtime-hook", HOOK.format(told=told))
    variables = {"PATH": f"{found['PATH']}:{os.environ['PATH']}", "DOCKER_HOST": host, "DOCKER_BUILDKIT": "0"}
    environment = {**os.environ, **variables}
    command = [
        f"{found['ROOT']}/usr/sbin/dockerd", "--data-root", folder / "data", "--exec-root", folder / "state", "-H", host,
        "--pidfile", folder / "docker.pid", "--iptables=false", "--ip6tables=false", "--bridge=none",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        daemon = subprocess.Popen([*map(str, command)], env=environment, stdout=log, stderr=log)
    try:
        until = time.monotonic() + 60
        while subprocess.run(["docker", "info"], env=environment, capture_output=True, check=False).returncode or (
            not (folder / "docker.sock").exists()
        ):
            if daemon.poll() is not None or time.monotonic() > until:
                pytest.skip(f"Docker does not start here: {(folder / 'log').read_text().splitlines()[-1][-200:]}")
            time.sleep(0.3)
        yield {**variables, "CONTAINER_JSON": str(told)}
    finally:
        daemon.terminate()
        daemon.wait(60)
        for mount in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (place := mount.split()[1]).startswith(f"{folder}/"):
                subprocess.run(["umount", place], check=False)
        shutil.rmtree(folder / "data", ignore_errors=True)
