"""``bench exact``: tokens of a policy's fast path against those of its reference, on images from a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from eval.errors import UserError
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls
from eval.rollout.policy_closing import close_policy
from policies.base import EpisodeInfo, Exactness, Observation, Proprio, RobotName

SUFFIXES = (".png", ".jpg", ".jpeg")
INSTRUCTION = "put the spoon on the towel"


def measure_exactness(
    name: str,
    policy_args: Mapping[str, object],
    images: Path,
    batch: int = 32,
    limit: int | None = None,
    robot: RobotName = "widowx",
    instruction: str = INSTRUCTION,
) -> Exactness:
    """Load a policy and compare on images that are taken for the steps of one episode.

    Args:
        name: as ``--policy``.
        policy_args: its options.
        images: folder of PNG or JPEG files, used in the order of their names.
        batch: observations at a time of the fast path.
        limit: of images.
        robot: whose episode it is.
        instruction: of the episode.

    Raises:
        UserError: the folder has no images, or the policy has nothing to compare.
    """
    frames = _read_images(images, limit)
    begun = EpisodeInfo("exact", "exact", robot, instruction, len(frames), 5, 0)
    zeros = np.zeros(3, np.float32)
    proprio = Proprio(zeros, np.array([1, 0, 0, 0], np.float32), 1.0, zeros)
    seen = [Observation("exact", step, robot, instruction, frame, proprio) for step, frame in enumerate(frames)]
    with Interrupts() as interrupts, PolicyCalls(interrupts) as calls:
        calls.make(name, policy_args)
        try:
            return calls.exactness(name, begun, seen, batch)
        finally:
            close_policy(calls, name)


def _read_images(folder: Path, limit: int | None) -> list[np.ndarray]:
    if not folder.is_dir():
        raise UserError(f"--images {folder} is no folder; name one with PNG or JPEG files.")
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)[:limit]
    if not paths:
        raise UserError(f"--images {folder} holds no PNG or JPEG files.")
    frames = []
    for path in paths:
        try:
            with Image.open(path) as image:
                frames.append(np.asarray(image.convert("RGB")))
        except (OSError, UnidentifiedImageError) as error:
            raise UserError(f"{path} cannot be read as an image: {error}") from error
    return frames
