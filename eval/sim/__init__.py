"""The world: robots, controllers, scenes, tasks and pictures on SAPIEN 3."""

from eval.assets.resolver import Assets
from eval.episode import EpisodeSpec
from eval.sim.ray_tracing import RASTER
from eval.sim.scene import scene_key
from eval.sim.world import World, picture_size

__all__ = ["Assets", "World", "make_world", "picture_size", "scene_key"]


def make_world(spec: EpisodeSpec, assets: Assets, render: bool = True, rt: str = RASTER) -> World:
    """A world that can play ``spec`` and every episode with the same ``scene_key``.

    ``rt``: how episodes are drawn for which the original traces rays, a choice of :mod:`eval.sim.ray_tracing`.
    """
    return World(spec, assets, render, rt)
