"""Shared by all tests: small specs, and a folder of fakes that spawned processes can import."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from eval.episode import EpisodeSpec, PhysicsSpec, RuleSpec
from task_configs.schema.world import LightSet

sys.path.insert(0, str(Path(__file__).parent / "support"))
os.environ.pop("COLUMNS", None)  # tables are as wide as where nobody asks for a width; xdist's processes inherit one

from recordings import NEEDS_BULK, SHARED, needs_bulk


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
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """``simpler-eval`` in this process: arguments -> (exit code, stdout, stderr)."""
    from eval.cli import main

    def call(*arguments: object) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as end:
            main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        code = end.value.code
        return code if isinstance(code, int) else int(code is not None), captured.out, captured.err

    return call


@pytest.fixture(scope="session")
def bulk() -> Path:
    """Folder of all recordings; a test that needs it is skipped where there is none."""
    if needs_bulk.args[0]:
        pytest.skip(NEEDS_BULK)
    return SHARED


@pytest.fixture(scope="session")
def pack(bulk: Path) -> str:
    """The original's asset files with the stand-ins that the recordings were made with, as ``--assets`` takes them."""
    return subprocess.run([str(bulk / "assets" / "unpack")], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def make_spec() -> Callable[..., EpisodeSpec]:
    return tiny_spec
