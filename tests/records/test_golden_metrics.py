"""Every number that the original's own tool printed for a made-up result tree, from our records and our rule.

The tree is rebuilt as plans and records, one record an episode, and counted by the code that makes our tables.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pytest
from recordings import golden as recorded

from eval.episode import EpisodeSpec, PhysicsSpec, RuleSpec
from eval.records.aggregation import PARTIAL, Row, aggregate
from eval.records.results import EpisodeRecord, Records
from eval.records.tallies import tally_variants
from eval.statistics.ranking import kruskal, mean_maximum_rank_violation, pearson
from task_configs.schema.world import LightSet

OPEN = [f"google_robot_open_{drawer}_drawer" for drawer in ("top", "middle", "bottom")]
CLOSE = [f"google_robot_close_{drawer}_drawer" for drawer in ("top", "middle", "bottom")]
TASKS = {
    **{f"{do}{d}DrawerCustomInScene-v0": f"google_robot_{do.lower()}_{d.lower()}_drawer"
       for do in ("Open", "Close") for d in ("Top", "Middle", "Bottom")},
    "PlaceIntoClosedTopDrawerCustomInScene-v0": "google_robot_place_apple_in_closed_top_drawer",
    "PutSpoonOnTableClothInScene-v0": "widowx_spoon_on_towel",
    "PutCarrotOnPlateInScene-v0": "widowx_carrot_on_plate",
    "StackGreenCubeOnYellowCubeBakedTexInScene-v0": "widowx_stack_cube",
    "PutEggplantInBasketScene-v0": "widowx_put_eggplant_in_basket",
}  # fmt: skip
ORIENTATIONS = {"lr_switch": "horizontal", "laid_vertically": "vertical", "upright": "standing"}
WIDOWX = {
    "put_spoon_on_tablecloth": "widowx_spoon_on_towel",
    "put_carrot_on_plate": "widowx_carrot_on_plate",
    "stack_green_block_on_yellow_block": "widowx_stack_cube",
    "put_eggplant_in_basket": "widowx_put_eggplant_in_basket",
}
BLANK: dict[str, Any] = {
    "robot": "widowx", "control_freq": 5, "sim_freq": 500, "max_steps": 60, "scene": "", "lighting": "", "overlay": None,
    "urdf_version": "", "shader": "default", "disable_bad_material": False, "robot_xy": (0, 0), "robot_height": 0,
    "robot_quat": (1, 0, 0, 0), "robot_qpos": (), "objects": (), "seed": 0, "instruction": "",
    "rule": RuleSpec(family="grasp"), "physics": PhysicsSpec(contact_offset=0.02, stage_collides=True),
    "lights": LightSet(ambient=0.3, directional=()),
}  # fmt: skip
URDF_ORDER = ["None", "recolor_tabletop_visual_matching_1", "recolor_tabletop_visual_matching_2",
              "recolor_cabinet_visual_matching_1"]  # fmt: skip


@cache
def data(name: str) -> Any:
    return json.loads(recorded(f"simpler_spec/{name}.json").read_text())


def crc(text: str) -> int:
    return zlib.crc32(text.encode()) % 1000


def filed(variant: dict[str, Any]) -> tuple[str, str]:
    """Task and variant name under which our tables have a variant of the sweeps."""
    if variant["family"] == "pick_coke_can":
        task = "google_robot_pick_coke_can"
    elif variant["family"] == "move_near":
        task = "google_robot_move_near"
    else:
        task = TASKS[variant["env_name"]]
    kwargs = dict(variant["additional_env_build_kwargs"])
    orientation = next((word for key, word in ORIENTATIONS.items() if key in kwargs), "")
    return task, f"{orientation}/{variant['env_save_name']}@{variant['scene_name']}"


def paths(variant: dict[str, Any], checkpoint: str, tag: str = "") -> Iterator[str]:
    """The name, without result and stats, of every file the original writes for a variant."""
    mode = data("sweeps")["control_modes"]["widowx*" if "widowx" in variant["robot"] else "google_robot_*"]
    for run in variant["runs"]:
        stem = run["rgb_overlay"].removesuffix(".png") if run["rgb_overlay"] else None
        places = data("sweeps")["object_sets"][run["object_set"]]
        parts = places.get("name_parts") or [f"obj_episode_{i}" for i in range(*places["episode_range"])]
        for pose in data("sweeps")["robot_sets"][run["robot_set"]]["poses"]:
            folder = f"{pose['dir_prefix']}_rgb_overlay_{stem}"
            for part in parts:
                yield f"{checkpoint}/{variant['scene_name']}/{mode}/{variant['env_save_name']}{tag}/{folder}/{part}"


@cache
def episodes(policy: str, suite: str) -> tuple[list[EpisodeSpec], Records, set[tuple]]:
    """Plan and records of a policy, and the variants that the sweeps mark as left out of the average."""
    family = "bridge" if suite.startswith("widowx") else "google"
    checkpoint = data("published_in_repo")["checkpoint_directory_names"][policy]
    threshold = data("metrics_golden")["thresholds"][checkpoint]
    tags = [f"_octo_init_rng_{i}" for i in (0, 2, 4)] if family == "bridge" and "octo" in policy else [""]
    plan, records, left_out = [], {}, set()
    for variant in data("sweeps")["suites"][suite]["variants"]:
        task, name = filed(variant)
        setting = "visual_matching" if variant["group"] == "visual_matching" else "variant_aggregation"
        for tag in tags:
            if not variant["counts_in_average"]:
                left_out.add((task, setting, name + tag))
            for index, path in enumerate(paths(variant, checkpoint, tag)):
                spec = EpisodeSpec(**BLANK, task=task, setting=setting, variant=name + tag, index=index)
                record = EpisodeRecord(
                    id=spec.id, task=task, setting=setting, variant=name + tag,
                    status="success" if crc(path) < threshold else "failure",
                    episode_stats={"is_src_obj_grasped": crc(path + "#grasp") < 650} if family == "bridge" else {},
                )  # fmt: skip
                plan.append(spec)
                records[record.key] = record
    return plan, records, left_out


@cache
def tables(policy: str, suite: str) -> tuple[dict[str, Row], dict[Any, float]]:
    """Rows by name, and rates by task and variant."""
    plan, records, left_out = episodes(policy, suite)
    rows = aggregate(plan, records, counts=lambda key: key not in left_out)
    rates = {(task, name): t.successes / t.n for (task, _, name), t in tally_variants(plan, records).items()}
    return {row.name: row for row in rows}, rates


def policies(family: str) -> list[str]:
    return list(next(iter(published(family)["real"].values()))) if family != "move_near" else policies("drawer")


def published(family: str) -> Any:
    return data("published_in_repo")["calc_metrics_evaluation_videos"][family]


VM, VA, BRIDGE = "google_robot_visual_matching", "google_robot_variant_aggregation", "widowx_visual_matching"


def rates(family: str, suite: str, cell: str) -> list[float]:
    by_policy = [tables(policy, suite)[0][cell].rate for policy in policies(family)]
    assert None not in by_policy
    return [rate for rate in by_policy if rate is not None]


def compared(simulated: list[float], real: list[float]) -> list[Any]:
    return [simulated, real, mean_maximum_rank_violation(simulated, real), pearson(simulated, real)]


def ranked(simulated: list[float], real: list[float], trials: int) -> list[Any]:
    results = [kruskal(s, r, trials) for s, r in zip(simulated, real, strict=True)]
    return [1.0 if test is None else list(test) for test in results]


def arms(policy: str, tasks: list[str], prefix: str, urdfs: list[str], stride: int) -> list[float]:
    """What the original prints for each arm; its stride is wrong for drawers, which our cells show
    (docs/simpler.md, protocol trap 4)."""
    rows = tables(policy, VM)[1]
    listed = [
        next(r for (t, name), r in rows.items() if t == task and name.startswith(prefix) and f"urdf_version_{urdf}" in name)
        for task in tasks for urdf in urdfs
    ]  # fmt: skip
    return [float(np.mean(listed[i::stride])) for i in range(4)]


def printed_with_parts(family: str, parts: dict[str, str], trials: int, arms_of: Any, average: str | None) -> list[Any]:
    """``parts``: name in the original -> our cell; then the average over them."""
    real = {name: [published(family)["real"][name][p] for p in policies(family)] for name in parts}
    mean_real = [float(np.mean(values)) for values in zip(*real.values(), strict=True)]
    out: list[Any] = []
    for name, cell in parts.items():
        out += compared(rates(family, VA, cell), real[name])
    out += compared(rates(family, VA, average), mean_real) if average else []
    out += [arms_of(name, policy) for name in parts for policy in policies(family)]
    for name, cell in parts.items():
        simulated = rates(family, VM, cell)
        out += compared(simulated, real[name]) + ranked(simulated, real[name], trials)
    if average:
        simulated = rates(family, VM, average)
        out += compared(simulated, mean_real) + ranked(simulated, mean_real, trials * len(parts))
    return out


def coke() -> list[Any]:
    parts = {name: f"google_robot_pick_{name}_coke_can" for name in ("horizontal", "vertical", "standing")}
    can = "google_robot_pick_coke_can"
    return printed_with_parts("pick_coke_can", parts, 25, lambda n, p: arms(p, [can], n, URDF_ORDER, 4), can)


def drawer() -> list[Any]:
    tasks = {"open": OPEN, "close": CLOSE}
    parts = {name: f"google_robot_{name}_drawer" for name in tasks}
    arms_of = lambda name, policy: arms(policy, tasks[name], "", URDF_ORDER, 3)  # noqa: E731
    return printed_with_parts("drawer", parts, 27, arms_of, "google_robot_open_close_drawer")


def apple() -> list[Any]:
    cell = "google_robot_place_apple_in_closed_top_drawer"
    family = "long_horizon_apple_in_drawer"
    arms_of = lambda name, policy: arms(policy, [cell], "", URDF_ORDER, 1)  # noqa: E731
    return printed_with_parts(family, {"put_apple_into_top_drawer": cell}, 27, arms_of, cell)


def near() -> list[Any]:
    cell = "google_robot_move_near"
    real = [published("move_near")["real"][policy] for policy in policies("move_near")]
    simulated = rates("move_near", VM, cell)
    return [
        *compared(rates("move_near", VA, cell), real),
        *(arms(policy, [cell], "", URDF_ORDER, 4) for policy in policies("move_near")),
        *compared(simulated, real),
        *ranked(simulated, real, 60),
    ]


def bridge() -> list[Any]:
    out: list[Any] = []
    for name, cell in WIDOWX.items():
        for ending, source in ((PARTIAL, "real_partial"), ("", "real")):
            real = [published("bridge_put_on")[source][name][policy] for policy in policies("bridge_put_on")]
            simulated = rates("bridge_put_on", BRIDGE, cell + ending)
            out += compared(simulated, real) + ranked(simulated, real, 24)
    return out


def golden(family: str) -> list[Any]:
    """What the original printed: values in order; Kruskal results stand in the label."""
    numbers: list[Any] = []
    for label, value in data("metrics_golden")["printed"][family]:
        if label.startswith("KruskalResult"):
            numbers.append([float(number) for number in re.findall(r"=([-+.\de]+)", label)])
        elif value is not None:
            numbers.append(list(value.values()) if isinstance(value, dict) else value)
    return numbers


def flat(values: list[Any]) -> list[float]:
    return [number for value in values for number in (value if isinstance(value, list) else [value])]


PRINTED = {
    "pick_coke_can": coke, "move_near": near, "drawer": drawer, "long_horizon_apple_in_drawer": apple, "bridge_put_on": bridge,
}  # fmt: skip


@pytest.mark.parametrize("family", PRINTED)
def test_every_number_that_the_original_printed(family: str) -> None:
    ours, theirs = PRINTED[family](), golden(family)
    assert [len(flat([v])) for v in ours] == [len(flat([v])) for v in theirs]
    assert flat(ours) == pytest.approx(flat(theirs), abs=1e-12, rel=1e-12)


def test_the_tree_is_whole() -> None:
    """As many files and successes as the golden run counted."""
    suites = {VM: policies("drawer"), VA: policies("drawer"), BRIDGE: policies("bridge_put_on")}
    records_by_run = [episodes(policy, suite)[1] for suite, names in suites.items() for policy in names]
    files = sum(len(records) for records in records_by_run)
    successes = sum(record.status == "success" for records in records_by_run for record in records.values())
    assert (files, successes) == (data("metrics_golden")["files"], data("metrics_golden")["success_files"])


def test_the_metrics_on_recorded_vectors() -> None:
    for vector in data("published_in_repo")["metric_test_vectors"]:
        assert mean_maximum_rank_violation(vector["sim"], vector["real"]) == pytest.approx(vector["mmrv"], abs=1e-12)
        assert pearson(vector["sim"], vector["real"]) == pytest.approx(vector["pearson"], abs=1e-12)


@pytest.mark.parametrize("task", data("published_in_repo")["SIMPLER_PERF"])
def test_the_metrics_on_the_published_tables(task: str) -> None:
    tables, names = data("published_in_repo"), "calc_metrics_py_results_sim_first_real_second"
    simulated, real = list(tables["SIMPLER_PERF"][task].values()), list(tables["REAL_PERF"][task].values())
    expected = tables[names][task]
    assert mean_maximum_rank_violation(simulated, real) == pytest.approx(expected["mmrv"], abs=1e-12)
    assert mean_maximum_rank_violation(real, simulated) == pytest.approx(expected["mmrv_if_arguments_swapped"], abs=1e-12)
    assert pearson(simulated, real) == pytest.approx(expected["pearson"], abs=1e-12)
