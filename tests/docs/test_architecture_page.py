"""docs/architecture.md names only files that exist, and answers a newcomer's questions."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PAGE = (REPO / "docs" / "architecture.md").read_text(encoding="utf-8")
PATHS = sorted(set(re.findall(r"`((?:eval|policies|task_configs|tests)/[\w./-]+)`", PAGE)))
WORDS = re.findall(r"`([\w./-]+)` \(`(\w+)`", PAGE)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_on_the_page_exists(path):
    assert (REPO / path).exists()


@pytest.mark.parametrize(("path", "word"), WORDS)
def test_a_name_on_the_page_is_in_its_file(path, word):
    assert re.search(rf"\b{word}\b", (REPO / path).read_text(encoding="utf-8"))


def test_twenty_questions_have_an_answer():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "`" in line]
    assert len(rows) >= 20
