#!/usr/bin/env python
"""Writes ``tests/golden``: the part of the recordings that is small enough for the repository.

    python tools/make_golden.py RECORDINGS [TARGET]

``RECORDINGS`` is the folder that ``SIMPLER_EVAL_RECORDINGS`` names. Files are copied, or written again with fewer keys,
sequences and arrays; of rendered images only the place and size of what is seen are kept. The same recordings give the same
content. ``tests/golden/README.md`` says what every file is; it is written by hand and left alone.
"""

from __future__ import annotations

import gzip
import json
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

TARGET = Path(__file__).parents[1] / "tests" / "golden"
Arrays = dict[str, NDArray[np.generic]]
Facts = dict[str, "Json"]
Json = None | bool | int | float | str | list["Json"] | Facts

SPEC = (
    "evaluate_vectors", "metrics_golden", "objects_2_2_2", "published_in_repo", "rng_vectors", "robots_2_2_2", "sweeps",
    "tasks",
)  # fmt: skip
"""Copied whole. Hull vertices are left out: they are the shape of the original's collision meshes."""

ROBOT_KEYS = frozenset({
    "coke_base", "coke_friction_half", "coke_friction_quarter", "coke_friction_one_eighth", "coke_friction_twice",
    "coke_worse_control1", "coke_worse_control2", "coke_worse_control3", "carrot_plate", "spoon_bridge_camera",
    "eggplant_basket",
})  # fmt: skip
"""One key for each robot of ours: they keep what was read off the robot after construction."""
STATIC = ("sim_freq", "control_freq", "control_mode", "urdf_path", "joint_names", "joint_props", "link_names", "link_static")

OBSERVED_KEYS = frozenset({
    "coke_distractors_less", "near_v1", "carrot_sweep_overlay", "drawer_close_any", "place_va_station2_brighter",
})  # fmt: skip
"""One key for each family: they keep the flattened observation of every reset."""

PLAYED = {
    "coke_standing": (0, 1), "object_any": (0, 1), "near_v0": (0, 1), "drawer_open_top": (0, 1), "drawer_close_top": (0, 1),
    "place_apple_top": (0, 1), "carrot_plate": (0, 1), "spoon_towel": (0, 1), "cube_stack": (0, 1), "eggplant_basket": (0, 1),
    "near_carry": (0, 1), "place_full": (0, 1), "object_models": (0, 1),
}  # fmt: skip
"""Key -> (first sequences, sequences that end in success) that keep their actions and states; others keep resets alone."""
CHOSEN = {"arm_large": (0, 3, 6), "limits": (0, 1, 2, 3, 4, 5)}
"""Key -> sequences that are kept: all arms; all step limits."""
SUBSTEPS = 2
"""Control steps whose single physics steps are kept."""

SEQUENCE = (
    "action", "terminated", "truncated", "x.robot_qpos", "x.robot_qvel", "x.tcp", "x.actor_pose", "x.art0_qpos",
    "u.arm_target_pose_base", "sub.drive_target",
)  # fmt: skip
RESET = ("robot_qpos", "robot_base", "art0_qpos", "art0_qvel", "settle_pose", "actor_pose", "actor_vel")
NOT_NEEDED = frozenset({"actors_static", "main_seed", "model_bbox_size", "model_scale", "selected_distractor_model_scales"})

ROWS = {"fk": 40, "ik": 120, "plan_arm": 30, "plan_gripper": 30}
"""Rows that are kept of each table of ``controller``."""

