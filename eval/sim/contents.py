"""The bodies of an episode's scene beside the robot, as plain data, the only input of settling. Loads without SAPIEN."""

from __future__ import annotations

from typing import NamedTuple

from eval.episode import EpisodeSpec, ObjectSpec


class SceneContents(NamedTuple):
    """Stage, objects and cabinet; hashable."""

    stage: str
    """Key of ``task_configs.scenes()``."""
    stage_collides: bool
    objects: tuple[ObjectSpec, ...]
    station: str | None
    """Stem of the cabinet's file; None: there is no cabinet."""
    joint_friction: float
    """Of the cabinet's drawers."""


class SettlingInputs(NamedTuple):
    """All inputs of the objects' settled states, beside the files; hashable."""

    contents: SceneContents
    sim_freq: int
    contact_offset: float
    """m."""


def contents_of(spec: EpisodeSpec) -> SceneContents:
    """The contents of the episode's scene."""
    cabinet = spec.cabinet
    return SceneContents(
        stage=spec.scene,
        stage_collides=spec.physics.stage_collides,
        objects=spec.objects,
        station=None if cabinet is None else cabinet.station,
        joint_friction=0.0 if cabinet is None else cabinet.joint_friction,
    )


def settling_inputs(spec: EpisodeSpec) -> SettlingInputs:
    """Equal for two episodes whose objects come to rest in the same way."""
    return SettlingInputs(contents_of(spec), spec.sim_freq, spec.physics.contact_offset)
