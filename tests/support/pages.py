"""The pages of documentation, and the blocks in them."""

from __future__ import annotations

import re
from pathlib import Path

REPO = Path(__file__).parents[2]
PAGES = sorted(str(page.relative_to(REPO)) for page in (REPO / "README.md", *(REPO / "docs").glob("*.md")))
_BLOCK = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```[ ]*$", re.MULTILINE | re.DOTALL)


def blocks_of(page: str, *languages: str) -> list[str]:
    """Those of a page that are in one of these languages ("": none is named), in order."""
    text = (REPO / page).read_text(encoding="utf-8")
    return [block for language, block in _BLOCK.findall(text) if language in languages]


def shell_lines_of(page: str) -> list[str]:
    """The lines of its blocks that are typed into a shell; what a backslash continues is one. Comments are left in."""
    text = "\n".join(blocks_of(page, "sh", "text", "")).replace("\\\n", " ")
    return [line.strip() for line in text.splitlines() if line.strip()]
