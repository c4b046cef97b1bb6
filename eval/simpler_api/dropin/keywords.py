"""Constructor keywords that change what is observed, and which of their values are built."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from eval.errors import did_you_mean
from eval.simpler_api import NotSupported
from eval.simpler_api.dropin.base_pose import MODES
from task_configs.schema.world import Robot as RobotConfig

OBS_MODES = ("rgbd", "state", "state_dict")
REWARD_MODES = (None, "normalized_dense", "dense")
"""All give 1 for success, else 0. ``sparse`` would count every step twice in the original."""
PHOTO_FOLDER = "real_inpainting/"
TWO_OBJECTS = {"source_obj_pose": 7, "target_obj_pose": 7, "tcp_to_source_obj_pos": 3}
OBJECTS: Mapping[str, dict[str, int]] = {
    "grasp": {"obj_pose": 7, "tcp_to_obj_pos": 3},
    "move_near": TWO_OBJECTS,
    "put_on": TWO_OBJECTS,
}
"""Numbers about objects in state observations, by task family."""
DEFAULTS: Mapping[str, tuple[Any, ...]] = {
    "renderer": ("sapien",),
    "render_config": (None, {}),
    "enable_shadow": (False,),
    "bg_name": (None,),
    "render_camera_cfgs": (None,),
    "enable_segmentation": (False, None),
    "rgb_always_overlay_objects": ([], ()),
    "scene_offset": (None,),
    "scene_pose": (None,),
    "scene_table_height": (0.87,),
    "asset_root": (None,),
    "scene_root": (None,),
    "model_json": (None,),
    "model_db_override": ({}, None),
}
"""Keywords of the original that are built for these values only, of which the first is its default."""


class Keywords:
    """Reads the keywords of one environment. Raises NotSupported for values that are not built."""

    def __init__(self, kwargs: Mapping[str, Any]) -> None:
        self.given = dict(kwargs)
        for key, values in DEFAULTS.items():
            self._check(key, values, values[0])
            self.given.pop(key, None)
        self.render_device = self._render_device()
        self.prepackaged = bool(kwargs.get("prepackaged_config"))
        self.obs_mode = self._obs_mode()
        self.segmentation = self._segmentation()
        self._check("reward_mode", REWARD_MODES)
        self._check("rgb_overlay_mode", ("background",), "background")
        self._check("render_mode", (None, "rgb_array", "cameras"))

    def for_spec(self) -> dict[str, Any]:
        """Keywords that fix the episode; the photo relative to the pack's ``data`` folder."""
        photo = self.given.get("rgb_overlay_path")
        return self.given | {"rgb_overlay_path": _in_pack(str(photo)) if photo and self._overlays() else None}

    def control_mode(self, config: RobotConfig) -> str:
        """The controller; checks it and the camera that a photo is laid over, which depend on the robot as well."""
        built = (config.control_mode, MODES[config.family])
        self._check("control_mode", (None, *built))
        cameras = self._overlays()
        if not self.prepackaged and any(name != config.camera.uid for name in cameras):
            raise NotSupported(f"rgb_overlay_cameras {cameras} is not built; a photo goes over {config.camera.uid} only.")
        return str(self.given.get("control_mode") or config.control_mode)

    def _overlays(self) -> list[str]:
        """Cameras that a photo is laid over; the original leaves all of them alone by default."""
        names = self.given.get("rgb_overlay_cameras") or []
        return [names] if isinstance(names, str) else list(names)

    def _render_device(self) -> str | None:
        """Text that names the device, such as ``cuda:1``; None leaves the choice to SAPIEN."""
        given = dict(self.given.pop("renderer_kwargs", None) or {})
        given.pop("offscreen_only", None)  # there is no window
        device = given.pop("device", None) or None
        if given:
            raise NotSupported(f'renderer_kwargs "{min(given)}" is not built; only device is.')
        return None if device is None else str(device)

    def _obs_mode(self) -> str:
        value = self.given.get("obs_mode", "state") or "state"
        modes = list(value) if isinstance(value, tuple | list) else [value]  # simpler_env.make gives a tuple
        if len(modes) != 1 or modes[0] not in OBS_MODES:
            raise NotSupported(f'obs_mode "{value}" is not built.{did_you_mean(str(modes[0]), OBS_MODES)}')
        return str(modes[0])

    def _segmentation(self) -> bool:
        config = self.given.get("camera_cfgs") or {}
        unknown = set(config) - {"add_segmentation"}
        if unknown:
            raise NotSupported(f'camera_cfgs "{min(unknown)}" is not built; only add_segmentation is.')
        return self.prepackaged or bool(config.get("add_segmentation", False))

    def _check(self, key: str, built: tuple[Any, ...], default: Any = None) -> None:  # noqa: ANN401  the original's keywords
        value = self.given.get(key, default)
        if value not in built:
            known = [str(choice) for choice in built if choice]
            raise NotSupported(f'{key} "{value}" is not built.{did_you_mean(str(value), known)}')


def _in_pack(path: str) -> str:
    """A photo's path as the original's scripts give it, relative to the pack's ``data`` folder."""
    place = path.rfind(PHOTO_FOLDER)
    if place < 0:
        raise NotSupported(f'rgb_overlay_path "{path}" is not built; only photos of a pack ({PHOTO_FOLDER}...) are.')
    return path[place:]
