"""The success table of a run: one row a variant, one total a task and setting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eval.episode import EpisodeSpec
from eval.records.folder import RunData, write_atomically
from eval.records.results import EpisodeRecord
from eval.records.stats import wilson

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ["task", "setting", "variant", "n", "successes", "rate", "low", "high", "errored", "missing"]
TOTAL = "all"


def summary(plan: Sequence[EpisodeSpec], records: Mapping[str, EpisodeRecord], partial: bool = False) -> pd.DataFrame:
    """Count successes over the plan; columns as in ``COLUMNS``.

    ``n`` counts episodes with a verdict; ``rate`` is successes / n in 0..1, ``low`` and ``high`` its 95 % Wilson
    interval. ``errored`` and ``missing`` episodes are in neither. A total (variant ``all``) with errored or missing
    episodes has no rate unless ``partial``.
    """
    import pandas as pd  # here, because every worker process imports what the command imports

    groups: dict[tuple[str, str], dict[str, list[str]]] = {}
    for spec in plan:
        groups.setdefault((spec.task, spec.setting), {}).setdefault(spec.variant, []).append(spec.id)
    rows = []
    for (task, setting), variants in groups.items():
        for variant, ids in variants.items():
            rows.append({"task": task, "setting": setting, "variant": variant, **_count(ids, records, True)})
        everything = [i for ids in variants.values() for i in ids]
        rows.append({"task": task, "setting": setting, "variant": TOTAL, **_count(everything, records, partial)})
    return pd.DataFrame(rows, columns=COLUMNS)


def _count(ids: Sequence[str], records: Mapping[str, EpisodeRecord], partial: bool) -> dict[str, Any]:
    found = [records[i].status for i in ids if i in records]
    successes, errored = found.count("success"), found.count("errored")
    n, missing = len(found) - errored, len(ids) - len(found)
    row: dict[str, Any] = {"n": n, "successes": successes, "rate": None, "low": None, "high": None}
    if n and (partial or not (errored or missing)):
        low, high = wilson(successes, n)
        row |= {"rate": successes / n, "low": low, "high": high}
    return row | {"errored": errored, "missing": missing}


def title(header: Mapping[str, Any]) -> str:
    """What a table must say of itself: the policy with its own remarks, the world, and whether any file was a stand-in."""
    policy = header.get("identity", {}).get("policy", "?")
    remarks = header.get("policy", {}).get("remarks") or ()
    if remarks:
        policy += f" ({', '.join(remarks)})"
    world = header.get("world", {})
    standins = (world.get("assets") or {}).get("standins")
    if standins:
        number = len(standins) if isinstance(standins, (list, dict)) else standins
        files = f"STAND-INS for {number} asset files: not comparable with published numbers"
    elif standins is None:
        files = "assets not recorded"
    else:
        files = "original assets"
    return f"{policy} in {world.get('name', 'an unrecorded world')} ({files})"


def markdown(table: pd.DataFrame, heading: str) -> str:
    """The table as a GitHub table under its title."""
    shown = table.astype(object).where(table.notna(), "")
    for column in ("rate", "low", "high"):
        shown[column] = [f"{value:.3f}" if value != "" else "" for value in shown[column]]
    names = list(map(str, table.columns))
    lines = [f"# {heading}", "", "| " + " | ".join(names) + " |", "|" + " --- |" * len(names)]
    lines += ["| " + " | ".join(str(value) for value in row) + " |" for row in shown.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def write_tables(run: RunData, partial: bool = False) -> pd.DataFrame:
    """Write ``tables/summary.csv`` and ``tables/summary.md`` of a run and return the table."""
    table = summary(run.plan, run.records, partial)
    folder: Path = run.path / "tables"
    folder.mkdir(exist_ok=True)
    write_atomically(folder / "summary.csv", table.to_csv(index=False))
    write_atomically(folder / "summary.md", markdown(table, title(run.header)))
    return table
