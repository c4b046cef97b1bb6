"""``parity images``: images rendered again from recorded states, against the original's.

A folder of frames holds ``frames/KEY/f0.json`` (complete state), ``.raw.webp`` (render before the overlay), ``.seg.png``
(ids per pixel), and for some ``.policy.webp``; ``overlay_u8/`` holds the photos as they end up in the policy's image.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import sapien
from numpy.typing import NDArray

from eval.assets.resolver import Assets
from eval.backends.render_devices import find_render_device
from eval.episode import DRAWERS, EpisodeSpec
from eval.errors import UserError, did_you_mean
from eval.parity.recordings.comparison_images import difference, image_pair
from eval.parity.recordings.recorded_images import raw_and_ids, recorded_policy_image, recorded_spec
from eval.parity.report import Check, ImagePair, ParityReport, select
from eval.sim import ray_tracing
from eval.sim.objects import body_of
from eval.sim.scene import EpisodeScene
from eval.sim.settling import Settled
from eval.sim.world import World, image_size
from eval.simpler_api import NotSupported

SMALL_GROUP = 200
"""pixels; smaller objects are not judged by overlap."""
ROBOT, CABINET = "robot", "cabinet"
TRACED = "_rt"
UNDENOISED = "trace:none"
BLURRED_LIMIT, PARTS_LIMIT = 1.0, 2.0
"""Of traced images, of 255."""
FAST_MARGIN = 0.3
"""Of 255: by how much a closed room in fast mode may be further from the recording than the same room traced as it was."""
MODES = (ray_tracing.TRACE, ray_tracing.FAST)
SAME_RENDERER, OTHER_RENDERER = (1e-3, 0.5, 0.1), (1e-2, 1.0, 0.2)
"""Limits of overlap, foreground and policy image. The recordings were rendered on a CPU; a GPU rounds otherwise at edges."""
BLUR = 9
"""pixels, side of the box that noise is averaged over."""


@dataclass
class _Worst:
    overlap: float = 0.0
    foreground: float = 0.0
    policy: float = 0.0
    frames: int = 0
    blurred: float = 0.0
    """Traced frames: foreground after a blur, since single pixels are noise."""
    parts: float = 0.0
    """Traced frames: mean colour of a group, the worst channel."""
    pairs: list[ImagePair] = field(default_factory=list)


def compare_images(
    folder: Path,
    only: Sequence[str] = (),
    assets: str | None = None,
    render_device: str | None = None,
    rt: str = ray_tracing.TRACE,
) -> ParityReport:
    """Render every selected key again; ``only``: name patterns, ``assets`` and ``render_device``: as for ``run``.

    Ray-traced keys (their names end in ``_rt``) are traced with the original's samples and without a denoiser, as they
    were recorded. On a CPU that takes minutes a frame, so there only a pattern that ends in ``_rt`` selects them. With ``rt``
    "fast" they are rendered as ``--rt fast`` renders them and held to the same limits, but closed rooms (where no photo
    covers the stage) to ``FAST_MARGIN`` more than what the same frames have traced.

    Raises UserError if there is nothing to compare, another ``rt`` is asked for, or "fast" is not possible here.
    """
    if rt not in MODES:
        raise UserError(f'--rt cannot be "{rt}" here; use trace (as recorded) or fast.{did_you_mean(rt, MODES)}')
    redrawn = Redrawn(folder, only, assets, render_device, rt)
    limits = SAME_RENDERER if redrawn.on_cpu else OTHER_RENDERER
    checks: list[Check] = []
    pairs: list[ImagePair] = []
    for key in redrawn.keys:
        worst, plain = _Worst(), _Worst()
        try:
            for file in redrawn.files(key):
                state = json.loads(file.read_text())
                spec = recorded_spec(state)
                _compare(redrawn.world, spec, state, file, folder, worst)
                if redrawn.as_recorded is not redrawn.world and key.endswith(TRACED) and spec.overlay is None:
                    _compare(redrawn.as_recorded, spec, state, file, folder, plain)
            pairs += worst.pairs
        except NotSupported:
            checks.append(Check(key, "supported", 1.0, 0.0, "unsupported", 1))
            continue
        if key.endswith(TRACED):
            blurred = plain.blurred + FAST_MARGIN if plain.frames else BLURRED_LIMIT
            checks += [
                Check(key, "segmentation: overlap missing in the worst group", worst.overlap, 1e-2, "1 - IoU", worst.frames),
                Check(key, "foreground after a 9x9 blur", worst.blurred, blurred, "of 255", worst.frames),
                Check(key, "mean colour of the worst group", worst.parts, PARTS_LIMIT, "of 255", worst.frames),
            ]
            continue
        checks += [
            Check(key, "segmentation: overlap missing in the worst group", worst.overlap, limits[0], "1 - IoU", worst.frames),
            Check(key, "foreground before the overlay", worst.foreground, limits[1], "of 255", worst.frames),
            Check(key, "policy picture", worst.policy, limits[2], "of 255", worst.frames),
        ]
    return ParityReport(tuple(checks), redrawn.notes, tuple(pairs))


class Redrawn:
    """The selected keys of a folder, and the world that draws their states. Arguments: as of :func:`compare_images`."""

    def __init__(
        self,
        folder: Path,
        only: Sequence[str],
        assets: str | None,
        render_device: str | None,
        rt: str = ray_tracing.TRACE,
    ) -> None:
        """Raises UserError for a folder without frames, a pattern that nothing matches, missing assets, a way that is not
        possible here or concerns no key.
        """
        if not (folder / "frames").is_dir():
            raise UserError(f"{folder} holds no frames/. Give a folder of recorded images.")
        self._folder = folder
        self.keys = select((path.name for path in (folder / "frames").iterdir() if path.is_dir()), only)
        files = Assets.from_option(assets)
        self.notes: tuple[str, ...] = ()
        """What is left out, and why."""
        device = None if render_device is None else find_render_device(render_device).handle
        self.on_cpu = ray_tracing.choose("auto", device) == ray_tracing.RASTER
        slow = [key for key in self.keys if key.endswith(TRACED)]
        if slow and not any(pattern.endswith(TRACED) for pattern in only) and self.on_cpu:
            left_out = f"{len(slow)} ray-traced keys are left out, minutes a frame on a CPU"
            self.notes = (f"{left_out}; --only '*{TRACED}' renders them.",)
            self.keys = [key for key in self.keys if key not in slow]
        if rt == ray_tracing.FAST and not any(key.endswith(TRACED) for key in self.keys):
            raise UserError(f"--rt fast has no effect: no key that is compared is ray traced (their names end in {TRACED}).")
        self.world = self.as_recorded = World(files, rendering=UNDENOISED, device=device)
        if rt == ray_tracing.FAST:
            self.world = World(files, rendering=ray_tracing.choose(rt, device), device=device)

    def files(self, key: str) -> list[Path]:
        """The states of a key, in their order."""
        return sorted((self._folder / "frames" / key).glob("f*.json"))


def show(world: World, spec: EpisodeSpec, state: Mapping[str, Any]) -> EpisodeScene:
    """Put a recorded state into the world; what its camera takes next is the image of it."""
    actors = {actor["name"]: actor["pose"] for actor in state["actors"]}
    at_rest = [
        Settled(_pose(actors[o.model]), np.zeros(6, dtype=np.float32), False, float(actors[o.model]["p"][2]))
        for o in spec.objects
    ]
    world.begin(spec, at_rest)
    _put(world.scene, state, actors)
    return world.scene


def _compare(world: World, spec: EpisodeSpec, state: Mapping[str, Any], file: Path, folder: Path, worst: _Worst) -> None:
    scene = show(world, spec, state)
    if scene.camera is None:
        raise RuntimeError("the world renders nothing")
    raw, ids = scene.camera.raw()
    own = np.empty((*image_size(spec), 3), dtype=np.uint8)
    scene.camera.take(own)
    recorded, recorded_ids = raw_and_ids(file)
    foreground = np.isin(recorded_ids, state["foreground_ids"])
    groups = _groups(state)
    for group, members in groups.items():
        theirs = np.isin(recorded_ids, members)
        ours = np.isin(ids, _own_ids(scene, group))
        if theirs.sum() >= SMALL_GROUP:
            worst.overlap = max(worst.overlap, 1.0 - float((theirs & ours).sum() / (theirs | ours).sum()))
            apart = np.abs(raw[theirs].mean(axis=0) - recorded[theirs].mean(axis=0)).max()
            worst.parts = max(worst.parts, float(apart))
    policy = recorded_policy_image(folder, file)
    worst.foreground = max(worst.foreground, difference(raw[foreground], recorded[foreground]))
    soft = [cv2.blur(image.astype(np.float32), (BLUR, BLUR))[foreground] for image in (raw, recorded)]
    worst.blurred = max(worst.blurred, float(np.abs(soft[0] - soft[1]).mean()))
    worst.policy = max(worst.policy, difference(own, policy))
    worst.pairs.append(image_pair(file.parent.name, file.stem, own, policy))
    worst.frames += 1


def _put(scene: EpisodeScene, state: Mapping[str, Any], actors: Mapping[str, Any]) -> None:
    """Robot, cabinet and objects exactly as recorded."""
    recorded = next(a for a in state["articulations"] if a["is_robot"])
    by_name = dict(zip(recorded["joint_names"], recorded["qpos"], strict=True))
    root = recorded["root_pose"]
    scene.robot.set_root(sapien.Pose(root["p"], root["q_wxyz"]))
    scene.robot.set_state([by_name[name] for name in scene.robot.joint_names])
    if scene.cabinet is not None:
        cabinet = next(a for a in state["articulations"] if a["name"] == CABINET)
        openings = dict(zip(cabinet["joint_names"], cabinet["qpos"], strict=True))
        scene.cabinet.set_state([openings[f"{drawer}_drawer_joint"] for drawer in DRAWERS])
    for name, entity in scene.objects.items():
        entity.pose = sapien.Pose(actors[name]["p"], actors[name]["q_wxyz"])
        body_of(entity).linear_velocity = [0.0, 0.0, 0.0]


def _groups(state: Mapping[str, Any]) -> dict[str, list[int]]:
    """Ids of the recording by group: the robot, the cabinet, and each actor that the photo does not cover."""
    groups = {ROBOT if a["is_robot"] else CABINET: [link["id"] for link in a["links"]] for a in state["articulations"]}
    groups |= {actor["name"]: [actor["id"]] for actor in state["actors"] if actor["foreground"]}
    return groups


def _own_ids(scene: EpisodeScene, group: str) -> list[int]:
    if group == ROBOT:
        return [int(link.entity.per_scene_id) for link in scene.robot.links.values()]
    if group == CABINET and scene.cabinet is not None:
        return [int(link.entity.per_scene_id) for link in scene.cabinet.links.values()]
    return [int(scene.objects[group].per_scene_id)]


def _pose(pose: Mapping[str, Any]) -> NDArray[np.float32]:
    return np.array([*pose["p"], *pose["q_wxyz"]], dtype=np.float32)
