"""The info dictionaries of ``reset`` and ``step`` with the original's keys; poses are SAPIEN poses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sapien

from eval.episode import EpisodeSpec
from eval.sim.scene import EpisodeScene
from eval.tasks.loading import load_task
from eval.tasks.sampling import TABLE_HEIGHT

SCALE = 1.0
"""No object of the original is scaled."""
OWN_KEYS = frozenset({"instruction", "is_final_subtask"})
"""Further keys of the world's info; the original has methods for them."""


def reset_info(
    spec: EpisodeSpec,
    scene: EpisodeScene,
    kwargs: Mapping[str, Any],
    photo: str | None,
    episode_id: int | None,
    drawer: str | None,
) -> dict[str, Any]:
    """The info of ``reset``.

    kwargs: constructor keywords; photo: the file given for the overlay; episode_id: of tasks that number their episodes;
    drawer: the drawer whose pose is reported.
    """
    info: dict[str, Any] = {
        "scene_name": spec.scene if kwargs.get("prepackaged_config") else kwargs.get("scene_name"),
        "scene_offset": None,
        "scene_pose": None,
        "scene_table_height": TABLE_HEIGHT,
        "urdf_version": spec.urdf_version,
        "rgb_overlay_path": photo,
        "rgb_overlay_cameras": [scene.config.camera.uid] if spec.overlay else [],
        "rgb_overlay_mode": "background",
        "disable_bad_material": spec.disable_bad_material,
    }
    base = scene.robot.articulation.root_pose.inv()
    if spec.rule.family == "grasp":
        return info | _grasp(spec, scene, base)
    if scene.cabinet is not None and spec.cabinet is not None and drawer is not None:
        return info | {
            "drawer_pose_wrt_robot_base": base * scene.cabinet.frame(drawer),
            "cabinet_pose_wrt_robot_base": base * scene.cabinet.articulation.root_pose,
            "station_name": spec.cabinet.station,
            "light_mode": spec.lighting if kwargs.get("prepackaged_config") else kwargs.get("light_mode"),
        }
    return info | _two_objects(spec, scene, base, episode_id)


def _grasp(spec: EpisodeSpec, scene: EpisodeScene, base: sapien.Pose) -> dict[str, Any]:
    target = next(item for item in spec.objects if item.role == "target")
    distractors = [item.model for item in spec.objects if item.role == "distractor"]
    return {
        "model_id": target.model,
        "model_scale": SCALE,
        "distractor_model_ids": distractors or None,
        "distractor_model_scales": [SCALE] * len(distractors) or None,
        "obj_init_pose_wrt_robot_base": base * scene.objects[target.model].pose,
        "orientation": load_task(spec.task).orientation_name(target.quat),
    }


def _two_objects(spec: EpisodeSpec, scene: EpisodeScene, base: sapien.Pose, episode_id: int | None) -> dict[str, Any]:
    movable = [item for item in spec.objects if item.role != "fixture"]
    source, target = (next(item.model for item in movable if item.role == role) for role in ("source", "goal"))
    return {
        "episode_model_ids": [item.model for item in movable],
        "episode_model_scales": [SCALE] * len(movable),
        "episode_source_obj_name": source,
        "episode_target_obj_name": target,
        "episode_source_obj_init_pose_wrt_robot_base": base * scene.objects[source].pose,
        "episode_target_obj_init_pose_wrt_robot_base": base * scene.objects[target].pose,
        "episode_id": episode_id,
    }


def step_info(info: Mapping[str, Any], opening: float | None) -> dict[str, Any]:
    """The info of ``step``; ``opening`` [m]: of the drawer that is to be opened or closed, where that is all there is."""
    step = {"elapsed_steps": info["elapsed_steps"], **{key: info[key] for key in info if key not in OWN_KEYS}}
    return step if opening is None else step | {"qpos": opening}