PROCESSOR_IMAGES = ("pic_336x336", "pic_100x37", "pic_301x467", "pic_97x401")
MODEL_CASES = {"A": ("text_short", "text_cross_4093"), "B": ("openvla_1",)}
"""Those whose input images are synthetic: the others show photos that belong to the original's assets."""
MODEL_IMAGES = ("p3_synth_336",)
PATH_IMAGES = ("s11_synth_333x257", "s12_noise_200x200", "s13_synth_256x256")
FRAME = ("env", "seed", "reset_options", "instruction", "camera_name", "size_wh")
FRAME_SPEC = ("env", "robot", "scene_name", "sim_freq", "env_kwargs", "prepackaged", "overlay")
SMALL = 200
"""pixels; smaller objects are not kept."""
TRACE_RUNS = ("stub_few_w15", "stub_leave_w15", "stub_reset_w15", "stub_stopgo_w10", "stub_two_w10")


def main(recordings: Path, target: Path) -> None:
    """Write every file anew."""
    for part in (write_spec, write_published, write_parity, write_images, write_model, write_trace):
        part(recordings, target)
    files = [path for path in target.rglob("*") if path.is_file()]
    print(f"{target}: {len(files)} files, {sum(path.stat().st_size for path in files) / 1e6:.2f} MB")


# ---- files ---------------------------------------------------------------------------------------------------------------


def read_json(path: Path) -> Facts:
    """The object in a JSON file."""
    content: Facts = json.loads(path.read_text(encoding="utf-8"))
    return content


