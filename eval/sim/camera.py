"""The policy's camera: where it is mounted, its photo overlay, its quantisation (docs/simpler.md 7, 8.1, 8.2)."""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from pathlib import Path

import cv2
import numpy as np
import sapien
from numpy.typing import NDArray

from eval.sim import fork_guard
from task_configs.schema.world import Camera

ROBOT_SPECULAR, ROBOT_ROUGHNESS = 0.9, 0.3
ID_BYTE = 4
"""First byte of a pixel's second number, the entity's id; all machines that SAPIEN runs on store it first."""


def mount_camera(entity: sapien.Entity, config: Camera) -> sapien.render.RenderCameraComponent:
    """Mount the observation camera on a link's entity. SAPIEN camera frame: x forward, y left, z up."""
    camera = sapien.render.RenderCameraComponent(config.width, config.height)
    camera.set_fovy(1.5, compute_x=True)
    camera.near, camera.far = config.near, config.far
    camera.set_focal_lengths(config.fx, config.fy)
    camera.set_principal_point(config.cx, config.cy)
    entity.add_component(camera)
    camera.local_pose = sapien.Pose(config.position, config.quat)
    return camera


def set_robot_material(links: list[sapien.Entity]) -> None:
    """The original makes every part of the robot glossy unless ``disable_bad_material`` (docs/simpler.md 8.4, Q55)."""
    for entity in links:
        body = entity.find_component_by_type(sapien.render.RenderBodyComponent)
        for shape in body.render_shapes if body is not None else ():
            for part in shape.parts:
                part.material.specular = ROBOT_SPECULAR
                part.material.roughness = ROBOT_ROUGHNESS


def load_photo(path: Path, height: int, width: int) -> NDArray[np.uint8]:
    """(H, W, 3) RGB of an overlay photo as it ends up in the policy's image.

    Resized in float64 and truncated, as the original does (docs/simpler.md 8.2); the alpha channel is
    dropped, not applied (docs/simpler.md Q61).
    """
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise OSError(f"{path} is not an image that can be read")
    scaled = cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2RGB).astype(np.float64) / 255.0, (width, height))
    return np.asarray(np.clip(scaled.astype(np.float32) * np.float32(255.0), 0, 255), dtype=np.uint8)


class PolicyCamera:
    """Renders the image that the policy sees and lays it over a photo; H, W as the camera's."""

    def __init__(
        self,
        scene: sapien.Scene,
        component: sapien.render.RenderCameraComponent,
        foreground: list[sapien.Entity],
        photo: NDArray[np.uint8] | None,
        turn: AbstractContextManager[object] | None = None,
        id_in_color: bool = False,
    ) -> None:
        """foreground: what stays visible over the photo; photo: (H, W, 3) RGB, None where the render is all; turn: what is held
        while the device draws (:mod:`eval.sim.drawing_turn`); id_in_color: see :class:`eval.sim.shaders.Shaders`.
        """
        self.scene, self.component, self._photo = scene, component, photo
        self.turn = turn or contextlib.nullcontext()
        ids = [int(entity.per_scene_id) for entity in foreground]
        self._behind = np.ones(max(256, max(ids, default=0) + 1), dtype=np.uint8)
        self._behind[ids] = 0  # 1 where the photo shows
        self._quantised = np.empty((component.height, component.width, 4), dtype=np.uint8)
        self._mask = np.empty((component.height, component.width), dtype=np.uint8)
        everything = max((int(entity.per_scene_id) for entity in scene.entities), default=0)
        self._low_byte = np.empty_like(self._mask) if everything < 256 else None
        self._id_in_color = id_in_color and self._low_byte is not None

    def take(self, out: NDArray[np.uint8]) -> None:
        """Render the present state into ``out`` (H, W, 3)."""
        fork_guard.before_rendering()
        ids = None
        with self.turn:
            self.scene.update_render()
            self.component.take_picture()
            color = self.component.get_picture("Color")
            if self._photo is not None and not self._id_in_color:
                ids = self.component.get_picture("Segmentation")
        # All four channels: contiguous memory is several times faster than every fourth number left out.
        # Truncated, not rounded (docs/simpler.md Q52).
        np.multiply(color, 255.0, out=self._quantised, casting="unsafe")
        cv2.cvtColor(self._quantised, cv2.COLOR_RGBA2RGB, dst=out)
        if self._photo is not None:
            self._find_what_lies_behind(ids)
            cv2.copyTo(self._photo, self._mask, out)

    def _find_what_lies_behind(self, ids: NDArray[np.int32] | None) -> None:
        """Fill the mask, from ids (H, W, 4) or, where colours hold them, from the quantised image."""
        if self._low_byte is None:
            assert ids is not None, "bodies beyond 255 are in no colour"
            np.take(self._behind, ids[..., 1], out=self._mask, mode="clip")
            return
        if ids is None:
            cv2.extractChannel(self._quantised, 3, self._low_byte)
        else:  # all that counts of an id is its first byte, which is found in half the time
            cv2.extractChannel(ids.view(np.uint8), ID_BYTE, self._low_byte)
        cv2.LUT(self._low_byte, self._behind, self._mask)

    def raw(self) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
        """Render before the overlay (H, W, 3) and entity ids per pixel (H, W), for comparisons."""
        with self.turn:
            self.scene.update_render()
            self.component.take_picture()
            color, ids = self.component.get_picture("Color"), self.component.get_picture("Segmentation")
        return np.clip(color[..., :3] * 255.0, 0, 255).astype(np.uint8), ids[..., 1].astype(np.int64)
