"""As much of LeRobot as our plug-in needs; the package itself is tried by hand (results/benchmarks/interop.md)."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar


class FeatureType(enum.Enum):
    STATE, VISUAL, ACTION = "STATE", "VISUAL", "ACTION"


@dataclass
class PolicyFeature:
    type: FeatureType
    shape: tuple[int, ...]


@dataclass
class EnvConfig:
    task: str | None = None
    fps: int = 30
    features: Any = None
    features_map: Any = None
    max_parallel_tasks: int = 1
    disable_env_checker: bool = True
    known: ClassVar[dict[str, type]] = {}

    @classmethod
    def register_subclass(cls, name: str) -> Any:
        return lambda subclass: cls.known.setdefault(name, subclass)


def modules() -> dict[str, ModuleType]:
    """For ``sys.modules``."""
    made = {
        name: ModuleType(f"lerobot{name}") for name in ("", ".configs", ".envs", ".envs.utils", ".utils", ".utils.constants")
    }
    vars(made[".configs"]).update(FeatureType=FeatureType, PolicyFeature=PolicyFeature)
    vars(made[".envs"]).update(EnvConfig=EnvConfig)
    vars(made[".envs.utils"]).update(_LazyAsyncVectorEnv=list, freeze_after_episode_end=lambda maker: maker)
    vars(made[".utils.constants"]).update(ACTION="action", OBS_STATE="observation.state")
    return {module.__name__: module for module in made.values()}