def write_json(path: Path, content: Json) -> None:
    """One compact line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, separators=(",", ":"), ensure_ascii=False) + "\n", encoding="utf-8")


def read_arrays(path: Path) -> Arrays:
    """All arrays of an npz file."""
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def write_arrays(path: Path, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Compressed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def copy(recordings: Path, target: Path, names: Iterable[str]) -> None:
    """Files as they are."""
    for name in names:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(recordings / name, target / name)


def listed(value: Json) -> list[Facts]:
    """A JSON list of objects."""
    assert isinstance(value, list)
    rows: list[Facts] = [row for row in value if isinstance(row, dict)]
    assert len(rows) == len(value)
    return rows


def nested(value: Json) -> Facts:
    """A JSON object."""
    assert isinstance(value, dict)
    return value


# ---- tables of the original ----------------------------------------------------------------------------------------------


def write_spec(recordings: Path, target: Path) -> None:
    """Rules, sweeps, seeds, verdicts, metrics; inverse kinematics."""
    for name in SPEC:
        write_json(target / f"simpler_spec/{name}.json", read_json(recordings / f"simpler_spec/{name}.json"))
    copy(recordings, target, ["simpler_spec/ik_reference.npz"])


def write_published(recordings: Path, target: Path) -> None:
    """The percentages that were collected, each with its source, model and setting."""
    results = listed(read_json(recordings / "research/published_numbers.json")["results"])
    kept: list[Json] = [
        {name: row[name] for name in ("source", "model", "setting", "scores_percent")}
        for row in results
        if "scores_percent" in row
    ]
    write_json(target / "research/published_numbers.json", {"results": kept})


# ---- resets and sequences ------------------------------------------------------------------------------------------------


def write_parity(recordings: Path, target: Path) -> None:
    """Every key with its resets; some with sequences."""
    source = recordings / "parity"
    for path in sorted(source.glob("*.json")):
        key = path.stem
        if not path.with_suffix(".npz").is_file():
            continue
        facts, arrays = read_json(path), read_arrays(path.with_suffix(".npz"))
        if key == "grid":
            kept = arrays
        elif key == "controller":
            facts, kept = thin_controller(facts, arrays)
        else:
            facts, kept = thin_key(key, facts, arrays)
        write_json(target / f"parity/{key}.json", facts)
        write_arrays(target / f"parity/{key}.npz", kept)


def thin_controller(facts: Facts, arrays: Arrays) -> tuple[Facts, Arrays]:
    """Evenly spaced rows of kinematics, inverse kinematics and joint paths; no gripper sequences."""
    kept = {}
    for name, array in arrays.items():
        rows = ROWS.get(name.split("/")[1].split(".")[0])
        if rows is not None:
            kept[name] = array[:: len(array) // rows][:rows]
    return facts, kept


def thin_key(key: str, facts: Facts, arrays: Arrays) -> tuple[Facts, Arrays]:
    """Resets without what no test reads; sequences as ``PLAYED`` says, numbered afresh."""
    thin = {name: value for name, value in facts.items() if name not in ("static", "construct", "resets", "sequences")}
    if key in ROBOT_KEYS:
        static = nested(facts["static"])
        thin["static"] = {name: static[name] for name in STATIC}
    kept: Arrays = {}

    def keep_reset(old: str, new: str, camera: bool) -> None:
        for name in RESET:
            if f"{old}/{name}" in arrays:
                kept[f"{new}/{name}"] = arrays[f"{old}/{name}"]
        if key in OBSERVED_KEYS and f"{old}/obs_state" in arrays:
            kept[f"{new}/obs_state"] = arrays[f"{old}/obs_state"]
        if camera:
            kept.update({f"{new}/{name[len(old) + 1 :]}": a for name, a in arrays.items() if name.startswith(f"{old}/cam.")})

    if "construct" in facts:
        thin["construct"] = thin_reset(nested(facts["construct"]))
        keep_reset("c", "c", camera=False)
    if "resets" in facts:
        resets = listed(facts["resets"])
        thin["resets"] = [thin_reset(reset) for reset in resets]
        for number in range(len(resets)):
            keep_reset(f"r{number}", f"r{number}", camera=number == 0)
    sequences = listed(facts["sequences"])
    chosen = list(CHOSEN.get(key, ())) or choose(sequences, *PLAYED.get(key, (0, 0)))
    if "resets" not in facts:  # nothing but sequences: their resets are what is recorded
        chosen = chosen or list(range(len(sequences)))
    thin["sequences"] = [{**sequences[i], "reset": thin_reset(nested(sequences[i]["reset"]))} for i in chosen]
    for new, old in enumerate(chosen):
        keep_reset(f"s{old}/t0", f"s{new}/t0", camera=False)
        for name, array in arrays.items():
            start, _, rest = name.partition("/")
            if start != f"s{old}" or not (rest in SEQUENCE or rest.startswith(("info.", "stats."))):
                continue
            kept[f"s{new}/{rest}"] = array[:SUBSTEPS] if rest.startswith("sub.") else array
    return thin, kept


def thin_reset(reset: Facts) -> Facts:
    """A reset without what no test reads."""
    return {name: value for name, value in reset.items() if name not in NOT_NEEDED}


def choose(sequences: list[Facts], first: int, successful: int) -> list[int]:
    """Numbers of the first ``first`` sequences and of ``successful`` more that end in success; the first one always."""
    if not first and not successful:
        return []
    chosen = list(range(min(max(first, 1), len(sequences))))
    good = [i for i, sequence in enumerate(sequences) if sequence["success_last"] and i not in chosen]
    return chosen + good[:successful]


# ---- images --------------------------------------------------------------------------------------------------------------


def write_images(recordings: Path, target: Path) -> None:
    """Of the first frame of every rasterised key: its specification and camera, and where robot and objects are seen."""
    frames: Facts = {}
    for path in sorted((recordings / "images/frames").glob("*/f0.json")):
        state = read_json(path)
        if nested(state["renderer"])["shader_dir"] == "rt":
            continue
        ids = np.asarray(Image.open(path.with_name("f0.seg.png")))
        requested, camera = nested(state["spec"]), nested(state["camera"])
        groups = {str(actor["name"]): ids_of([actor]) for actor in listed(state["actors"]) if actor["foreground"]}
        for articulation in listed(state["articulations"]):
            name = "robot" if articulation["is_robot"] else "cabinet"
            groups[name] = ids_of(listed(articulation["links"]))
        frame: Facts = {name: state[name] for name in FRAME}
        frame["spec"] = {name: requested[name] for name in FRAME_SPEC if name in requested}
        frame["camera"] = {name: value for name, value in camera.items() if "trinsic" in name}
        frame["seen"] = {name: place for name, numbers in groups.items() if (place := place_of(np.isin(ids, numbers)))}
        frames[path.parent.name] = frame
    write_json(target / "images/frames.json", frames)


def ids_of(rows: Iterable[Facts]) -> list[int]:
    """Segmentation ids of actors or links."""
    return [number for row in rows if isinstance(number := row["id"], int)]


def place_of(mask: NDArray[np.bool_]) -> Facts | None:
    """Number of pixels, their centre (u, v) and box (left, top, right, bottom) of a mask (H, W); None for a small one."""
    v, u = np.nonzero(mask)
    if len(u) < SMALL:
        return None
    centre: list[Json] = [round(float(u.mean()), 3), round(float(v.mean()), 3)]
    box: list[Json] = [int(u.min()), int(v.min()), int(u.max()), int(v.max())]
    return {"pixels": len(u), "centre": centre, "box": box}


# ---- policies ------------------------------------------------------------------------------------------------------------


def write_model(recordings: Path, target: Path) -> None:
    """Cases of the model with synthetic images. Weights are not kept: they follow from the seed in ``weights.json``."""
    source = recordings / "phi3v"
    for name, cases in MODEL_CASES.items():
        facts = read_json(source / f"model_{name}.json")
        every = nested(facts["cases"])
        write_json(target / f"phi3v/model_{name}.json", {**facts, "cases": {case: every[case] for case in cases}})
        keep_arrays(source, target, f"model_{name}.npz", cases)
    processor = read_json(source / "processor.json")
    images = {key: fact for key, fact in nested(processor["images"]).items() if key.split("/")[0] in PROCESSOR_IMAGES}
    write_json(target / "phi3v/processor.json", {**processor, "images": images})
    keep_arrays(source, target, "processor.npz", PROCESSOR_IMAGES)
    stages = read_json(source / "picture_path/stages.json")
    pictures = nested(stages["pictures"])
    write_json(
        target / "phi3v/picture_path/stages.json", {**stages, "pictures": {name: pictures[name] for name in PATH_IMAGES}}
    )
    folders = ("source", "stage256", "stage336")
    copy(source, target / "phi3v", [f"picture_path/{folder}/{name}.png" for folder in folders for name in PATH_IMAGES])
    copy(source, target / "phi3v", [f"model_pictures/{name}.png" for name in MODEL_IMAGES])
    copy(source, target / "phi3v", ["actions.npz", "rotary.npz", "policy_traces.npz", "policy_traces.json"])
    for folder in ("checkpoint", "checkpoint_sharded"):
        copy(source, target / "phi3v", [f"{folder}/config.json", f"{folder}/dataset_statistics.json"])
    tokenizer = (source / "checkpoint/tokenizer.json").read_bytes()
    assert tokenizer == (source / "checkpoint_sharded/tokenizer.json").read_bytes(), "one tokenizer serves both"
    (target / "phi3v/tokenizer.json.gz").write_bytes(gzip.compress(tokenizer, mtime=0))
    write_json(target / "phi3v/weights.json", {
        "checkpoint": {"seed": 20260101, "shard_bytes": None},
        "checkpoint_sharded": {"seed": 20260202, "shard_bytes": 2_200_000},
    })  # fmt: skip


def keep_arrays(source: Path, target: Path, name: str, starts: Iterable[str]) -> None:
    """Of an npz file the arrays below some names."""
    arrays = read_arrays(source / name)
    write_arrays(target / "phi3v" / name, {key: array for key, array in arrays.items() if key.split("/")[0] in starts})


def write_trace(recordings: Path, target: Path) -> None:
    """Runs of the trace processor with scripted tracks; they hold no images."""
    copy(recordings, target, [f"trace/runs/{name}.npz" for name in TRACE_RUNS])


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else TARGET)
