"""Pages made of templates: everything that enters one is escaped, and a page appears only when it is whole."""

from __future__ import annotations

import re
from functools import cache
from math import floor
from pathlib import Path

import jinja2
from markupsafe import Markup, escape

from eval.nouns import noun
from eval.records.escaping import visible
from eval.records.folder import disk_errors, write_atomically

TEMPLATES = Path(__file__).with_name("templates")


def render(template: str, **values: object) -> str:
    """A page as text, from a file in ``templates/`` that extends ``base.html``; what it uses must be given."""
    return _environment().get_template(template).render(**values)


def write_page(file: Path, template: str, **values: object) -> None:
    """Render a page into ``file``, all or nothing. Raises UserError if the disk refuses."""
    text = render(template, **values).encode(errors="replace").decode()  # a path may hold bytes that are no text
    with disk_errors(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, text)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_readable,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["shipped"] = _shipped
    environment.filters["percent"] = percent
    environment.globals["noun"] = noun
    environment.filters["breakable"] = breakable
    environment.filters["moment"] = moment
    environment.filters["typeset"] = typeset
    return environment


def _readable(value: object) -> object:
    """A text in which nothing turns the direction of what stands around it: such characters are written as escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def percent(rate: float | None, digits: int = 1) -> str:
    """``0.4567`` -> ``45.7``; an en dash where there is no rate. Whole percents have halves rounded up: 3 of 24 are ``13``."""
    if rate is None:
        return "–"
    return f"{100 * rate:.{digits}f}" if digits else str(floor(100 * rate + 0.5 + 1e-9))


def typeset(text: str) -> Markup:
    """A sentence of ours, escaped, as print has it: minus signs before numbers, and no line that breaks inside a number."""
    escaped = re.sub(r"(?<![^\s(\[])-(?=\d)", "−", str(escape(visible(text))))
    return Markup(re.sub(r"(?<=\d) (?=%)|(?<=\bp) (?=&lt;|=)|(?<=\bp =) (?=\d)|(?<=\bp &lt;) (?=\d)", "&nbsp;", escaped))


def breakable(text: str) -> Markup:
    """A name, escaped, that a narrow column breaks after an underscore, a slash or an equals sign rather than anywhere."""
    return Markup("<wbr>").join(re.findall(r"[^_/=]*[_/=]+|[^_/=]+", text))  # joining escapes each part


def moment(text: str) -> str:
    """``2026-11-28T13:47:23+00:00`` -> ``2026-11-28 13:47 UTC``; what is no such time stays as it is."""
    return re.sub(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?(?:\+00:00|Z)$", r"\1 \2 UTC", text)


def _shipped(name: str) -> Markup:
    """A style sheet or script of ours, to stand inside a page as it is."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # a file of the package, never a text of a user
