"""A run on a Ray cluster, of which a node dies on the way, is the same run."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from unittest import mock

import pytest

from eval.errors import UserError
from eval.records.folder import load_run
from eval.records.options import RunOptions
from eval.rollout.replicas.node import Node

pytestmark = pytest.mark.alone  # who plays how much depends on what else the machine does


def shares(nodes, **options):
    from eval.rollout.replicas.cluster import share_of

    share = share_of([{"CPU": cpus, "GPU": gpus} for cpus, gpus in nodes], RunOptions(cluster="there", **options), 100)
    return share.replicas, share.cpus, share.gpus


def test_what_a_replica_reserves():
    assert shares([(16, 0), (16, 0)]) == (2, 16, 0.0)
    assert shares([(16, 0), (8, 0)], replicas=3) == (3, 8, 0.0)
    assert shares([(16, 4), (16, 4)], policy="openvla_phi3") == (8, 4, 1.0)
    assert shares([(16, 4), (16, 4)]) == (2, 16, 0.0)  # the oracle needs none
    assert shares([(16, 2)], policy="openvla_phi3", replicas=4) == (4, 4, 0.5)
    assert shares([(2, 0), (64, 2)], policy="openvla_phi3", gpus=1) == (1, 32, 1.0)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpus": 3}, "--gpus 3 is more than the cluster there has: it has 2 nodes, 4 CPUs and 2 GPUs"),
        ({"replicas": 9}, "--replicas 9 is more than the cluster there has CPUs for"),
        ({"gpus": 2, "replicas": 1}, "--replicas 1 leaves GPUs of --gpus 2 idle"),
    ],
)
def test_more_than_the_cluster_has_is_one_line(options, said):
    with pytest.raises(UserError, match=said):
        shares([(2, 1), (2, 1)], **options)


@pytest.mark.parametrize("address", ["nowhere", "ray://10.0.0.1:10001", "127.0.0.1:1"])
def test_an_address_that_does_not_answer_is_one_line(cli, tmp_path, address):
    pytest.importorskip("ray", reason="Ray is not installed")
    begun = time.monotonic()
    code, out, err = cli("run", "--task", "widowx_carrot_on_plate", "--cluster", address, "--out", tmp_path / "run")
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert address in err
    assert "does not answer" in err or "is no address" in err
    assert time.monotonic() - begun < 20
    assert not (tmp_path / "run").exists()


def test_what_answers_and_is_no_cluster_is_one_line(cli, monkeypatch):
    pytest.importorskip("ray", reason="Ray is not installed")
    monkeypatch.setattr("eval.rollout.replicas.cluster.TRY_SECONDS", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        code, out, err = cli("run", "--task", "widowx_carrot_on_plate", "--cluster", address)
    assert (code, out, len(err.splitlines())) == (2, "", 1)
    assert f"--cluster {address}: what answers there is no Ray cluster that lets this process in" in err


def test_a_cluster_without_ray_is_one_line(cli, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "ray" else find(name, *more))
    code, _, err = cli("run", "--task", "widowx_carrot_on_plate", "--cluster", "local")
    assert code == 2
    assert "pip install 'simpler-eval[ray]'" in err


def test_a_cluster_of_one_run_leaves_no_token_in_the_users_home(tmp_path):
    """`ray start --head` would ask every node for it from then on."""
    pytest.importorskip("ray", reason="Ray is not installed")
    words = "--task widowx_carrot_on_plate --limit 1 --max-steps 2 --policy random --video none --cluster local --workers 1"
    place = {"HOME": str(tmp_path), "RAY_TMPDIR": tempfile.mkdtemp(dir="/tmp")}  # names of sockets are cut at 107 letters
    command = [sys.executable, "-m", "simpler_eval", "run", *words.split(), "--out", str(tmp_path / "run")]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    try:
        subprocess.run(command, env=kept | place, check=True, capture_output=True, timeout=120)
    finally:
        shutil.rmtree(place["RAY_TMPDIR"], ignore_errors=True)
    assert len(load_run(tmp_path / "run").records) == 1
    assert not (tmp_path / ".ray").exists()


def test_a_node_says_what_it_lacks():
    from eval.records.provenance import sources_hash
    from eval.version import VERSION

    assert Node().hello(VERSION, sources_hash()) == (socket.gethostname(), None)
    assert "it has other sources of the same version" in Node().hello(VERSION, "0" * 16)[1]
    assert "version" in Node().hello("9.9", "0" * 16)[1]


@pytest.fixture(scope="module")
def cluster():
    """One machine with two nodes of one CPU each, and a head that has none; the first test here that breaks it is the last."""
    pytest.importorskip("ray", reason="Ray is not installed")
    from ray.cluster_utils import Cluster

    path = os.pathsep.join([path for path in sys.path if path])
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": path}
    memory = {"object_store_memory": 80 * 2**20}
    with mock.patch.dict(os.environ, quiet):
        made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, **memory})
        made.nodes = [made.add_node(num_cpus=1, **memory) for _ in range(2)]
        yield made
        made.shutdown()


def test_nodes_with_another_version_are_one_line(cluster, play, make_spec, tmp_path, monkeypatch):
    monkeypatch.setattr("eval.rollout.replicas.cluster.sources_hash", lambda: "0" * 16)
    with pytest.raises(UserError, match=r"^Node .* cannot play: it has other sources of the same version of simpler-eval"):
        play([make_spec(0)], "replica_policies:Seeded", cluster=cluster.address)
    assert not (tmp_path / "run").exists()


def test_a_node_that_dies_costs_no_episode_and_doubles_none(cluster, play, make_spec, tmp_path, capsys):
    plan = [make_spec(i, variant=f"v{i % 3}", max_steps=20) for i in range(30)]
    alone = play(plan, "replica_policies:Seeded", out=tmp_path / "alone")
    seen = []

    def kill_a_node_soon(record):
        seen.append(record)
        if len(seen) == 4:
            threading.Thread(target=cluster.remove_node, args=(cluster.nodes[0],)).start()

    options = {"policy_args": {"seconds": "0.02"}, "cluster": cluster.address, "workers": 2, "listener": kill_a_node_soon}
    data = play(plan, "replica_policies:Seeded", video="first:1", **options)
    assert data.table().to_csv() == alone.table().to_csv()
    assert {key: (r.status, r.steps) for key, r in data.records.items()} == {
        key: (r.status, r.steps) for key, r in alone.records.items()
    }
    assert len((data.path / "episodes.jsonl").read_text().splitlines()) == len(seen) == 30
    actions = [{path.name: path.read_bytes() for path in (run.path / "actions").iterdir()} for run in (alone, data)]
    assert actions[0] == actions[1]
    assert [(data.path / r.video).stat().st_size > 1000 for r in data.records.values() if r.video] == [True]
    replicas = data.header.sessions[-1].replicas
    assert len(replicas) == 2
    assert sum(replica.losses for replica in replicas) == 1
    assert all(replica.episodes for replica in replicas)
    assert "was lost" in capsys.readouterr().err
    play(plan, "replica_policies:Seeded", video="first:1", **options)  # nothing is left
    assert len(load_run(data.path).header.sessions) == 2
    assert len(seen) == 30
