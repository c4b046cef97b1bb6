"""The world: robots, controllers, scenes, tasks and pictures on SAPIEN 3."""

from eval.envs.assets import Assets
from eval.envs.stage_set import scene_key
from eval.envs.world import World, picture_size
from eval.episode import EpisodeSpec

__all__ = ["Assets", "World", "make_world", "picture_size", "scene_key"]


def make_world(spec: EpisodeSpec, assets: Assets, render: bool = True) -> World:
    """A world that can play ``spec`` and every episode with the same ``scene_key``."""
    return World(spec, assets, render)
