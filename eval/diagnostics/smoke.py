"""A quick end-to-end check: one episode of each robot with every demo policy that can run here, then a look at it all."""

from __future__ import annotations

import shlex
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from eval.backends.selection import OWN
from eval.diagnostics.demo import demo_rows
from eval.episode import PlacementSet
from eval.given import Text, Texts
from eval.nouns import counted
from eval.plan.suites import make_plan
from eval.records.folder import RunData, refuse_folder_of_run
from eval.records.video_frames import picture_size
from eval.records.videos import scene_path
from eval.rollout.arguments import options_of
from eval.rollout.run import Session, play

MAX_STEPS = 20
SHOWN = 4.0
"""Least spread of grey values in an image that shows anything (a blank one has 0)."""
MOVED = 0.2
"""Least mean change, of 255, between the first and the last image of a robot that moves."""


@dataclass(frozen=True)
class SmokeCheck:
    """One thing that was checked."""

    name: str
    passed: bool
    detail: str


def run_smoke(
    assets: Texts | None = None,
    out: Text | None = None,
    world: str = OWN,
    render_device: str | None = None,
    placements: PlacementSet | None = None,
) -> list[SmokeCheck]:
    """Play one short episode of each demo task per demo policy into ``out`` (default: a temporary folder) and check it.

    ``assets``, ``world`` and ``render_device``: as of ``eval.run``; ``placements``: as of ``eval.make_plan``.

    A policy whose packages are absent is left out, and a check that cannot fail says so.
    """
    if out is not None:
        refuse_folder_of_run(Path(out))
    checks = []
    with tempfile.TemporaryDirectory(prefix="simpler-eval-smoke-") as temporary:
        for row in demo_rows():
            if absent := row.absent():
                checks.append(SmokeCheck(row.policy, True, f"left out: {', '.join(absent)} not installed"))
                continue
            plan = make_plan(limit=1, max_steps=MAX_STEPS, placements=placements)
            path = Path(temporary if out is None else out) / row.policy
            wishes = {"policy_args": row.policy_args, "assets": assets, "video": "all", "world": world}
            options, _ = options_of(row.policy, {**wishes, "render_device": render_device})
            again = "simpler-eval smoke" if out is None else shlex.join(["simpler-eval", "smoke", "--out", str(out)])
            data = play(plan, options, session=Session(path.absolute(), go_on=again))  # its folder may be gone by then
            checks += [replace(check, name=f"{row.policy}: {check.name}") for check in check_run(data)]
    return checks


def check_run(data: RunData) -> list[SmokeCheck]:
    """Check records, table, videos and images of a run made with ``--video all``."""
    import pandas as pd

    errors = [record.error for record in data.records.values() if record.error]
    checks = [SmokeCheck("episodes", not errors and len(data.records) == len(data.plan), errors[0] if errors else
                         f"{len(data.records)} of {len(data.plan)} have a verdict")]  # fmt: skip
    table = pd.read_csv(data.path / "tables" / "summary.csv")
    judged = int(table.loc[table["variant"] == "all", "n"].sum())
    checks.append(SmokeCheck("table", judged == len(data.plan), f"counts {counted(judged, 'episode')}"))
    for spec in data.plan:
        record = data.record(spec.id)
        if record is None or record.video is None:
            checks.append(SmokeCheck(f"video {spec.task}", False, (record and record.video_error) or "not written"))
            continue
        frames = read_frames(data.path / record.video)
        whole = len(frames) == record.steps + 1
        checks.append(
            SmokeCheck(f"video {spec.task}", whole, f"{counted(len(frames), 'image')} of {counted(record.steps, 'step')}")
        )
        if whole:
            with Image.open(data.path / scene_path(record.video, spec)) as scene:
                height, width = picture_size(scene.height, scene.width)
            images = frames[:, :height, :width].astype(np.float64)
            shown = float(images.std(axis=(1, 2, 3)).min())
            moved = float(np.abs(images[-1] - images[0]).mean())
            detail = f"spread {shown:.1f}, change {moved:.2f} of 255"
            checks.append(SmokeCheck(f"image {spec.task}", shown >= SHOWN and moved >= MOVED, detail))
    return checks


def read_frames(path: Path) -> np.ndarray:
    """All images of a video, (T, H, W, 3) BGR; empty if it cannot be opened."""
    film, frames = cv2.VideoCapture(str(path)), []
    while (read := film.read())[0]:
        frames.append(read[1])
    film.release()
    return np.array(frames)
