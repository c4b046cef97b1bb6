"""An audit as Markdown and as JSON."""

from __future__ import annotations

from typing import Any

from eval.audit.findings import Audit, Finding
from eval.audit.published_rows import PublishedCell
from eval.records.cell_tables import markdown_table
from eval.records.latex import SETTING_TITLES
from eval.records.numerals import p_value, points, span
from eval.records.titles import remarks_on

COLUMNS = [
    "question",
    "answer",
    "solved unmodified",
    "solved under the condition",
    "fall, points",
    "95 % interval",
    "p (Holm)",
    "first actions that differ",
]
PUBLISHED_COLUMNS = [
    "cell",
    "setting",
    "n",
    "published rows",
    "pairs of rows",
    "pairs that differ",
    "smallest such difference, points",
    "others not shown below the best",
]


def rows(audit: Audit) -> list[list[str]]:
    """A row a question, under ``COLUMNS``."""
    return [_row(finding) for finding in audit.findings]


def _row(finding: Finding) -> list[str]:
    fall, interval, reaction = finding.fall, finding.interval, finding.reaction
    numbers = ["", "", "", ""] if fall is None or interval is None else [
        f"{finding.successes}/{finding.n}", f"{finding.changed}/{finding.changed_n}", points(fall), span(interval),
    ]  # fmt: skip
    p = "" if finding.p is None else p_value(finding.p)
    reacts = f"{reaction.first}/{reaction.n}" if reaction is not None and reaction.n else ""
    return [finding.condition.asks, finding.verdict, *numbers, p, reacts]


def published_rows(cells: tuple[PublishedCell, ...]) -> list[list[str]]:
    """A row a published cell, under ``PUBLISHED_COLUMNS``."""
    return [
        [
            cell.title, SETTING_TITLES.get(cell.setting, cell.setting), str(cell.n), str(cell.numbers), str(len(cell.pairs)),
            str(cell.told_apart),
            "none" if cell.smallest_told is None else f"{cell.smallest_told:.1f}", str(len(cell.leaders) - 1),
        ]
        for cell in cells
    ]  # fmt: skip


def notes(audit: Audit) -> list[str]:
    """How to read it."""
    base = audit.played.runs["published"]
    repeats = {
        True: "Asked again, it gives the same first actions, so one that differs is an effect of the condition.",
        False: "Asked again, it gives other first actions, so that they differ under a condition says nothing.",
        None: "Whether it repeats itself is not known.",
    }[audit.repeats_itself]
    return [
        "Fall: success rate of the unmodified policy minus success under the condition, in percentage points.",
        "Grey image, other image and other instruction are played on the same episodes as the unmodified policy: Tango's "
        "paired interval, McNemar's exact test, Holm over the conditions. Held-out placements are other episodes: Newcombe's "
        "interval.",
        f"A condition makes no difference if the whole interval of the fall lies below {100 * audit.margin:.3g} points.",
        "The other image is the first one of another episode of the task, shown throughout.",
        repeats,
        "Success rates under a condition are no benchmark numbers. Those of the unmodified policy were measured with: "
        f"{'; '.join(remarks_on(base.header, base.plan))}.",
    ]


def markdown(audit: Audit, cells: tuple[PublishedCell, ...]) -> str:
    """As ``audit.md``."""
    lines = [f"# Audit of {_plain(audit.played.policy)}", ""]
    lines += [f"- **{f.condition.asks}** {_plain(f.sentence)}" for f in audit.findings]
    lines += ["", *markdown_table(COLUMNS, rows(audit)), ""]
    if cells:
        lines += [
            "## Published numbers that differ by more than noise",
            "",
            *markdown_table(PUBLISHED_COLUMNS, published_rows(cells)),
            "",
        ]
    return "\n".join([*lines, *(f"- {_plain(note)}" for note in notes(audit))]) + "\n"


def _plain(text: str) -> str:
    """A text from outside without what Markdown or HTML would make of it."""
    return "".join(f"\\{c}" if c in "\\`*_[]<>|#&" else c for c in " ".join(text.split()))


def to_json(audit: Audit, cells: tuple[PublishedCell, ...]) -> dict[str, Any]:
    """As ``audit.json``."""
    return {
        "policy": audit.played.policy,
        "margin": audit.margin,
        "repeats_itself": audit.repeats_itself,
        "findings": [
            {
                "condition": f.condition.name, "question": f.condition.asks, "verdict": f.verdict, "sentence": f.sentence,
                "n": f.n, "successes": f.successes, "n_then": f.changed_n, "successes_then": f.changed, "fall": f.fall,
                "interval": None if f.interval is None else list(f.interval), "p_holm": f.p,
                "first_actions_that_differ": None if f.reaction is None else f.reaction.first,
                "episodes_whose_actions_differ": None if f.reaction is None else f.reaction.any,
                "episodes_with_actions": None if f.reaction is None else f.reaction.n,
            }
            for f in audit.findings
        ],
        "runs": {name: run.path.name for name, run in audit.played.runs.items()},
        "published": [
            {
                "cell": cell.cell, "setting": cell.setting, "n": cell.n, "numbers": cell.numbers, "pairs": len(cell.pairs),
                "more_than_noise": cell.told_apart, "smallest_gap_told": cell.smallest_told, "leaders": list(cell.leaders),
            }
            for cell in cells
        ],
    }  # fmt: skip
