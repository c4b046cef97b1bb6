"""What all verbs have in common as commands: help in sections, and an option that can be given once is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, TypeVar

import typer
from typer.core import TyperCommand

from eval.errors import UserError

Function = TypeVar("Function", bound=Callable[..., Any])


class VerbCommand(TyperCommand):
    """A verb. Its options stand under the headings that they name (``rich_help_panel``)."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401  click's or typer's own context
        """Raises UserError for an option of one value that is given twice: one of the two would be ignored."""
        if not ctx.resilient_parsing:
            _, _, order = self.make_parser(ctx).parse_args(args=[*args])
            times = Counter(parameter.name for parameter in order)
            for parameter in self.params:
                once = parameter.param_type_name == "option" and not getattr(parameter, "is_flag", False)
                if once and not parameter.multiple and times[parameter.name] > 1:
                    raise UserError(f"{parameter.opts[-1]} is given {times[parameter.name]} times; give it once.")
        rest: list[str] = super().parse_args(ctx, args)
        return rest

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401
        """Arguments first, then a section a heading, in the order in which the options are declared."""
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            entry = parameter.get_help_record(ctx)
            if entry is not None:
                default = "Arguments" if parameter.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(parameter, "rich_help_panel", None) or default, []).append(entry)
        for heading in sorted(sections, key=lambda heading: (heading != "Arguments", heading == "Options")):
            with formatter.section(heading):
                formatter.write_dl(sections[heading])


class Verbs(typer.Typer):
    """A group of verbs."""

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  those of typer
        super().__init__(**{"rich_markup_mode": None, "add_completion": False, **settings})

    def command(self, name: str | None = None, **settings: Any) -> Callable[[Function], Function]:  # noqa: ANN401
        """A verb of the group."""
        return super().command(name, **{"cls": VerbCommand, **settings})
