"""Whole episode lists of the original: where the objects of every grid point settle (``grid.npz``)."""

from __future__ import annotations

from eval.assets.resolver import Assets
from eval.parity.recordings.files import Recording
from eval.parity.recordings.resets import ResetDifferences
from eval.parity.report import Check
from eval.simpler_api import SeedChain, spec_from_reset


def compare_grid(recording: Recording, assets: Assets) -> tuple[list[Check], ResetDifferences]:
    """Settle every entry of every block afresh; the settled objects are judged together with those of other keys."""
    differences, wrong = ResetDifferences(), 0
    for block in recording.facts["blocks"]:
        names = ("actor_pose", "actor_vel", "pose_before_settle")
        arrays = {name: recording.arrays[f"{block['name']}/{name}"] for name in names}
        for number, (options, result) in enumerate(zip(block["options"], block["results"], strict=True)):
            spec = spec_from_reset(block["env_id"], dict(block["kwargs"]), block["seed"], dict(options), SeedChain())
            row = {name: values[number] for name, values in arrays.items()}
            differences.add_objects(
                spec, result["actors"], row["pose_before_settle"], row["actor_pose"], row["actor_vel"], assets
            )
            wrong += result["instruction"] != spec.instruction
    n = differences.resets
    checks = [
        Check(recording.key, "reset: start poses", differences.exact, 1e-5, "m", n),
        Check(recording.key, "reset: instructions", float(wrong), 0.0, "wrong", n),
    ]
    return checks, differences
