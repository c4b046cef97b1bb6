"""The world: robots, controllers, scenes, tasks and pictures on SAPIEN 3."""

from eval.envs.assets import Assets
from eval.envs.stage_set import scene_key
from eval.envs.world import World, picture_size
from eval.episode import EpisodeSpec
from eval.ray_tracing import RASTER

__all__ = ["Assets", "World", "make_world", "picture_size", "scene_key"]


def make_world(spec: EpisodeSpec, assets: Assets, render: bool = True, rt: str = RASTER) -> World:
    """A world that can play ``spec`` and every episode with the same ``scene_key``.

    ``rt``: how episodes are drawn for which the original traces rays, a choice of :mod:`eval.ray_tracing`.
    """
    return World(spec, assets, render, rt)
