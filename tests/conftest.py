"""Shared by all tests: small specs, and a folder of fakes that spawned processes can import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.episode import EpisodeSpec, PhysicsSpec, RuleSpec
from task_configs.schema.world import LightSet

sys.path.insert(0, str(Path(__file__).parent / "support"))


def tiny_spec(index: int, task: str = "fake_task", variant: str = "base", max_steps: int = 5) -> EpisodeSpec:
    return EpisodeSpec(
        task=task, setting="visual_matching", variant=variant, index=index, robot="widowx", control_freq=5,
        sim_freq=500, max_steps=max_steps, scene="nowhere", lighting="default", overlay=None, urdf_version="",
        shader="default", disable_bad_material=False, robot_xy=(0.0, 0.0), robot_height=0.0,
        robot_quat=(1.0, 0.0, 0.0, 0.0), robot_qpos=(0.0,), objects=(), seed=index, instruction="do something",
        rule=RuleSpec(family="grasp"), physics=PhysicsSpec(contact_offset=0.02, stage_collides=True),
        lights=LightSet(ambient=0.3, directional=()),
    )  # fmt: skip


@pytest.fixture
def make_spec() -> Callable[..., EpisodeSpec]:
    return tiny_spec
