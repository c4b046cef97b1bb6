"""A comparison of policies as people read it: rows, and a Markdown page that says how its numbers came about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pydantic import JsonValue

from eval.backends.selection import ORIGINAL, OWN
from eval.nouns import counted
from eval.parity.ranking.comparison import PolicyParity
from eval.parity.ranking.families import family_of
from eval.parity.ranking.paired import Cell
from eval.records.header import GitRecord

COLUMNS = ("cell", "n", "ours %", "original %", "difference", "95 % interval", "McNemar p", "r", "MMRV", "errored", "verdict")


def heading(comparison: PolicyParity) -> str:
    """One line: verdict, ranking, and whether stand-ins were used."""
    verdict = "keeps its limits" if comparison.passed else "MISSES its limits"
    total, cells = comparison.overall, counted(len(comparison.cells), "cell")
    text = f"Parity of policies {verdict}: "
    if total.is_ranked:
        text += f"r {total.pearson:.3f}, MMRV {total.mmrv:.3f} over {len(comparison.levels)} levels and {cells}"
    else:
        low, high = total.paired.interval
        text += f"difference {100 * total.paired.difference:+.1f} points ({100 * low:+.1f} .. {100 * high:+.1f}) over {cells}"
        text += "; one level, so r and MMRV are not defined and not checked"
    worlds = [world for world in (OWN, ORIGINAL) if comparison.stand_ins[world]]
    if worlds:
        text += f"; STAND-INS in {' and '.join(worlds)}"
    if comparison.overall.paired.missing:
        text += f"; PARTIAL, {counted(comparison.overall.paired.missing, 'episode')} not played"
    return text + comparison.validity.remark


def rows(comparison: PolicyParity) -> list[list[str]]:
    """A row a cell and one for all; columns as in ``COLUMNS``, rates and differences in percent (points)."""
    return [_row(cell, comparison) for cell in (*comparison.cells, comparison.overall)]


def _row(cell: Cell, comparison: PolicyParity) -> list[str]:
    content = cell.paired.to_json()
    rates = content["rates"]
    name = cell.name + (" (stand-ins)" if any(comparison.stand_ins.values()) else "")
    failed = any(not check.passed for check in comparison.checks if check.key == cell.name)
    verdict = "MISSED" if failed else "ok"
    if not cell.levels:
        return [name, "0", *[""] * 7, str(cell.paired.errored), verdict]
    interval = f"{100 * rates['low']:+.1f} .. {100 * rates['high']:+.1f}"
    ranking = (f"{cell.pearson:.3f}", f"{cell.mmrv:.3f}") if cell.is_ranked else ("", "")
    return [
        name, str(cell.paired.n), f"{100 * rates['ours']:.1f}", f"{100 * rates['original']:.1f}",
        f"{100 * rates['difference']:+.1f}", interval, f"{rates['p']:.3f}", *ranking,
        str(cell.paired.errored), verdict,
    ]  # fmt: skip


def level_rows(comparison: PolicyParity) -> list[list[str]]:
    """Level, the mean of the cells' success rates in our world and in the original, in percent, and their difference.

    The last two columns: episodes that succeeded in our world alone, and in the original alone.
    """
    flips = Counter((e.level, e.ours == "success") for e in comparison.flipped)
    lines = []
    for level in comparison.levels:
        if level in comparison.overall.levels:
            ours, original = comparison.overall.levels[level]
            numbers = f"{100 * ours:.1f}", f"{100 * original:.1f}", f"{100 * (ours - original):+.1f}"
            lines.append([level, *numbers, str(flips[level, True]), str(flips[level, False])])
    return lines


LEVEL_COLUMNS = ("level", "ours %", "original %", "difference", "ours alone", "original alone")


def family_columns(comparison: PolicyParity) -> tuple[str, ...]:
    """``level``, and a column a family of tasks."""
    return ("level", *dict.fromkeys(family_of(cell.name)[0] for cell in comparison.cells))


def family_rows(comparison: PolicyParity) -> list[list[str]]:
    """Level, and by family of tasks the mean of its cells' success rates in our world and in the original, in percent."""
    families: dict[str, list[Cell]] = {}
    for cell in comparison.cells:
        families.setdefault(family_of(cell.name)[0], []).append(cell)
    lines = []
    for level in comparison.levels:
        rates = [[cell.levels[level] for cell in cells if level in cell.levels] for cells in families.values()]
        sides = [[100 * sum(side) / len(side) for side in zip(*pairs, strict=True)] for pairs in rates]
        lines.append([level, *(" / ".join(f"{rate:.0f}" for rate in pair) for pair in sides)])
    return lines


def markdown(comparison: PolicyParity) -> str:
    """Everything but the plot, with both worlds' records and the commands that made the runs."""
    flipped = [[e.run, e.cell, e.id, e.ours, e.original] for e in comparison.flipped]
    limits = [f"{c.key}: {c.check} {c.worst:.3f} (limit {c.limit:.3g})" for c in comparison.checks if not c.passed]
    parts = [
        f"# {heading(comparison)}",
        "",
        *(f"- {world}: {comparison.titles[world]}" for world in (OWN, ORIGINAL)),
        *(f"- MISSED {line}" for line in limits),
        "",
        *_table(COLUMNS, rows(comparison)),
        "",
        "Difference: ours minus the original, in points, of the same episodes of the same levels, all levels together; the "
        "interval is Wald's with half an episode added to each of the four outcomes (Agresti and Min 2005), p is McNemar's "
        "exact. Both take episodes for independent, though levels share placements. r (Pearson) and MMRV are over the "
        "levels' success rates, the original being what is real; for all cells, over the means of the cells' rates. "
        "Episodes that errored in a world are left out.",
        "",
        "## Levels",
        "",
        "Mean of the cells' success rates; episodes that succeeded in one world alone.",
        "",
        *_table(LEVEL_COLUMNS, level_rows(comparison)),
        "",
        "By family of tasks, ours / original, %:",
        "",
        *_table(family_columns(comparison), family_rows(comparison)),
        "",
        f"![ours against the original](parity_policies.png)\n\n## Episodes that end differently: {len(flipped)}",
        "",
        *(_table(("level and seed", "cell", "episode", "ours", "original"), flipped) if flipped else ["None."]),
        "",
        "## How it was obtained",
        "",
        *_origin(comparison),
        f"- {comparison.validity.sentence}",
    ]
    return "\n".join(parts) + "\n"


def _origin(comparison: PolicyParity) -> list[str]:
    lines = []
    for world in (OWN, ORIGINAL):
        record, sessions = comparison.origin[world].world, [session for _, session in comparison.origin[world].sessions]
        versions = ", ".join(f"{name} {_version(value)}" for name, value in (record.versions if record else {}).items())
        lines.append(f"- {world}: {record.name if record else 'not recorded'}{f' ({versions})' if versions else ''}")
        commits = dict.fromkeys(_commit(session.git) for session in sessions)
        lines.append(f"  - simpler-eval at {', '.join(commits) or 'an unrecorded commit'}")
        lines += [f"  - `{command}`" for command in dict.fromkeys(s.command for s in sessions if s.command)]
    return lines


def _version(value: JsonValue) -> str:
    if isinstance(value, dict):
        return str(value.get("commit") or value.get("version") or "unknown")
    return str(value)


def _commit(git: GitRecord | None) -> str:
    if git is None:
        return "an unrecorded commit"
    return f"{git.commit}{' with changes' if git.dirty else ''}"


def _table(columns: Iterable[str], lines: Sequence[Sequence[str]]) -> list[str]:
    head = list(columns)
    return ["| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines)]
