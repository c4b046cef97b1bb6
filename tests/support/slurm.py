"""Slurm itself on this machine alone: one controller, one node that claims more processors and memory than there are."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from debian import unpacked
from page_shell import free_ports

PACKAGES = ("slurmctld", "slurmd", "slurm-client", "slurm-wlm-basic-plugins", "libhwloc15", "liblua5.1-0", "libmunge2")
CONFIGURATION = """
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/none
CredType=cred/none
PluginDir={plugins}
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
MpiDefault=none
MailProg=/bin/true
ReturnToService=2
SlurmdParameters=config_overrides
GresTypes=gpu
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/node.pid
SlurmctldLogFile={folder}/controller.log
SlurmdLogFile={folder}/node.log
NodeName={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=200000
PartitionName=all Nodes={host} Default=YES State=UP
"""


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Variables with which ``sbatch`` and its like speak to it, while this lasts."""
    found = unpacked(folder / "packages", *PACKAGES)
    plugins = f"{found['LD_LIBRARY_PATH']}/slurm-wlm"
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "slurm.conf").write_text(CONFIGURATION.format(
        host=socket.gethostname().split(".")[0], ports=free_ports(2), user=getpass.getuser(), plugins=plugins, folder=folder
    ))  # fmt: skip
    variables = {
        "PATH": f"{found['PATH']}:{os.environ['PATH']}", "LD_LIBRARY_PATH": f"{found['LD_LIBRARY_PATH']}:{plugins}",
        "SLURM_CONF": str(folder / "slurm.conf"),
    }  # fmt: skip
    environment = {**os.environ, **variables}
    stepd = f"{found['ROOT']}/usr/sbin/slurmstepd-wlm"
    with ExitStack() as running:
        for command in (["slurmctld-wlm", "-D"], ["slurmd-wlm", "-D", "-d", stepd]):
            program = f"{found['ROOT']}/usr/sbin/{command[0]}"
            daemon = subprocess.Popen([program, *command[1:]], env=environment, stderr=subprocess.DEVNULL)
            running.callback(daemon.wait, 30)
            running.callback(daemon.terminate)
        until = time.monotonic() + 60
        while "idle" not in subprocess.run(
            ["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True, check=False
        ).stdout:  # fmt: skip
            assert time.monotonic() < until, (folder / "controller.log").read_text()[-2000:]
            time.sleep(0.2)
        yield variables
