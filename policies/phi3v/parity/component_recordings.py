"""Recordings that need no weights: processor, rotary tables, actions, policies, image path."""

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
from numpy.typing import NDArray
from PIL import Image
from transformers import Phi3Config
from transformers.models.phi3.modeling_phi3 import Phi3RotaryEmbedding

from policies.base import RobotName
from policies.phi3v.action_postprocessing import Gripper, controller_command
from policies.phi3v.actions import CENTRES, EDGES, decode, encode
from policies.phi3v.camera_transforms import jpeg_and_resize
from policies.phi3v.config import read_json
from policies.phi3v.image_processor import ImageSettings, padded, prepare, token_count
from policies.phi3v.parity.check_list import EXACT, PIXELS, ROTARY, CheckList, stride
from policies.phi3v.statistics import UNNORM_KEYS, read_ranges
from policies.phi3v.tokenizer import PromptTokenizer

Replays = dict[str, Callable[[CheckList], None]]
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


def processor_replays(folder: Path) -> Replays:
    """One key an image and number of crops, and one for the prompts."""
    if not (folder / "processor.npz").is_file():
        return {}
    arrays, meta = load(folder / "processor.npz"), read_json(folder / "processor.json")
    replays: Replays = {
        f"processor/{name}": partial(_compare_image, name, entry, arrays) for name, entry in meta["images"].items()
    }
    if meta.get("prompts"):
        replays["processor/prompts"] = partial(_compare_prompts, folder, meta["prompts"])
    return replays


def _compare_image(name: str, entry: dict[str, Any], arrays: dict[str, Any], checks: CheckList) -> None:
    key, crops = f"processor/{name}", int(name.split("crops")[-1])
    rgb = arrays[f"{name.split('/')[0]}/rgb"]
    filled, made = padded(rgb, crops), prepare([rgb], ImageSettings(crops))
    pixels = made.pixel_values[0].numpy()
    recorded = [*entry["image_sizes"][0], *entry["pixel_values_shape"]]
    checks.same(key, "sizes", [*made.image_sizes[0], *made.pixel_values.shape], recorded)
    checks.same(key, "tokens", [*made.tokens, token_count(made.image_sizes[0])], [*entry["num_img_tokens"], entry["from_size"]])
    checks.same(key, "padded picture (hash)", [hashlib.sha256(filled.tobytes()).hexdigest()], [entry["hd_sha256"]])
    pairs: list[tuple[Any, Any]] = [
        (pixels.min(), entry["pixel_min"]),
        (pixels.max(), entry["pixel_max"]),
        (pixels.sum(dtype=np.float64) / pixels.size, entry["pixel_sum"] / pixels.size),
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


def _compare_prompts(folder: Path, meta: dict[str, Any], checks: CheckList) -> None:
    tokenizer = PromptTokenizer(checkpoint_folder(folder))
    wrong, n = 0, 0
    for entry in meta.values():
        recorded = [number for number, times in entry["run_length_ids"] for _ in range(times)]
        n_images = -min(0, *recorded)
        made = tokenizer.encode(entry["text"], [token_count((336, 336))] * n_images)
        wrong += made != recorded or len(made) != entry["length"]
        n += 1
    checks.value("processor/prompts", "token ids", float(wrong), 0.0, "wrong prompts", n)


# ---- rotary tables ---------------------------------------------------------------------------------------------------


def rotary_replays(folder: Path) -> Replays:
    """One key a set of factors."""
    if not (folder / "rotary.npz").is_file():
        return {}
    arrays = load(folder / "rotary.npz")
    names = sorted({name.split("/")[0] for name in arrays})
    return {f"rotary/{name}": partial(_compare_rotary, name, arrays) for name in names}


def _compare_rotary(name: str, arrays: dict[str, Any], checks: CheckList) -> None:
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


def actions_replays(folder: Path) -> Replays:
    """One key."""
    if not (folder / "actions.npz").is_file():
        return {}
    return {"actions": partial(_compare_actions, folder)}


def _compare_actions(folder: Path, checks: CheckList) -> None:
    arrays, place = load(folder / "actions.npz"), checkpoint_folder(folder)
    size = PromptTokenizer(place).vocab_size
    ranges = read_ranges(place).ranges
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


def policies_replays(folder: Path) -> Replays:
    """One key a run of a policy on a robot."""
    if not (folder / "policy_traces.npz").is_file():
        return {}
    arrays, meta = load(folder / "policy_traces.npz"), read_json(folder / "policy_traces.json")
    return {f"policy_traces/{name}": partial(_compare_run, name, entry, arrays) for name, entry in meta.items()}


def _compare_run(name: str, entry: dict[str, Any], arrays: dict[str, Any], checks: CheckList) -> None:
    key, parts = f"policy_traces/{name}", name.split("/")
    robot, scale = ROBOTS[parts[1]], float(parts[-1].removeprefix("scale"))
    gripper, actions, states = Gripper(robot), [], []
    for t, raw in enumerate(arrays[f"{name}/raw"]):
        if t == entry.get("task_change_at"):
            gripper = Gripper(robot)
        actions.append(controller_command(raw, gripper, scale))
        states.append((gripper.sticky, gripper.repeats))
    made = np.array(actions)
    checks.near(key, "translation", EXACT, (made[:, :3], arrays[f"{name}/world_vector"]), unit="m")
    checks.near(key, "rotation", EXACT, (made[:, 3:6], arrays[f"{name}/rot_axangle"]), unit="rad")
    checks.same(key, "gripper", made[:, 6:], arrays[f"{name}/gripper"])
    recorded = np.stack([arrays[f"{name}/sticky"], arrays[f"{name}/repeats"]], axis=1)
    checks.same(key, "gripper state", np.array(states, dtype=np.int64), recorded)
    checks.same(key, "terminate", np.zeros((len(made), 1)), arrays[f"{name}/terminate_episode"])
    if "prompt" in entry:
        instruction = entry["prompt"].split("robot take to ")[-1].removesuffix("?")
        prompts = importlib.import_module(f"policies.{parts[0]}.prompt")
        traced = {"trace": True} if "traces of" in entry["prompt"] else {}
        checks.same(key, "prompt", [prompts.make_prompt(instruction, **traced)], [entry["prompt"]])
    if "stats_key" in entry:
        checks.same(key, "statistics", [UNNORM_KEYS[robot]], [entry["stats_key"]])


# ---- image path ----------------------------------------------------------------------------------------------------


def image_path_replays(folder: Path) -> Replays:
    """One key an image."""
    place = folder / "picture_path"
    if not (place / "stages.json").is_file():
        return {}
    names = json.loads((place / "stages.json").read_text(encoding="utf-8"))["pictures"]
    return {f"picture_path/{name}": partial(_compare_path, place, name) for name in names}


def _compare_path(place: Path, name: str, checks: CheckList) -> None:
    small = jpeg_and_resize(_read(place / "source" / f"{name}.png"), 256)
    large = jpeg_and_resize(small, 336)
    for made, side, share, most in ((small, 256, 1e-5, 1.0), (large, 336, 1e-3, 5.0)):
        recorded = _read(place / f"stage{side}" / f"{name}.png")
        off = np.abs(made.astype(int) - recorded) if made.shape == recorded.shape else np.full(recorded.shape, 255)
        key = f"picture_path/{name}"
        checks.value(key, f"{side}: share of values off", float((off > 0).mean()), share, "share", off.size)
        checks.value(key, f"{side}: worst value", float(off.max()), most, "of 255", off.size)


def _read(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))
