"""What a policy says of itself, as the model that a run records; policies of version 0.1 answer with a plain mapping."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import JsonValue, ValidationError

from eval.errors import UserError
from policies.base import Policy, PolicyDescription, PolicyIdentity
from policies.loading import one_line, place_of

OLDER_NAMES = {
    "policy": "name", "fingerprint": "weights", "checkpoint_sha256": "weights", "blake2b": "weights", "trace_preset": "preset",
}  # fmt: skip
"""What keys of a mapping were called -> field."""
PLACES_AND_COUNTERS = (
    "checkpoint", "tracker_checkpoint", "file", "path", "device", "tokens", "tokens_whose_likeliest_id_is_no_action",
    "gpu_peak_gib",
)  # fmt: skip
"""Keys of a mapping that decide nothing."""
PLACES_OF_WEIGHTS = ("checkpoint", "file", "path")
"""Of those, what decides something after all where a policy does not say which weights it has."""
OURS = ("policies", "eval")
"""Packages whose policies say all that decides their numbers."""
LONGEST = 1_000_000
"""Characters of a description as JSON; run.json is written anew again and again."""
LARGEST = 2**63
"""Of a whole number: JSON has no limit, but its readers do."""


class PolicyDescriptionError(UserError):
    """What a policy's ``describe()`` gives cannot be recorded."""


def describe_raw(policy: Policy, name: str, args: Mapping[str, object]) -> PolicyDescription:
    """What a policy says of itself, checked.

    Args:
        policy: whoever plays.
        name: what the user calls it; the name of a policy that gives itself none.
        args: the options it was made with. A policy is not expected to name them all, so those that it says nothing of
            count among its settings, devices excepted, and places of weights where it says which weights it has. Else a run
            of one checkpoint would be taken for that of another.

    Raises:
        PolicyDescriptionError: ``describe()`` raises, or gives something that cannot be recorded.
    """
    kind = f"the policy {type(policy).__qualname__}"
    try:
        answer: object = policy.describe()
    except KeyboardInterrupt:
        raise
    except ValidationError as error:
        raise PolicyDescriptionError(f"describe() of {kind} cannot be recorded: {_problem(error)}.") from error
    except BaseException as error:  # code of others: whatever it raises, the user wants one line
        raise PolicyDescriptionError(f"describe() of {kind} failed: {one_line(error)}{place_of(error)}") from error
    if not isinstance(answer, PolicyDescription | Mapping):
        raise PolicyDescriptionError(
            f"describe() of {kind} gives {'None' if answer is None else f'a {type(answer).__name__}'}; return a "
            'policies.base.PolicyDescription, such as PolicyDescription(name="mine").'
        )
    given = {key: value for key, value in args.items() if key not in PLACES_AND_COUNTERS}
    try:
        if isinstance(answer, PolicyDescription):
            plain = {"settings": _json(answer.settings, "settings"), "details": _json(answer.details, "details")}
            description = PolicyDescription.model_validate(vars(answer) | plain)
        else:
            description = description_of(given | dict(answer), name)
        if type(policy).__module__.partition(".")[0] not in OURS:
            description = _with_unsaid(description, args)
        text = description.model_dump_json()
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise PolicyDescriptionError(f"describe() of {kind} cannot be recorded: {_problem(error)}.") from error
    if len(text) > LONGEST:
        raise PolicyDescriptionError(
            f"describe() of {kind} gives {len(text) / 1e6:.1f} MB, too much for a run record; give a hash of it instead."
        )
    return description


def _with_unsaid(description: PolicyDescription, args: Mapping[str, object]) -> PolicyDescription:
    """The description with the options that it says nothing of. Raises ValueError for what is no JSON.

    ``details`` decide nothing, so they say nothing of weights, and paths stand for weights where those have no hash.
    """
    fields = {name for name in PolicyIdentity.model_fields if getattr(description, name) not in (None, {})}
    said, idle = {*description.settings, *fields}, {*description.details, *PLACES_AND_COUNTERS}
    unsaid = {
        name: _json(value, name)
        for name, value in args.items()
        if name not in said and (name not in idle or (description.weights is None and _is_a_place(name, value)))
    }
    return description.model_copy(update={"settings": {**description.settings, **unsaid}})


def _is_a_place(name: str, value: object) -> bool:
    """Judged by its text, which is the same on every node of a cluster."""
    return name in PLACES_OF_WEIGHTS or "/" in str(value)


def _problem(error: BaseException) -> str:
    if not isinstance(error, ValidationError):
        return "it is nested too deeply" if isinstance(error, RecursionError) else one_line(error).removeprefix("ValueError: ")
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}, not {first['input']!r:.80}" if where else str(first["msg"])


def description_of(said: Mapping[str, object], name: str) -> PolicyDescription:
    """A mapping as a description: known keys are fields, the rest are settings.

    Raises ValueError for values that are no JSON.
    """
    fields: dict[str, object] = {"name": public_name(name)}
    settings: dict[str, JsonValue] = {}
    details: dict[str, JsonValue] = {}
    for given, value in said.items():
        key = str(given)
        field = OLDER_NAMES.get(key, key)
        if field == "tracker" and isinstance(value, Mapping):
            fields |= {"tracker": value.get("name"), "tracker_weights": value.get("sha256")}
            details["tracker"] = _json(value, key)
        elif field in PLACES_AND_COUNTERS:
            details[key] = _json(value, key)
        elif field == "seed" and isinstance(value, str):  # an option from the command line
            fields["seed"] = int(value) if value.lstrip("-").isdigit() else None
            settings |= {} if fields["seed"] is not None else {"seed": value}
        elif field == "remarks" and isinstance(value, str):
            fields[field] = (value,)
        elif field in PolicyDescription.model_fields and field not in ("settings", "details"):
            fields[field] = value
        elif field == "settings" and isinstance(value, Mapping):
            settings |= {str(inner): _json(entry, f"settings.{inner}") for inner, entry in value.items()}
        else:
            settings[key] = _json(value, key)
    return PolicyDescription.model_validate({**fields, "settings": settings, "details": details})


def _json(value: object, name: str) -> JsonValue:
    """A value as JSON has it: NumPy arrays, scalars and paths, too; NaN and infinities, which JSON lacks, as text.

    Raises ValueError with ``name`` for anything else.
    """
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, Path) or (isinstance(value, float) and not math.isfinite(value)):
        value = str(value)
    if isinstance(value, str):
        if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{name} is text that is no Unicode")
        return value
    if value is None or isinstance(value, bool | float) or (isinstance(value, int) and abs(value) < LARGEST):
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(entry, f"{name}.{key}") for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_json(entry, name) for entry in value]
    what = "a number of too many digits" if isinstance(value, int) else f"a {type(value).__name__}"
    raise ValueError(f"{name} is {what}; give a number, a text, a list or a mapping of those")


def public_name(name: str) -> str:
    """``folder/file.py:Class`` -> ``file.py:Class``: where a policy lies does not decide its numbers."""
    place, colon, kind = name.rpartition(":")
    return f"{Path(place).name}:{kind}" if colon and place.endswith(".py") else name
