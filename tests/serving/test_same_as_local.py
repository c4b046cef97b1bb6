"""A policy plays the same over a wire as in the run itself: actions, records, tables."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from serving import served

import simpler_eval
from eval.records.folder import RunData
from eval.records.tables import write_tables
from eval.serving.serve import Serving

PROTOCOLS = ("vla-eval", "openpi")


def play(plan, policy: str, out: Path, world: str = "fake_world", **options: object) -> RunData:
    data = simpler_eval.run(plan, policy, out=out, world=world, **options)
    data.raise_errors()
    write_tables(data)
    return data


def assert_the_same(one: RunData, other: RunData) -> None:
    assert one.records.keys() == other.records.keys()
    for key, record in one.records.items():
        left = {"seconds", "attempts"}
        assert record.model_dump(exclude=left) == other.records[key].model_dump(exclude=left)
        here, there = (np.load(data.path / "actions" / f"{key.name}.npy") for data in (one, other))
        np.testing.assert_array_equal(here, there)
    for name in ("summary.csv", "cells.csv", "summary.md"):
        assert (one.path / "tables" / name).read_text() == (other.path / "tables" / name).read_text()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_random_with_several_episodes_at_once(tmp_path, protocol):
    plan = simpler_eval.make_plan(tasks=["widowx_carrot_on_plate", "google_robot_move_near"], limit=4, max_steps=3)
    local = play(plan, "random", tmp_path / "local", workers=1, per_worker=4, repeat=2)
    with served("random", protocol=protocol) as server:
        address = server.url.replace("ws:", f"{protocol}:")
        remote = play(plan, address, tmp_path / "remote", workers=1, per_worker=4, repeat=2)
        assert server.desk.episodes == 16
    assert_the_same(local, remote)


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["openvla_phi3", "tracevla_phi3"])
def test_a_tiny_checkpoint_on_both_robots(tmp_path, policy):
    """With one live episode and with 32: what a policy is asked about together, and over which wire, decides nothing."""
    pytest.importorskip("torch")
    tasks = ["widowx_carrot_on_plate", "google_robot_pick_coke_can"]
    plan = simpler_eval.make_plan(tasks=tasks, limit=16, max_steps=13)  # traces begin at step 10
    args = {"checkpoint": "tiny-random", "deterministic": True}
    one, many = {"workers": 1}, {"workers": 2, "per_worker": 16}

    def play_here(out: str, asked: str, options: dict, **more: object) -> RunData:
        return play(plan, asked, tmp_path / out, "playful_world", **options, **more)

    local = play_here("local", policy, one, policy_args=args)
    assert {spec.robot_family for spec in plan} == {"widowx", "google_robot"}
    assert {record.status for record in local.records.values()} == {"success", "failure"}
    assert_the_same(local, play_here("local32", policy, many, policy_args=args))
    for protocol in PROTOCOLS:
        with served(policy, args, protocol=protocol) as server, most_at_once(server) as most:
            address = server.url.replace("ws:", f"{protocol}:")
            assert_the_same(local, play_here(f"{protocol}32", address, many))
            assert most() == 32, "they were all live together"
            assert_the_same(local, play_here(protocol, address, one))


@contextlib.contextmanager
def most_at_once(server: Serving) -> Iterator[Callable[[], int]]:
    """How many episodes were under way together, looked at now and then."""
    most, end = [0], threading.Event()

    def look() -> None:
        while not end.wait(0.01):
            most[0] = max(most[0], server.desk.under_way)

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield lambda: most[0]
    finally:
        end.set()
        thread.join()
