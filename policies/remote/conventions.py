"""The table of conventions: what a family of servers is sent, and what its answers mean."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError

from eval.errors import UserError, did_you_mean
from policies.base import RobotName

TABLE = Path(__file__).with_name("conventions.yaml")
ROBOTS: tuple[RobotName, ...] = ("google_robot", "widowx")
LARGEST_SIDE = 4096

Side = Annotated[int, Field(ge=1, le=LARGEST_SIDE)]
Size = tuple[Side, Side]
"""Height and width in pixels."""
Resampling = Literal["area", "linear", "lanczos", "pad"]
Rotation = Literal["rotation_vector", "euler_xyz"]
Ensemble = Literal["cosine", "exponential", "mean"]
StateLayout = Literal[
    "pose_wxyz_opening", "pose_xyzw_opening", "pose_xyzw_closing", "bridge_rpy_opening", "bridge_rpy_pad_opening"
]


def _by_robot(value: object) -> object:
    """One value for both robots, or one each."""
    return value if isinstance(value, dict) else dict.fromkeys(ROBOTS, value)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ImageRule(_Model):
    """How the camera's image is made smaller."""

    size: Annotated[dict[RobotName, Size | None], BeforeValidator(_by_robot)] = dict.fromkeys(ROBOTS)
    resampling: Resampling = "area"


class GripperRule(_Model):
    """What the last number says, and how it becomes what a robot takes."""

    value: Literal["opening", "sign_open", "sign_closed", "raw"]
    widowx: Literal["threshold", "binary", "command"]
    google_robot: Literal["change", "change_since_switch", "position", "binary", "command"]
    held_steps: int = Field(default=15, ge=1)
    """Steps that a change of the Google Robot's gripper is repeated for."""


class EnsembleRule(_Model):
    """How answers that speak of the same step are averaged."""

    weights: Ensemble
    alpha: float = 0.1
    """Of ``cosine``; the m of ``exponential``."""
    horizon: Annotated[dict[RobotName, int | None], BeforeValidator(_by_robot)] = dict.fromkeys(ROBOTS)
    """Answers at most; None: all that reach so far."""


class Family(_Model):
    """One row of the table."""

    source: str
    image: ImageRule = ImageRule()
    motion: Literal["change", "absolute"] = "change"
    rotation: Rotation
    gripper: GripperRule
    state: dict[RobotName, StateLayout] = {}
    unnorm_key: dict[RobotName, str] = {}
    requests: dict[Literal["openpi", "http"], dict[str, JsonValue]] = {}
    answer: tuple[str, ...] = ("actions",)
    chunk: int | None = Field(default=None, ge=1)
    ensemble: EnsembleRule | None = None


@cache
def families() -> dict[str, Family]:
    """The table."""
    return {name: Family.model_validate(row) for name, row in yaml.safe_load(TABLE.read_text(encoding="utf-8")).items()}


def find_family(name: str) -> Family:
    """A row of the table, or of a user's own file. Raises UserError for what is neither."""
    if name.endswith((".yaml", ".yml")):
        return _read(Path(name).expanduser())
    if name not in families():
        raise UserError(f'There is no family "{name:.80}" of policy servers.{did_you_mean(name, families())}')
    return families()[name]


def _read(path: Path) -> Family:
    try:
        return Family.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"The family {path} cannot be read: {' '.join(str(error).split())[:200]}.") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise UserError(f"The family {path} is none: {where}: {first['msg']}. Copy a row of {TABLE.name}.") from error


def filled(template: Any, values: dict[str, Any]) -> Any:  # noqa: ANN401  JSON and arrays
    """A request: every ``$name`` becomes its value; entries of maps whose value is None are left out."""
    if isinstance(template, str) and template.startswith("$"):
        return values[template[1:]]
    if isinstance(template, dict):
        entries = {key: filled(entry, values) for key, entry in template.items()}
        return {key: entry for key, entry in entries.items() if entry is not None}
    return [filled(entry, values) for entry in template] if isinstance(template, list) else template
