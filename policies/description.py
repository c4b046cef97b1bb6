"""What a policy says of itself, as the model that a run records; policies of version 0.1 answer with a plain mapping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import JsonValue, TypeAdapter, ValidationError

from eval.errors import UserError
from policies.base import Policy, PolicyDescription
from policies.loading import one_line

OLDER_NAMES = {
    "policy": "name", "fingerprint": "weights", "checkpoint_sha256": "weights", "blake2b": "weights", "trace_preset": "preset",
}  # fmt: skip
"""What keys of a mapping were called -> field."""
PLACES_AND_COUNTERS = (
    "checkpoint", "tracker_checkpoint", "file", "path", "device", "tokens", "tokens_whose_likeliest_id_is_no_action",
    "gpu_peak_gib",
)  # fmt: skip
"""Keys of a mapping that decide nothing."""
_VALUE: TypeAdapter[JsonValue] = TypeAdapter(JsonValue)


class PolicyDescriptionError(UserError):
    """What a policy's ``describe()`` gives cannot be recorded."""


def describe_raw(policy: Policy, name: str, args: Mapping[str, str]) -> PolicyDescription:
    """What a policy says of itself, checked.

    Args:
        policy: whoever plays.
        name: what the user calls it; the name of a policy that gives itself none.
        args: the options it was made with. A policy that answers with a mapping is not expected to name them all, so
            they count among its settings, paths and devices excepted.

    Raises:
        PolicyDescriptionError: ``describe()`` raises, or gives something that cannot be recorded.
    """
    kind = f"the policy {type(policy).__qualname__}"
    try:
        answer: object = policy.describe()
    except (Exception, SystemExit) as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyDescriptionError(f"describe() of {kind} failed: {one_line(error)}") from error
    if isinstance(answer, PolicyDescription):
        return answer.model_copy(update={"settings": _json(answer.settings), "details": _json(answer.details)})
    if not isinstance(answer, Mapping):
        raise PolicyDescriptionError(
            f"describe() of {kind} gives {'None' if answer is None else f'a {type(answer).__name__}'}; return a "
            'policies.base.PolicyDescription, such as PolicyDescription(name="mine").'
        )
    given = {key: value for key, value in args.items() if key not in PLACES_AND_COUNTERS}
    try:
        return description_of(given | dict(answer), name)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        problem = f"{where}: {first['msg']}" if where else first["msg"]
        raise PolicyDescriptionError(f"describe() of {kind} cannot be recorded: {problem}.") from error
    except (TypeError, ValueError) as error:
        raise PolicyDescriptionError(f"describe() of {kind} cannot be recorded: {error}.") from error


def description_of(said: Mapping[str, object], name: str) -> PolicyDescription:
    """A mapping as a description: known keys are fields, the rest are settings.

    Raises ValueError for values that are no JSON.
    """
    fields: dict[str, object] = {"name": public_name(name)}
    settings: dict[str, JsonValue] = {}
    details: dict[str, JsonValue] = {}
    for key, value in said.items():
        field = OLDER_NAMES.get(key, key)
        if field == "tracker" and isinstance(value, Mapping):
            fields |= {"tracker": value.get("name"), "tracker_weights": value.get("sha256")}
            details["tracker"] = _json(value)
        elif field in PLACES_AND_COUNTERS:
            details[key] = _json(value)
        elif field == "seed" and isinstance(value, str):  # an option from the command line
            fields["seed"] = int(value) if value.lstrip("-").isdigit() else None
            settings |= {} if fields["seed"] is not None else {"seed": value}
        elif field == "remarks" and isinstance(value, str):
            fields[field] = (value,)
        elif field in PolicyDescription.model_fields and field not in ("settings", "details"):
            fields[field] = value
        elif field == "settings" and isinstance(value, Mapping):
            settings |= {str(inner): _json(entry) for inner, entry in value.items()}
        else:
            settings[key] = _json(value)
    return PolicyDescription.model_validate({**fields, "settings": settings, "details": details})


def _json(value: object) -> JsonValue:
    """NumPy arrays and scalars and paths as JSON values, too; NaN and infinities, which JSON lacks, as text."""
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Path) or (isinstance(value, float) and not math.isfinite(value)):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _json(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry) for entry in value]
    return _VALUE.validate_python(value)


def public_name(name: str) -> str:
    """``folder/file.py:Class`` -> ``file.py:Class``: where a policy lies does not decide its numbers."""
    place, colon, kind = name.rpartition(":")
    return f"{Path(place).name}:{kind}" if colon and place.endswith(".py") else name
