"""``meta/simpler_eval.json`` of a dataset: what made it. Not of LeRobot's layout, which leaves such files alone."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from eval.errors import UserError
from eval.version import VERSION

ORIGIN_FILE = "meta/simpler_eval.json"


class TraceOrigin(BaseModel):
    """What drew the traces of a dataset."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tracker: str
    """``cotracker``, or ``lucas_kanade``: optical flow."""
    tracker_weights: str | None = None
    """Hash over the content."""
    preset: str
    details: dict[str, JsonValue] = {}
    """Of the tracker."""


class DatasetOrigin(BaseModel):
    """What is known of a dataset that simpler-eval wrote or added to. A field that is added later gets a default."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str = VERSION
    """Of simpler-eval."""
    title: str | None = None
    """Of the tables of the run whose episodes it holds. None: recorded by somebody else."""
    policy: dict[str, JsonValue] | None = None
    """Identity of the policy that played, expert and disturbance included."""
    placements: tuple[str, ...] = ()
    """Sets of initial states (``eval.plan.placements``) that its episodes are of."""
    nearest_published: float | None = None
    """m, from any of its initial states to the nearest published one; None: unknown, or nothing is published."""
    test_placements: bool = False
    """Whether policies are tested on initial states that it holds: whoever trains on it must say so in every title."""
    keep: str = "all"
    """``all`` episodes, or ``successes`` alone."""
    traces: TraceOrigin | None = None
    """None: it holds no traces."""


def write_origin(root: Path, origin: DatasetOrigin) -> None:
    """Write the file of the dataset in ``root``. Raises OSError if the disk refuses."""
    path = root / ORIGIN_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(origin.model_dump_json(indent=2) + "\n")


def read_origin(root: Path) -> DatasetOrigin | None:
    """What made a dataset; None where it does not say. Raises UserError if the file is damaged."""
    path = root / ORIGIN_FILE
    if not path.is_file():
        return None
    try:
        return DatasetOrigin.model_validate_json(path.read_bytes())
    except (OSError, ValidationError) as error:
        reason = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise UserError(f"{path} is damaged ({reason}); fetch or record the dataset anew.") from error
