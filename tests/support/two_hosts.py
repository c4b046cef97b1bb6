"""Two hosts of one network that are network namespaces of this machine: 10.0.0.1 and 10.0.0.2."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ADDRESSES = ("10.0.0.1", "10.0.0.2")


class Host:
    """With a network, a name, processes and a folder ``own`` that no other has."""

    def __init__(self, name: str, own: str) -> None:
        alone = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--uts"]
        begin = f"hostname {name} && mount -t tmpfs tmpfs {own} && echo && exec sleep 3600"
        self._process = subprocess.Popen(["ip", "netns", "exec", name, *alone, "sh", "-c", begin], stdout=subprocess.PIPE)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == b"\n", f"{begin} failed"
        self._first = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()[0]

    def on(self, command: str) -> str:
        """The command, for a shell of this machine."""
        return f'nsenter --target {self._first} --mount --net --pid --uts --wd="$PWD" {command}'

    def end(self) -> None:
        """With its first process all others end."""
        os.kill(int(self._first), signal.SIGKILL)
        self._process.wait(30)
        self._process.stdout.close()


@contextmanager
def two_hosts(own: str) -> Iterator[tuple[Host, Host]]:
    """They see each other and nobody else; the test is skipped where there can be none."""
    if shutil.which("ip") is None or os.geteuid():
        pytest.skip("hosts in network namespaces need ip and the rights of root")
    names = [f"host{number}-{os.getpid()}" for number in (1, 2)]
    hosts: list[Host] = []

    def ip(command: str) -> None:
        subprocess.run(["ip", *command.split()], check=True)

    try:
        for name in names:
            ip(f"netns add {name}")
            ip(f"-n {name} link set lo up")
        ip(f"-n {names[0]} link add there type veth peer name there netns {names[1]}")
        for name, address, other in zip(names, ADDRESSES, reversed(ADDRESSES), strict=True):
            ip(f"-n {name} addr add {address}/24 dev there")
            ip(f"-n {name} link set there up")
            ip(f"-n {name} route add default via {other}")  # a host without one does not know its own address
            hosts.append(Host(name, own))
        yield hosts[0], hosts[1]
    finally:
        for host in hosts:
            host.end()
        for name in names:
            subprocess.run(["ip", "netns", "del", name], check=False)
