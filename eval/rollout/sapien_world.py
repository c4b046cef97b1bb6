"""The world a run plays in unless told otherwise: our own, on SAPIEN 3. Imported inside worker processes only."""

from __future__ import annotations

from eval.envs import make_world, scene_key
from eval.envs.assets import Assets

NAME = "simpler-eval's world on SAPIEN 3"
open_assets = Assets.from_option

__all__ = ["NAME", "make_world", "open_assets", "scene_key"]
