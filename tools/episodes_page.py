"""Writes ``docs/episodes_table.md``, the data dictionary of the table of episodes, anew."""

from __future__ import annotations

from pathlib import Path

from eval.records.episodes_table import dictionary_page

PAGE = Path(__file__).resolve().parents[1] / "docs" / "episodes_table.md"

if __name__ == "__main__":
    PAGE.write_text(dictionary_page(), encoding="utf-8")
