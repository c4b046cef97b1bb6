"""The published numbers: each with its source, and what is known to be wrong or disputed about it."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

from eval.published.models import Disagreement, NumberRow, Published, Reference
from task_configs.schema.parsing import parse
from task_configs.schema.yaml_files import read_yaml

HERE = Path(str(resources.files("task_configs"))) / "published"


@cache
def references() -> dict[str, Reference]:
    """Sources by id."""
    path = HERE / "sources.yaml"
    return {name: parse(Reference, entry, f"{path}: {name}") for name, entry in read_yaml(path).items()}


@cache
def number_rows() -> tuple[NumberRow, ...]:
    """All rows, in the order of their sources."""
    path = HERE / "numbers.json"
    rows = json.loads(path.read_text(encoding="utf-8"))
    return tuple(parse(NumberRow, row, f"{path}: row {number}") for number, row in enumerate(rows))


@cache
def disagreements() -> dict[str, Disagreement]:
    """Known disagreements by id."""
    path = HERE / "disagreements.yaml"
    return {name: parse(Disagreement, entry, f"{path}: {name}") for name, entry in read_yaml(path).items()}


@cache
def policy_models() -> dict[str, tuple[str, ...]]:
    """Model names under which our policies were published."""
    return {name: tuple(models) for name, models in read_yaml(HERE / "policies.yaml").items()}


def published_numbers(
    cell: str, setting: str, models: tuple[str, ...] | None = None, secondary: bool = False
) -> list[Published]:
    """The numbers of a cell, or of some models; equal numbers of equal models are one, with all their sources."""
    by_number: dict[tuple[str, float, str, str], list[NumberRow]] = {}
    for row in number_rows():
        asked_for = (models is None or row.model in models) and (secondary or not row.secondary)
        if asked_for and row.setting == setting and cell in row.scores:
            key = (row.model, row.scores[cell], references()[row.source].set, row.note)
            by_number.setdefault(key, []).append(row)
    return [
        Published(
            model, percent, tuple(dict.fromkeys(row.source for row in rows)), label, note, rows[0].episodes,
            all(row.secondary for row in rows),
        )
        for (model, percent, label, note), rows in by_number.items()
    ]  # fmt: skip


def known_disagreements(cell: str, setting: str, numbers: list[Published]) -> list[Disagreement]:
    """What is disputed about these numbers of a cell."""
    models = {number.model for number in numbers}
    sources = {source for number in numbers for source in number.sources}
    return [entry for entry in disagreements().values() if entry.concerns(cell, setting, models, sources)]
