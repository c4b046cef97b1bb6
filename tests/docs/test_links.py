"""Links of every page lead to files and headings that there are, and so do the paths of our files that pages name."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from pages import REPO

TRACKED = subprocess.run(["git", "ls-files", "*.md"], cwd=REPO, capture_output=True, text=True, check=True).stdout.split()
OTHERS = {"policies/util.py", "eval/simpler/maniskill2_evaluator.py"}
"""A user's, and a fork's of SimplerEnv."""


def prose(page: Path) -> str:
    return re.sub(r"^[ ]*```.*?^[ ]*```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(page: Path) -> set[str]:
    """As GitHub makes them of headings; and those that are written out."""
    text = prose(page)
    headings = [re.sub(r"[`*]|\]\(.*?\)", "", heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)]
    made = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return made | set(re.findall(r'<a id="([^"]+)"', text))


@pytest.mark.parametrize("name", TRACKED)
def test_the_links_of_a_page_lead_somewhere(name):
    page, text = REPO / name, prose(REPO / name)
    for link in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        target, _, anchor = "".join(link).partition("#")
        if re.match(r"https?:", target):
            continue
        there = page.parent / target if target else page
        assert there.exists(), "".join(link)
        assert not anchor or anchor in anchors(there), "".join(link)
    if name != "CHANGELOG.md":
        paths = re.findall(r"`((?:eval|policies|task_configs|tests|tools|docs)/[\w./-]+\.\w+)`", text)
        assert [path for path in paths if path not in OTHERS and not (REPO / path).exists()] == []
