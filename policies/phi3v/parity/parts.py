"""Recordings that need no weights: processor, rotary tables, actions, policies, picture path."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from transformers import Phi3Config
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from policies.base import RobotName
from policies.phi3v.action_postprocessing import Gripper, world_action
from policies.phi3v.actions import CENTRES, EDGES, UNNORM_KEYS, decode, encode, read_ranges
from policies.phi3v.camera_transforms import step
from policies.phi3v.config import read_json
from policies.phi3v.image_processor import padded, prepare, token_count
from policies.phi3v.parity.checks import EXACT, PIXELS, ROTARY, Checks, stride
from policies.phi3v.tokenizer import PromptTokenizer

Replays = dict[str, Callable[[Checks], None]]
ROBOTS: Mapping[str, RobotName] = {"google_robot": "google_robot", "widowx_bridge": "widowx"}


def checkpoint_folder(folder: Path) -> Path:
    """The checkpoint that recordings without one of their own belong to: that of the first model file."""
    for path in sorted(folder.glob("model_*.json")):
        content = read_json(path)
        for key in ("checkpoint_folder", "tokenizer_folder"):
            if content.get(key):
                return folder / str(content[key])
    return folder / "checkpoint"


def load(path: Path) -> dict[str, Any]:
    """All arrays of an npz file."""
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


# ---- processor -------------------------------------------------------------------------------------------------------


def processor_part(folder: Path) -> Replays:
    """One key a picture and number of crops, and one for the prompts."""
    if not (folder / "processor.npz").is_file():
        return {}
    arrays, facts = load(folder / "processor.npz"), read_json(folder / "processor.json")
    found: Replays = {
        f"processor/{name}": partial(_compare_picture, name, fact, arrays) for name, fact in facts["images"].items()
    }
    if facts.get("prompts"):
        found["processor/prompts"] = partial(_compare_prompts, folder, facts["prompts"])
    return found


def _compare_picture(name: str, fact: dict[str, Any], arrays: dict[str, Any], checks: Checks) -> None:
    key, crops = f"processor/{name}", int(name.split("crops")[-1])
    rgb = arrays[f"{name.split('/')[0]}/rgb"]
    filled, made = padded(rgb, crops), prepare([rgb], crops)
    pixels = made.pixel_values[0].numpy()
    recorded = [*fact["image_sizes"][0], *fact["pixel_values_shape"]]
    checks.same(key, "sizes", [*made.sizes[0], *made.pixel_values.shape], recorded)
    checks.same(key, "tokens", [*made.tokens, token_count(made.sizes[0])], [*fact["num_img_tokens"], fact["from_size"]])
    checks.same(key, "padded picture (hash)", [hashlib.sha256(filled.tobytes()).hexdigest()], [fact["hd_sha256"]])
    pairs: list[tuple[Any, Any]] = [
        (pixels.min(), fact["pixel_min"]),
        (pixels.max(), fact["pixel_max"]),
        (pixels.sum(dtype=np.float64) / pixels.size, fact["pixel_sum"] / pixels.size),
    ]
    views = {"global_strided": (pixels[0], (9, 21)), "crops_strided": (pixels[1:], (48,))}
    for view, (array, known) in views.items():
        kept = arrays.get(f"{name}/{view}")
        if kept is not None:
            every = stride(array.shape[-1], kept.shape[-1], known)
            pairs.append((array[..., ::every, ::every], kept))
    if f"{name}/global_full_channel0" in arrays:
        pairs.append((pixels[0, 0], arrays[f"{name}/global_full_channel0"]))
    checks.near(key, "pixels", PIXELS, *pairs)


def _compare_prompts(folder: Path, facts: dict[str, Any], checks: Checks) -> None:
    tokenizer = PromptTokenizer(checkpoint_folder(folder))
    wrong, n = 0, 0
    for fact in facts.values():
        recorded = [number for number, times in fact["run_length_ids"] for _ in range(times)]
        pictures = -min(0, *recorded)
        made = tokenizer.encode(fact["text"], [token_count((336, 336))] * pictures)
        wrong += made != recorded or len(made) != fact["length"]
        n += 1
    checks.value("processor/prompts", "token ids", float(wrong), 0.0, "wrong prompts", n)


# ---- rotary tables ---------------------------------------------------------------------------------------------------


def rotary_part(folder: Path) -> Replays:
    """One key a set of factors."""
    if not (folder / "rotary.npz").is_file():
        return {}
    arrays = load(folder / "rotary.npz")
    names = sorted({name.split("/")[0] for name in arrays})
    return {f"rotary/{name}": partial(_compare_rotary, name, arrays) for name in names}


def _compare_rotary(name: str, arrays: dict[str, Any], checks: Checks) -> None:
    short, long = (arrays[f"{name}/{reach}_factor"].tolist() for reach in ("short", "long"))
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": short, "long_factor": long,
            "original_max_position_embeddings": 4096, "factor": 32.0}  # fmt: skip
    config = Phi3Config(
        hidden_size=2 * len(short), num_attention_heads=1, max_position_embeddings=131072,
        original_max_position_embeddings=4096, rope_parameters=rope, pad_token_id=None,
    )  # fmt: skip
    table = Phi3RotaryEmbedding(config)
    for reach in ("short", "long"):
        positions = torch.from_numpy(arrays[f"{name}/{reach}/positions"])
        cos, sin = table(torch.zeros(1), positions[None])
        checks.near(
            f"rotary/{name}", f"{reach} factors", ROTARY,
            (cos[0], arrays[f"{name}/{reach}/cos"]), (sin[0], arrays[f"{name}/{reach}/sin"]),
            (table.inv_freq, arrays[f"{name}/{reach}/inv_freq"]),
        )  # fmt: skip


# ---- actions and policies --------------------------------------------------------------------------------------------


def actions_part(folder: Path) -> Replays:
    """One key."""
    if not (folder / "actions.npz").is_file():
        return {}
    return {"actions": partial(_compare_actions, folder)}


def _compare_actions(folder: Path, checks: Checks) -> None:
    arrays, place = load(folder / "actions.npz"), checkpoint_folder(folder)
    size = PromptTokenizer(place).vocab_size
    ranges = read_ranges(place)
    checks.near("actions", "bins", EXACT, (EDGES, arrays["bins"]), (CENTRES, arrays["bin_centers"]))
    checks.same("actions", "encoded", encode(arrays["encode_values"], size), arrays["encode_ids"])
    if "encode_vectors" in arrays:  # as text and back: a space before, the end of the turn behind
        recorded = arrays["encode_vector_token_ids"][:, 1:-1]
        checks.same("actions", "encoded vectors", encode(arrays["encode_vectors"], size), recorded)
    values = decode(arrays["vectors_ids"], size)
    checks.near(
        "actions", "decoded", EXACT,
        (decode(arrays["all_ids"], size), arrays["all_ids_decoded"]), (values, arrays["vectors_normalised"]),
    )  # fmt: skip
    pairs = [(ranges[robot].unnormalise(values), arrays[f"vectors_{key}"]) for robot, key in UNNORM_KEYS.items()]
    checks.near("actions", "un-normalised", EXACT, *pairs)


def policies_part(folder: Path) -> Replays:
    """One key a run of a policy on a robot."""
    if not (folder / "policy_traces.npz").is_file():
        return {}
    arrays, facts = load(folder / "policy_traces.npz"), read_json(folder / "policy_traces.json")
    return {f"policy_traces/{name}": partial(_compare_run, name, fact, arrays) for name, fact in facts.items()}


def _compare_run(name: str, fact: dict[str, Any], arrays: dict[str, Any], checks: Checks) -> None:
    key, parts = f"policy_traces/{name}", name.split("/")
    robot, scale = ROBOTS[parts[1]], float(parts[-1].removeprefix("scale"))
    gripper, actions, states = Gripper(robot), [], []
    for t, raw in enumerate(arrays[f"{name}/raw"]):
        if t == fact.get("task_change_at"):
            gripper = Gripper(robot)
        actions.append(world_action(raw, gripper, scale))
        states.append((gripper.sticky, gripper.repeats))
    made = np.array(actions)
    checks.near(key, "translation", EXACT, (made[:, :3], arrays[f"{name}/world_vector"]), unit="m")
    checks.near(key, "rotation", EXACT, (made[:, 3:6], arrays[f"{name}/rot_axangle"]), unit="rad")
    checks.same(key, "gripper", made[:, 6:], arrays[f"{name}/gripper"])
    recorded = np.stack([arrays[f"{name}/sticky"], arrays[f"{name}/repeats"]], axis=1)
    checks.same(key, "gripper state", np.array(states, dtype=np.int64), recorded)
    checks.same(key, "terminate", np.zeros((len(made), 1)), arrays[f"{name}/terminate_episode"])
    if "prompt" in fact:
        instruction = fact["prompt"].split("robot take to ")[-1].removesuffix("?")
        words = importlib.import_module(f"policies.{parts[0]}.prompt")
        traced = {"trace": True} if "traces of" in fact["prompt"] else {}
        checks.same(key, "prompt", [words.prompt(instruction, **traced)], [fact["prompt"]])
    if "stats_key" in fact:
        checks.same(key, "statistics", [UNNORM_KEYS[robot]], [fact["stats_key"]])


# ---- picture path ----------------------------------------------------------------------------------------------------


def pictures_part(folder: Path) -> Replays:
    """One key a picture."""
    place = folder / "picture_path"
    if not (place / "stages.json").is_file():
        return {}
    names = json.loads((place / "stages.json").read_text(encoding="utf-8"))["pictures"]
    return {f"picture_path/{name}": partial(_compare_path, place, name) for name in names}


def _compare_path(place: Path, name: str, checks: Checks) -> None:
    small = step(_read(place / "source" / f"{name}.png"), 256)
    large = step(small, 336)
    for made, side, share, most in ((small, 256, 1e-5, 1.0), (large, 336, 1e-3, 5.0)):
        recorded = _read(place / f"stage{side}" / f"{name}.png")
        off = np.abs(made.astype(int) - recorded) if made.shape == recorded.shape else np.full(recorded.shape, 255)
        key = f"picture_path/{name}"
        checks.value(key, f"{side}: share of values off", float((off > 0).mean()), share, "share", off.size)
        checks.value(key, f"{side}: worst value", float(off.max()), most, "of 255", off.size)


def _read(path: Path) -> Any:
    return np.asarray(Image.open(path).convert("RGB"))
