"""The lines of docs/scale.md about a Ray cluster, on two hosts that are network namespaces of this machine."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_shell import Shell, line, program
from pages import REPO
from two_hosts import ADDRESSES, two_hosts

PAGE = "docs/scale.md"
SMALL = "--num-cpus 1 --object-store-memory 80000000 --include-dashboard false"
FEW = (
    "--task widowx_carrot_on_plate --limit 24 --max-steps 20 --world playful_world "
    "--policy replica_policies:Seeded --policy-arg seconds=0.03"
)


@pytest.fixture
def place() -> Iterator[Path]:
    """Short: names of sockets are cut at 107 letters."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed")
@pytest.mark.parametrize("token", ["", "0" * 64], ids=["no token", "token"])
def test_two_hosts_play_one_run(place: Path, tmp_path: Path, token: str) -> None:
    shell = Shell(tmp_path, RAY_USAGE_STATS_ENABLED="0", RAY_TMPDIR=place, HOME=tmp_path)
    prove = ""
    if token:
        (tmp_path / ".ray").mkdir()
        (tmp_path / ".ray/auth_token").write_text(token)
        prove = "RAY_AUTH_MODE=token "
        assert prove.strip() in (REPO / PAGE).read_text()
    program(shell.bin, "ray", 'exec python -m ray.scripts.scripts "$@"')
    head, join = line(PAGE, "ray start --head"), line(PAGE, "ray start --address")
    run = line(PAGE, "--cluster")
    assert ADDRESSES[0] in join
    assert ADDRESSES[0] in run
    run = run.replace("--suite google_robot_visual_matching --policy tracevla_phi3 --checkpoint DIR", FEW)
    with two_hosts(str(place)) as (one, other):
        shell.run(one.on(f"{head} {SMALL}"))
        shell.run(prove + other.on(f"{join} {SMALL.split(' --include')[0]}"))
        shell.run(other.on(run))
    records = [json.loads(each) for each in (tmp_path / "results/all/episodes.jsonl").read_text().splitlines()]
    assert len(records) == 24
    assert {record["status"] for record in records} <= {"success", "failure"}
    replicas = json.loads((tmp_path / "results/all/run.json").read_text())["sessions"][-1]["replicas"]
    assert len(replicas) == 2
    assert all(replica["episodes"] for replica in replicas), replicas
