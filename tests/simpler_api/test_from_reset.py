"""Initial states against recordings of the original: seeded resets, distractors, and every reset of the parity keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from recordings import golden

from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.simpler_api import FRESH_ENVIRONMENT_SEED, SeedChain, spec_from_reset

VECTORS = golden("simpler_spec/rng_vectors.json")
PARITY = golden("parity")
PREPACKAGED = json.loads(golden("simpler_spec/tasks.json").read_text())["prepackaged_tasks"]
TOLERANCE = 1e-6
"""The recordings are rounded to 7 digits or to float32."""


def start_poses(spec: EpisodeSpec) -> np.ndarray:
    return np.array([[*o.xy, o.z, *o.quat] for o in spec.objects])


@pytest.mark.parametrize("task", PREPACKAGED)
def test_seeded_and_chained_resets_start_as_recorded(task: str) -> None:
    env_id, kwargs = PREPACKAGED[task]["env_name"], PREPACKAGED[task]["kwargs"]
    chain = SeedChain()
    rows = json.loads(VECTORS.read_text())[task]
    assert len(rows) == 14
    for row in rows:
        seed = row["seed"] if row["kind"] == "seed" else None
        spec = spec_from_reset(env_id, {"prepackaged_config": True, **kwargs}, seed, None, chain)
        assert spec.seed == row["seed"]
        falling = [o for o in spec.objects if o.role != "fixture"]
        assert [o.model for o in falling] == [model for model, _, _ in row["objs"]]
        recorded = [[*position, *quat] for _, position, quat in row["objs"]]
        if falling:
            np.testing.assert_allclose(start_poses(spec)[: len(falling)], recorded, atol=TOLERANCE)
        np.testing.assert_allclose(spec.robot_xy, row["robot_xy"], atol=TOLERANCE)
        np.testing.assert_allclose(spec.robot_quat, row["robot_q"], atol=TOLERANCE)
        assert (spec.instruction, *spec.later_instructions) == (
            row["instruction"],
            *([row["instruction2"]] if "instruction2" in row else []),
        )
        assert spec.urdf_version == row.get("urdf", "")
        if "overlay" in row:
            assert spec.overlay == f"real_inpainting/open_drawer_{row['overlay']}.png"
        (planned,) = make_plan(tasks=[task], setting="prepackaged", seed=row["seed"], limit=1)
        filed = {"task", "variant", "index", "simpler_reset"}
        assert planned.model_dump(exclude=filed) == spec.model_dump(exclude=filed)


@pytest.mark.parametrize("size", ["less", "more"])
def test_distractors_of_the_sweep_lie_as_recorded(size: str) -> None:
    rows = json.loads(VECTORS.read_text())["distractors_sweep_seed_40194941"][size]
    assert len(rows) == 25
    for row in rows:
        options = {"obj_init_options": {"init_xy": row["opened_coke_can"]}}
        kwargs = {"distractor_config": size, "lr_switch": True}
        spec = spec_from_reset("GraspSingleOpenedCokeCanDistractorInScene-v0", kwargs, None, options, SeedChain())
        assert spec.seed == FRESH_ENVIRONMENT_SEED == 40194941
        assert [o.model for o in spec.objects] == list(row)
        np.testing.assert_allclose([o.xy for o in spec.objects], list(row.values()), atol=TOLERANCE)


def recorded_keys() -> list[str]:
    names = [path.stem for path in sorted(PARITY.glob("*.json")) if path.with_suffix(".npz").exists()]
    return [name for name in names if name not in ("controller", "grid")]


def resets_of(key: str) -> Iterator[tuple[str, str, dict[str, Any], dict[str, Any], SeedChain]]:
    """(array prefix, env id, keywords, recorded reset, chain of its environment)."""
    data = json.loads((PARITY / f"{key}.json").read_text())
    if "construct" in data:  # made without options: even the robot's place is sampled
        yield "c", data["env_id"], data["kwargs"], data["construct"], SeedChain()
    chain = SeedChain()
    for number, reset in enumerate(data.get("resets", [])):
        yield f"r{number}", data["env_id"], data["kwargs"], reset, chain
    for number, sequence in enumerate(data["sequences"]):
        env_id = sequence.get("env_id") or data["env_id"]
        kwargs = sequence.get("kwargs") or data["kwargs"]
        yield f"s{number}/t0", env_id, kwargs, sequence["reset"], SeedChain()


@pytest.mark.parametrize("key", recorded_keys())
def test_every_recorded_reset_is_predicted(key: str) -> None:
    arrays = np.load(PARITY / f"{key}.npz")
    count = 0
    for prefix, env_id, kwargs, reset, chain in resets_of(key):
        spec = spec_from_reset(env_id, kwargs, reset["seed"], reset["options"], chain)
        assert spec.seed == reset["episode_seed"]
        assert spec.instruction == reset["instruction"]
        assert spec.urdf_version == reset["urdf_version"]
        assert spec.scene == reset["scene_name"]
        overlay = reset["overlay_image_used"]
        assert spec.overlay == (f"real_inpainting/{overlay}" if overlay else None)
        assert [o.model for o in spec.objects] == reset["actor_names"][1:]
        np.testing.assert_allclose(spec.robot_qpos, arrays[f"{prefix}/robot_qpos"], atol=TOLERANCE)
        base = [*spec.robot_xy, spec.robot_height, *spec.robot_quat]
        np.testing.assert_allclose(base, arrays[f"{prefix}/robot_base"], atol=TOLERANCE)
        if spec.cabinet is not None:
            np.testing.assert_allclose(spec.cabinet.qpos, arrays[f"{prefix}/art0_qpos"], atol=TOLERANCE)
        count += 1
        if not spec.objects:
            continue
        recorded = arrays[f"{prefix}/settle_pose"][0, 0, 1:]
        np.testing.assert_allclose(start_poses(spec)[0], recorded[0], atol=TOLERANCE)  # distractors fall after the target
        if spec.objects[-1].role != "distractor":
            np.testing.assert_allclose(start_poses(spec), recorded, atol=TOLERANCE)
        else:
            last_drop = arrays[f"{prefix}/settle_pose"][:, 0, 1:]
            for number, pose in enumerate(start_poses(spec)[1:], start=1):
                starts = np.abs(last_drop[:, number] - pose).max(axis=1)
                assert starts.min() < TOLERANCE, spec.objects[number].model
    assert count > 0


def grid_blocks() -> list[dict[str, Any]]:
    blocks: list[dict[str, Any]] = json.loads((PARITY / "grid.json").read_text())["blocks"]
    return blocks


@pytest.mark.parametrize("block", grid_blocks(), ids=lambda block: block["name"])
def test_whole_grids_start_as_recorded(block: dict[str, Any]) -> None:
    recorded = np.load(PARITY / "grid.npz")[f"{block['name']}/pose_before_settle"][:, 1:]
    assert len(block["results"]) == len(recorded) >= 9
    for result, options, poses in zip(block["results"], block["options"], recorded, strict=True):
        spec = spec_from_reset(block["env_id"], block["kwargs"], block["seed"], options, SeedChain())
        assert [o.model for o in spec.objects] == result["actors"][1:]
        np.testing.assert_allclose(start_poses(spec), poses, atol=TOLERANCE)
