"""Images as recorded: RGB renders, ids per pixel, and the policy's input."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from eval.episode import EpisodeSpec
from eval.plan.suites import make_plan
from eval.simpler_api import NotSupported, SeedChain, spec_from_reset
from eval.tasks.loading import task_names

Image = NDArray[np.uint8]


def read_rgb(path: Path) -> Image:
    """(H, W, 3)."""
    return np.asarray(Pillow.open(path).convert("RGB"))


def raw_and_ids(state_file: Path) -> tuple[Image, NDArray[np.int64]]:
    """Render before the overlay (H, W, 3), and actor or link id per pixel (H, W), of a frame's ``fN.json``."""
    base = str(state_file.with_suffix(""))
    return read_rgb(Path(base + ".raw.webp")), np.asarray(Pillow.open(base + ".seg.png")).astype(np.int64)


def recorded_policy_image(folder: Path, state_file: Path) -> Image:
    """(H, W, 3) the policy's input: the render, with the photo wherever no foreground is seen."""
    state = json.loads(state_file.read_text())
    raw, ids = raw_and_ids(state_file)
    if not state["overlay"]:
        return raw
    photo = read_rgb((folder / state["overlay"]["overlay_u8"]).with_suffix(".webp"))
    foreground = np.isin(ids, state["foreground_ids"])
    return np.where(foreground[..., None], raw, photo)


def recorded_spec(state: Mapping[str, Any]) -> EpisodeSpec:
    """The episode whose scene was recorded; poses are set afterwards."""
    requested = state["spec"]
    if "prepackaged" in requested:
        if requested["prepackaged"] not in task_names():
            raise NotSupported(f"the task {requested['prepackaged']} is not built")
        spec = make_plan(tasks=[requested["prepackaged"]], setting="prepackaged", seed=state["seed"], limit=1)[0]
    else:
        kwargs = {**(requested.get("env_kwargs") or {}), "scene_name": requested["scene_name"]}
        if "robot" in requested:
            kwargs["robot"] = requested["robot"]
        if requested.get("overlay"):
            kwargs["rgb_overlay_path"] = f"real_inpainting/{requested['overlay']}"
        spec = spec_from_reset(requested["env"], kwargs, state["seed"], dict(state["reset_options"] or {}), SeedChain())
    shader = "rt" if state["renderer"]["shader_dir"] == "rt" else "default"
    return spec.model_copy(update={"urdf_version": state["urdf_version"] or "", "shader": shader})
