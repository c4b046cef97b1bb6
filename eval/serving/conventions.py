"""What a client is told before it asks: whose actions these are, and what their seven numbers mean."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from eval.rollout.actions import CheckedAction
from eval.serving.requests import Served
from eval.wire.own import Served as ServedPolicy
from eval.wire.own import served_map
from policies.base import PolicyDescription, RobotName

GRIPPER: Mapping[RobotName, str] = {
    "widowx": "+1 open, -1 closed (absolute)",
    "google_robot": "+1 closes, -1 opens (change of the finger target, already held for 15 steps)",
}
ACTION: Mapping[str, Any] = {
    "shape": [7],
    "translation": "m a control step, axes of the robot's base",
    "rotation": "rotation vector (axis times angle), rad a control step, axes of the robot's base",
    "gripper": {**GRIPPER},
    "terminate": "beside the actions: whether the policy considers the (sub)task done",
}
"""Of what is sent, unless the client is one that converts it again (:func:`numbers_for`)."""
OBSERVATION: Mapping[str, Any] = {
    "image": "RGB, (H, W, 3) uint8, as the camera gives it; the policy resizes it itself",
    "state": "optional: 8 numbers, tool position (m) and quaternion (w x y z) at the robot's base, gripper opening 0 to 1",
}
SIMPLER_BENCHMARK = "vla_eval.benchmarks.simpler.benchmark:SimplerEnvBenchmark"
"""vla-eval's own SIMPLER, which makes the Google Robot's gripper command out of an opening itself."""


def version() -> str:
    """Ours."""
    return importlib.metadata.version("simpler-eval")


def about(description: PolicyDescription, served: Served) -> dict[str, Any]:
    """The same in every protocol, below our key. Nothing of the server's machine is in it."""
    return {
        **served_map(ServedPolicy(policy=description, needs_image=served.needs_image)),
        "robots": [*served.robots],
        "action": {**ACTION},
        "observation": {**OBSERVATION},
    }


def specs(served: Served) -> dict[str, Any]:
    """vla-eval's ``action_spec``, ``observation_spec`` and ``observation_params``, in the words of its ``DimSpec``."""
    google = served.robot == "google_robot"
    gripper: dict[str, Any] = {"name": "gripper", "dims": 1, "format": "raw"}
    gripper["description"] = "; ".join(f"{robot}: {meaning}" for robot, meaning in GRIPPER.items())
    if served.robot == "widowx":
        gripper |= {"format": "binary_close_negative", "range": [-1.0, 1.0], "description": GRIPPER["widowx"]}
    spec: dict[str, Any] = {
        "action_spec": {
            "position": {"name": "position", "dims": 3, "format": "delta_xyz", "description": ACTION["translation"]},
            "rotation": {"name": "rotation", "dims": 3, "format": "axis_angle", "description": ACTION["rotation"]},
            "gripper": gripper,
        },
        "observation_spec": {"language": {"name": "language", "dims": 0, "format": "language"}},
    }
    if served.needs_image:
        spec["observation_spec"]["primary"] = {"name": "image", "dims": 0, "format": "rgb_hwc_uint8"}
    return spec | ({"observation_params": {"gripper_mode": "sticky"}} if google else {})


def numbers_for(benchmark: str, robot: RobotName, action: CheckedAction) -> tuple[float, ...]:
    """The seven numbers for a client.

    vla-eval's own SIMPLER takes the Google Robot's gripper as an opening g in 0 .. 1, commands 1 - 2 g and holds what exceeds a
    half for 15 steps. Ours is such a command, held for the same steps: g = (1 - command) / 2 brings it back as it was.
    """
    if benchmark != SIMPLER_BENCHMARK or robot != "google_robot":
        return action.command
    *motion, gripper = action.command
    return (*motion, (1.0 - gripper) / 2.0)
