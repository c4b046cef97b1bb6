"""The lines of docs/exports.md that report to a tracker, with the real packages, which are fetched."""

from __future__ import annotations

import json
import re
import sqlite3
from pathlib import Path

import pytest
from page_shell import REPO, Shell, checkout, line

PAGE = "docs/exports.md"
FEW = "--max-steps 3 --workers 1 --out results/run"
pytestmark = pytest.mark.slow


def shell_with(folder: Path, tracker: str) -> Shell:
    """In it ``simpler-eval`` is of an environment with the tracker's extra, installed as the page says."""
    shell = Shell(folder, HOME=folder)
    shell.environment_here("env")
    page = (REPO / PAGE).read_text(encoding="utf-8")
    (named,) = set(re.findall(rf"'simpler-eval\[{tracker}\]'", page))
    source = checkout(folder / "source")
    shell.run(f"env/bin/pip install -q --no-build-isolation --no-deps {source}")
    shell.install(f"env/bin/pip install {named}")
    support = REPO / "tests/support"
    shell.environment |= {"PATH": f"{folder / 'env/bin'}:{shell.environment['PATH']}", "PYTHONPATH": str(support)}
    return shell


def key_of(folder: Path, tracker: str) -> str:
    """Under which the run knows itself there."""
    assert len((folder / "results/run/episodes.jsonl").read_text().splitlines()) == 4
    kept: str = json.loads((folder / "results/run/report_to.json").read_text())[tracker]
    return kept


def test_wandb_keeps_the_run_on_disk(tmp_path: Path) -> None:
    shell = shell_with(tmp_path, "wandb")
    said = shell.run(f"{line(PAGE, '--report-to wandb')} {FEW}")
    assert "nothing more is reported" not in said
    key = key_of(tmp_path, "wandb")
    (file,) = (tmp_path / "results/run").rglob("*.wandb")
    assert key in file.name
    assert b"success_rate" in file.read_bytes()


def test_trackio_keeps_the_run_on_disk(tmp_path: Path) -> None:
    shell = shell_with(tmp_path, "trackio")
    said = shell.run(f"{line(PAGE, '--report-to trackio')} {FEW}")
    assert "nothing more is reported" not in said
    key = key_of(tmp_path, "trackio")
    files = [*tmp_path.glob(".cache/huggingface/trackio/*.db")]
    names = {name for file in files for (name,) in sqlite3.connect(file).execute("select distinct run_name from metrics")}
    assert names == {f"run {key}"}
