"""The page of an audit: the answers, the numbers behind them, and what the policy saw under each condition."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from PIL import Image

from eval.audit.exports import COLUMNS, PUBLISHED_COLUMNS, markdown, notes, published_rows, rows, to_json
from eval.audit.findings import Audit
from eval.audit.playing import PICTURES, seen_under
from eval.audit.published_rows import PublishedCell
from eval.records.tables import write_files
from eval.records.titles import title
from eval.report.html import write_page

PAGE = "audit.html"
SHOWN = 3
"""Episodes whose pictures are shown."""
TONES = {"passed": "good", "failed": "bad", "unsure": "unsure", "not applicable": "quiet"}


def write_audit(folder: Path, audit: Audit, cells: tuple[PublishedCell, ...]) -> Path:
    """Write the page, ``audit.md`` and ``audit.json`` into the folder of an audit.

    Returns the page. Raises UserError if the disk refuses.
    """
    texts = {"audit.md": markdown(audit, cells), "audit.json": json.dumps(to_json(audit, cells), indent=2) + "\n"}
    write_files(folder, texts)
    base = audit.played.runs["published"]
    write_page(
        folder / PAGE,
        "audit.html",
        policy=audit.played.policy,
        findings=[(finding, TONES[finding.verdict]) for finding in audit.findings],
        columns=COLUMNS,
        rows=rows(audit),
        published_columns=PUBLISHED_COLUMNS,
        published=published_rows(cells),
        leaders=[(cell.title, cell.leaders) for cell in cells],
        notes=notes(audit),
        seen=_seen(folder, audit),
        runs=[(run.path.name, title(run.header, run.plan)) for run in audit.played.runs.values()],
        title_of_base=title(base.header, base.plan),
    )
    return folder / PAGE


def _seen(folder: Path, audit: Audit) -> list[dict[str, Any]]:
    """Of some episodes, one a task first: picture and instruction as they are and under each condition."""
    plan = audit.played.runs["published"].plan
    first = list({spec.task: spec for spec in reversed(plan)}.values())[::-1]
    chosen = [*first, *(spec for spec in plan if spec not in first)][:SHOWN]
    shown = []
    for spec in chosen:
        views = []
        for condition, file, instruction in seen_under(audit.played, spec):
            there = file is None or os.path.exists(folder / PICTURES / file)
            views.append({
                "title": condition.title, "file": f"{PICTURES}/{file}" if file and there else None,
                "grey": condition.name == "blank_picture", "instruction": instruction,
            })  # fmt: skip
        pictures = [str(view["file"]) for view in views if view["file"]]
        if pictures:
            with Image.open(folder / pictures[0]) as picture:
                shape = "{} / {}".format(*picture.size)
            shown.append({"task": spec.task, "variant": spec.variant, "index": spec.index, "views": views, "shape": shape})
    return shown
