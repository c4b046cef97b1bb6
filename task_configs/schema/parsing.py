"""Reading data strictly: an unknown key or a wrong type becomes one line with file, place and fix."""

from __future__ import annotations

import json
import types
import typing
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from eval.errors import UserError, did_you_mean


class StrictModel(BaseModel):
    """Frozen; unknown keys and values of another type are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


Model = TypeVar("Model", bound=StrictModel)


def parse(model: type[Model], data: object, place: str) -> Model:
    """``data`` (plain lists, dicts, numbers) as ``model``. Raises UserError; ``place`` says where the data stood."""
    try:
        text = json.dumps(data, allow_nan=False, default=_plain)
    except TypeError as error:
        raise UserError(f"{place}: {error}; use plain numbers, texts and lists.") from None
    except ValueError:
        raise UserError(f"{place}: holds a number that is not finite; write plain numbers.") from None
    try:
        return model.model_validate_json(text)  # JSON mode: strict, yet a list may stand for a tuple
    except ValidationError as error:
        raise UserError(_one_line(error, model, place)) from None


def _plain(value: object) -> object:
    """NumPy's numbers and arrays, known by their method: nothing here needs NumPy."""
    tolist = getattr(value, "tolist", None)
    if callable(tolist):
        return tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _one_line(error: ValidationError, model: type[StrictModel], place: str) -> str:
    # A misspelt key is both unknown and missing: the unknown one is what helps.
    first, *rest = sorted(error.errors(), key=lambda found: found["type"] != "extra_forbidden")
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        key = str(first["loc"][-1])
        where = ".".join(str(part) for part in first["loc"][:-1])
        said = f'unknown key "{key}".{did_you_mean(key, _fields_at(model, first["loc"][:-1]))}'
    elif first["type"] == "missing":
        said = "is missing; add it."
    elif first["type"] == "too_short" and not first["input"]:
        said = "is empty; give at least one."
    else:
        message = first["msg"].removeprefix("Value error, ")
        said = f"{message[:1].lower()}{message[1:]}{_way_out(first['type'], first['input'])}"
    more = f" ({len(rest)} more like this.)" if rest else ""
    return f"{place}: {where + ': ' if where else ''}{said}{more}"


def _way_out(kind: str, found: object) -> str:
    """What was found instead, and how to write what was meant."""
    if kind == "value_error":
        return "."  # the text of a validator says it all
    got = f", got {json.dumps(found, default=str, ensure_ascii=False)[:80]}"
    if kind == "string_type" and isinstance(found, bool | int | float):
        return f"{got}; put it in quotes."
    if kind == "bool_type" and isinstance(found, str):
        return f"{got}; write true or false."
    if kind == "tuple_type" and not isinstance(found, dict | list):
        return f"{got}; write a list: [...]."
    return f"{got}."


def _fields_at(model: type[StrictModel], loc: tuple[int | str, ...]) -> list[str]:
    """Keys that the model at this place knows."""
    here: set[type[BaseModel]] = {model}
    for part in loc:
        fields = [kind.model_fields[str(part)].annotation for kind in here if str(part) in kind.model_fields]
        if fields:
            here = set().union(*(_models_in(annotation) for annotation in fields))
    return sorted(name for kind in here for name in kind.model_fields)


def _models_in(annotation: object) -> frozenset[type[BaseModel]]:
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        return frozenset({annotation} if issubclass(annotation, BaseModel) else ())
    return frozenset(model for part in typing.get_args(annotation) for model in _models_in(part))
