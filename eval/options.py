"""What option models share: when an option has an effect, and one line for what has none or cannot be used.

An option that was given is used or refused. Its values are constrained by its field, where it plays no part beside other
options is declared beside the fields (``rules``), and both are answered here, for the command line and for Python alike.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from pydantic import ValidationError

from eval.errors import UserError, did_you_mean
from task_configs.schema.parsing import StrictModel

Shown = Callable[[str], str]
"""Name of an option -> how the user writes it."""


@dataclass(frozen=True)
class Needs:
    """``option`` has an effect only beside one of ``others``."""

    option: str
    others: tuple[str, ...]
    why: str

    def problem(self, given: Collection[str], shown: Shown, silent: Collection[str]) -> str | None:
        """One line if the option was given in vain."""
        if self.option not in given or any(other in given or other in silent for other in self.others):
            return None
        return f"{shown(self.option)} has no effect without {' or '.join(map(shown, self.others))}: {self.why}."


@dataclass(frozen=True)
class Excludes:
    """Beside ``option``, none of ``others`` has an effect."""

    option: str
    others: tuple[str, ...]
    why: str

    def problem(self, given: Collection[str], shown: Shown, silent: Collection[str]) -> str | None:
        """One line if one of the others was given in vain."""
        idle = [shown(other) for other in self.others if other in given]
        if self.option not in given or not idle:
            return None
        has, it = ("has", "it") if len(idle) == 1 else ("have", "them")
        return f"{', '.join(idle)} {has} no effect with {shown(self.option)}: {self.why}; leave {it} out."


Rule = Needs | Excludes


class Options(StrictModel):
    """Options as one object: the same for the command line, the Python functions and the record."""

    rules: ClassVar[tuple[Rule, ...]] = ()


Model = TypeVar("Model", bound=StrictModel)


def read_options(model: type[Model], given: Mapping[str, object], shown: Shown = str) -> Model:
    """The options that were given as ``model``. Raises UserError, one line, for a value that cannot be used."""
    try:
        return model.model_validate_json(json.dumps(given))  # JSON mode: strict, yet a list may stand for a tuple
    except TypeError:
        name, value = next((item for item in given.items() if not _is_plain(item[1])), ("options", given))
        raise UserError(f"{shown(name)} is {_said(value)}; use plain numbers, texts and lists.") from None
    except ValidationError as error:
        raise UserError(_about_value(model, error, given, shown)) from None


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except TypeError:
        return False
    return True


def _said(value: object) -> str:
    """A value in a message, such that ``"3"`` is not taken for 3, nor an empty text for nothing."""
    if isinstance(value, float):
        return str(_short(value))
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)[:80]


def refuse_idle(rules: Iterable[Rule], given: Collection[str], shown: Shown = str, silent: Collection[str] = ()) -> None:
    """Raises UserError for the first option that has no effect beside what else was given.

    Args:
        rules: when options have an effect.
        given: options that were given.
        shown: how they are written.
        silent: options that have a value without having been given, as by an environment variable: never refused.
    """
    for rule in rules:
        if problem := rule.problem(given, shown, silent):
            raise UserError(problem)


def _short(number: float) -> float | str:
    """As the user may have written it: 3 instead of 3.0, but never another number."""
    return f"{number:g}" if float(f"{number:g}") == number or number != number else number


def _about_value(model: type[StrictModel], error: ValidationError, given: Mapping[str, object], shown: Shown) -> str:
    first: Any = error.errors()[0]
    if not first["loc"]:
        return f"options: {first['msg'].removeprefix('Value error, ')}."
    name, kind = str(first["loc"][0]), first["type"]
    limits = {key: f"{limit:g}" if isinstance(limit, float) else limit for key, limit in first.get("ctx", {}).items()}
    if kind == "extra_forbidden":
        return f'There is no option "{name}".{did_you_mean(name, model.model_fields)}'
    value = given.get(name)
    if kind == "literal_error":
        choices = limits["expected"].replace("'", "")
        return f'{shown(name)} cannot be "{value}"; use {choices}.'
    said = {
        "greater_than_equal": "must be at least {ge}",
        "greater_than": "must be more than {gt}",
        "less_than_equal": "must be at most {le}",
        "less_than": "must be less than {lt}",
        "finite_number": "must be a finite number",
        "string_too_short": "must not be empty",
    }.get(kind, "").format(**limits)  # fmt: skip
    message = first["msg"].removeprefix("Value error, ")
    return (
        f"{shown(name)} is {_said(value)}; it {said}."
        if said
        else f"{shown(name)}: {message[:1].lower()}{message[1:]}, got {_said(value)}."
    )
