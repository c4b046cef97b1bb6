"""A policy plays the same over a wire as in the run itself: actions, records, tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from serving import served

import simpler_eval
from eval.records.folder import RunData
from eval.records.tables import write_tables

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
    pytest.importorskip("torch")
    plan = simpler_eval.make_plan(tasks=["widowx_carrot_on_plate", "google_robot_pick_coke_can"], limit=4, max_steps=14)
    args = {"checkpoint": "tiny-random", "deterministic": True}
    local = play(plan, policy, tmp_path / "local", workers=1, policy_args=args)
    for protocol in PROTOCOLS:
        with served(policy, args, protocol=protocol) as server:
            address = server.url.replace("ws:", f"{protocol}:")
            for several in (1, 8):
                options = {"workers": 1, "per_worker": several}
                assert_the_same(local, play(plan, address, tmp_path / f"{protocol}{several}", **options))
