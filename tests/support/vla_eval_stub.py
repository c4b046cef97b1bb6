"""As much of vla-eval as our benchmark class needs; the package itself is tried by tools/interop."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType, SimpleNamespace
from typing import Any


class StepBenchmark:
    def __init__(self) -> None:
        self._recorder = SimpleNamespace(record_video=lambda image: None, record_step=lambda **values: None)


@dataclass
class StepResult:
    obs: Any
    reward: float
    done: bool
    info: dict[str, Any]


@dataclass(frozen=True)
class DimSpec:
    name: str
    dims: int
    format: str
    range: tuple[float, float] | None = None
    accepts: frozenset[str] | None = None


def modules() -> dict[str, ModuleType]:
    """For ``sys.modules``."""
    base, specs = ModuleType("vla_eval.benchmarks.base"), ModuleType("vla_eval.specs")
    vars(base).update(StepBenchmark=StepBenchmark, StepResult=StepResult)
    named = {name: DimSpec(name, 0, name) for name in ("IMAGE_RGB", "LANGUAGE", "POSITION_DELTA", "RAW")}
    vars(specs).update(DimSpec=DimSpec, **named)
    packages = {name: ModuleType(name) for name in ("vla_eval", "vla_eval.benchmarks")}
    return {**packages, base.__name__: base, specs.__name__: specs}
