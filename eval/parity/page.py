"""A parity report as one HTML page that needs no other file."""

from __future__ import annotations

import base64
from itertools import groupby
from pathlib import Path

import jinja2

from eval.errors import UserError
from eval.parity.recordings.comparison_images import AMPLIFIED
from eval.parity.report import ParityReport
from eval.records.provenance import provenance

TEMPLATE = Path(__file__).with_name("page.html")


def prepare_page(file: Path) -> None:
    """Report before a long comparison that its page could not be written. Raises UserError."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        existed = file.exists()
        with file.open("a"):
            pass
        if not existed:  # nor is an empty page left where the comparison fails
            file.unlink()
    except OSError as error:
        raise UserError(f"Cannot write the page {file}: {error.strerror}; choose another --html.") from None


def write_page(report: ParityReport, file: Path, title: str) -> None:
    """Write all checks, notes and images; ``title`` says what was compared."""
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data"] = lambda jpeg: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    origin = provenance()
    page = environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        title=title,
        report=report,
        missed=[check for check in report.checks if not check.passed],
        pairs=[(key, list(pairs)) for key, pairs in groupby(report.images, key=lambda pair: pair.key)],
        amplified=AMPLIFIED,
        origin=origin,
        started=f"{origin.started[:16].replace('T', ' ')} UTC",
        git=origin.git,
    )
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UserError(f"Cannot write the page {file}: {error.strerror}; choose another --html.") from None
