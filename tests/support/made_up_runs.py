"""Runs of any size that nobody played: statistics, steps, errors and videos by a seed, written by the product's writer."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from eval.episode import EpisodeSpec
from eval.records.folder import RunData, RunFolder, load_run
from eval.records.header import AssetsRecord, RunHeader, WorldIdentity, WorldRecord
from eval.records.options import RunOptions
from eval.records.results import EpisodeRecord
from eval.records.videos import Film, scene_path, video_path, write_video
from eval.rollout.header import new_header
from eval.rollout.policy_calls import PolicyNeeds
from policies.base import PolicyDescription

NAMES = {
    "grasp": ("grasped", "consec_grasp", "n_lift_significant"),
    "move_near": ("moved_correct_obj", "near_tgt_obj", "is_closest_to_tgt"),
    "put_on": ("moved_correct_obj", "is_src_obj_grasped", "src_on_target"),
    "place": ("is_drawer_open", "has_contact"),
}


def made_up_run(
    out: Path,
    plan: Sequence[EpisodeSpec],
    *,
    seed: int = 0,
    rate: float = 0.5,
    filmed: bool = True,
    missing: int = 0,
    errors: Sequence[str] = (),
    policy: str = "made_up",
    outcome: str | None = "finished",
    **fields: object,
) -> RunData:
    """A finished run; the last ``missing`` episodes were not played, the first end with the ``errors``.

    ``outcome`` is that of its session; ``fields`` are put into every record.
    """
    dice = random.Random(seed)
    options = RunOptions(policy=policy, world="fake_world", video="all" if filmed else "none")
    header = new_header(plan, options, PolicyNeeds(image=True, privileged=False), WorldIdentity(name="made-up"),
                        PolicyDescription(name=policy))  # fmt: skip
    (session,) = header.sessions
    session = session.model_copy(update={"outcome": outcome})
    world = WorldRecord(name="a made-up world", assets=AssetsRecord(stand_ins=()))
    header = RunHeader.model_validate({**dict(header), "sessions": (session,), "world": world})
    with RunFolder(out, plan, header) as folder:
        for number, spec in enumerate(plan[: len(plan) - missing]):
            record = _record(spec, dice, rate)
            if number < len(errors):
                record = record.model_copy(update={"status": "errored", "success_last": False, "error": errors[number]})
            record = record.model_copy(update=fields)
            if filmed and record.status != "errored":
                record = record.model_copy(update=_filmed(out, spec, record))
            folder.append(record)
    return load_run(out)


def _record(spec: EpisodeSpec, dice: random.Random, rate: float) -> EpisodeRecord:
    good = dice.random() < rate
    ever = good or dice.random() < 0.1
    first = dice.randint(5, spec.max_steps) if ever else None
    stats: dict[str, object] = {name: good or dice.random() < 0.3 for name in NAMES.get(spec.rule.family, ())}
    if spec.cabinet is not None:
        stats["qpos"] = f"{dice.uniform(0, 0.3):.3f}"
    return EpisodeRecord(
        id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant, status="success" if good else "failure",
        success_last=good, success_any=ever, first_success_step=first, steps=first if good else spec.max_steps,
        seconds=round(dice.uniform(2, 30), 2), instruction=spec.instruction, episode_stats=stats,
    )  # fmt: skip


def _filmed(out: Path, spec: EpisodeSpec, record: EpisodeRecord) -> dict[str, str]:
    """One real video for all of them."""
    first = out / "videos" / "first.mp4"
    if not first.exists():
        frames = np.full((4, 512, 640, 3), (96, 110, 120), np.uint8)
        write_video(first, Film(spec, record, frames, [False] * 4))
        Image.fromarray(frames[0]).save(first.with_name("scene.jpg"))
    video = video_path(spec, record)
    poster = str(Path(video).with_suffix(".jpg"))
    (out / video).parent.mkdir(parents=True, exist_ok=True)
    pairs = {video: first, poster: first.with_suffix(".jpg"), scene_path(video, spec): first.with_name("scene.jpg")}
    for name, file in pairs.items():
        if not (out / name).exists():
            os.link(file, out / name)
    return {"video": video, "poster": poster}
