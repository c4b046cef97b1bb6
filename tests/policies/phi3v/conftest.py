"""Shared by the tests of the Phi-3-vision policies: a tiny checkpoint, episodes and observations."""

from __future__ import annotations

import gzip
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from recordings import golden

from policies.base import EpisodeInfo, Observation, Proprio


@pytest.fixture(scope="session")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recordings of ``tests/golden``, beside checkpoints whose weights are sampled again from their seeds."""
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    from policies.phi3v.random_weights import write_weights

    folder = Path(shutil.copytree(golden("phi3v"), tmp_path_factory.mktemp("recordings") / "phi3v"))
    tokenizer = gzip.decompress((folder / "tokenizer.json.gz").read_bytes())
    for name, facts in json.loads((folder / "weights.json").read_text()).items():
        write_weights(folder / name, json.loads((folder / name / "config.json").read_text()), **facts)
        (folder / name / "tokenizer.json").write_bytes(tokenizer)
    return folder


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    from policies.phi3v.random_checkpoint import write_random

    folder = tmp_path_factory.mktemp("tiny")
    write_random(folder, "tiny-random")
    return folder


@pytest.fixture
def copy(tiny: Path, tmp_path: Path) -> Path:
    """A tiny checkpoint that a test may spoil."""
    return Path(shutil.copytree(tiny, tmp_path / "checkpoint"))


def info(episode: str = "e", robot: str = "widowx", instruction: str = "pick the spoon", seed: int = 0) -> EpisodeInfo:
    return EpisodeInfo(episode, "task", robot, instruction, 60, 5, seed)


def frame(number: int, size: tuple[int, ...] = (120, 160, 3)) -> np.ndarray:
    """A dotted image that moves with its number."""
    y, x = np.mgrid[: size[0], : size[1]]
    waves = [np.sin((x + 3 * number) / (5 + c)) * np.cos((y - number) / (7 - c)) for c in range(3)]
    image = (127 + 120 * np.stack(waves, axis=-1)).astype(np.uint8)
    return image if len(size) == 3 else image[:, :, 0]


def seen(
    step: int = 0, episode: str = "e", robot: str = "widowx", instruction: str = "pick the spoon", image: object = None
) -> Observation:
    zeros = np.zeros(3, np.float32)
    image = frame(step + 10 * len(episode)) if image is None else image
    return Observation(episode, step, robot, instruction, image, Proprio(zeros, np.zeros(4, np.float32), 1.0, zeros))


@pytest.fixture
def make_info() -> Callable[..., EpisodeInfo]:
    return info


@pytest.fixture
def make_seen() -> Callable[..., Observation]:
    return seen


@pytest.fixture
def make_frame() -> Callable[..., np.ndarray]:
    return frame
