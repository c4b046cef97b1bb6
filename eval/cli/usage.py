"""What the parser of the command line says, in the words of this command: which option, which value, what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from eval.errors import did_you_mean

SAID = {
    r"integer": "give a whole number, such as 3",
    r"valid number|float": "give a number, such as 0.5",
    r"greater than or equal to (\S+)|>=\s*(\d+)": "it must be at least {}",
    r"less than or equal to (\S+)|<=\s*(\d+)": "it must be at most {}",
}
"""Part of what the parser says of a value -> what is said instead."""


def usage_line(error: Any, given: Sequence[str]) -> str:  # noqa: ANN401  click's or typer's own
    """One line about a command line that does not fit; ``given``: its arguments."""
    text: str = error.format_message()
    kind = type(error).__name__
    context: Any = getattr(error, "ctx", None)
    parameter: Any = getattr(error, "param", None)
    if kind == "MissingParameter" and parameter is not None:
        option = getattr(parameter, "param_type_name", "") == "option"
        name = max(parameter.opts, key=len) if option else str(parameter.name).upper()
        return f"{name} is missing. {getattr(parameter, 'help', None) or ''}"
    if unknown := re.match(r"No such command '(.*?)'", text):
        return f'There is no verb "{unknown[1]}" here.{did_you_mean(unknown[1], context.command.list_commands(context))}'
    if kind == "NoSuchOption" and getattr(context, "info_name", None) == "plan" and _is_of_run(str(error.option_name)):
        return f"{error.option_name} changes nothing of a plan; leave it out here, and give it to `run`."
    option = next((name for name in getattr(parameter, "opts", ()) if name.startswith("--")), None)
    value = _value_of(option, given) if option else None
    if more := re.search(r"unexpected extra arguments?(?:\(s\))? \((.*)\)", text):
        return f"{more[1]} is more than is asked for; `{' '.join(_verbs(context))} --help` shows what is."
    if value is not None:
        if choices := re.search(r"is not one of (.+?)\.?$", text):
            *most, last = re.findall(r"'([^']*)'", choices[1])
            return f'{option} cannot be "{value}"; use {" or ".join(filter(None, (", ".join(most), last)))}.'
        for pattern, said in SAID.items():
            if match := re.search(pattern, text):
                return f'{option} is "{value}"; {said.format(*filter(None, match.groups()))}.'
    return text


def _verbs(context: Any) -> list[str]:  # noqa: ANN401  click's
    """The command and its verbs, as they are typed: simpler-eval bench sim."""
    names: list[str] = []
    while (inner := getattr(context, "parent", None)) is not None:
        names.insert(0, context.info_name or "")
        context = inner
    return ["simpler-eval", *names]


def _is_of_run(option: str) -> bool:
    from eval.cli.options import SINGULAR, ModelOptions
    from eval.records.options import RunOptions

    names = (*RunOptions.model_fields, *ModelOptions.model_fields, "out", "resume")
    return option in {"--" + SINGULAR.get(name, name).replace("_", "-") for name in names}


def _value_of(option: str, given: Sequence[str]) -> str | None:
    for text, after in zip(given, [*given[1:], ""], strict=True):
        if text == option:
            return after
        if text.startswith(f"{option}="):
            return text.removeprefix(f"{option}=")
    return None
