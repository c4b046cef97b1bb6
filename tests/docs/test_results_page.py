"""results/README.md names every file that a run leaves, and every column of its tables."""

from __future__ import annotations

import re
from pathlib import Path

from made_up_runs import made_up_run

from eval.plan.suites import make_plan
from eval.records.tables import write_tables

PAGE = (Path(__file__).parents[2] / "results" / "README.md").read_text(encoding="utf-8")


def test_files_and_columns_are_named(tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks="widowx_carrot_on_plate", limit=2))
    write_tables(run)
    files = [path.relative_to(run.path) for path in run.path.rglob("*") if path.is_file() and path.name[0] != "."]
    assert {path.parts[0] for path in files} >= {"run.json", "plan.jsonl", "episodes.jsonl", "tables", "videos"}
    for path in files:
        named = f"`{path.parts[0]}" if path.parts[0] != "tables" else f"`tables/{path.stem}.md`"
        rows = [line for line in PAGE.splitlines() if line.startswith(f"| {named}")]
        assert rows, path
        assert path.parts[0] != "tables" or f"`{path.suffix}`" in rows[0] or path.suffix == ".md", path
    columns = {name for line in re.findall(r"^\| (`.*?`) \|", PAGE, re.MULTILINE) for name in re.findall(r"`(\w+)`", line)}
    for table in (run.path / "tables").glob("*.csv"):
        assert set(table.read_text().splitlines()[0].split(",")) <= columns
