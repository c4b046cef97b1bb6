"""Which of the files that the original simulator reads are the original ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eval.assets.check import check_files
from eval.assets.needed import needed_files
from eval.backends.simpler_env.interpreter import Original
from eval.episode import EpisodeSpec


def files_record(original: Original, plan: Sequence[EpisodeSpec]) -> dict[str, Any] | None:
    """``folders`` read, and ``standins``: files the plan needs that are absent there or have another content.

    None if the folders are not laid out as in a checkout, so that names mean nothing.
    """
    data, package = Path(original.found["assets"]), Path(original.found["mani_skill2_real2sim"]["path"])
    if data.name != "data":
        return None
    folders = [data.parent, package.parent]
    changed = [file for file in check_files(needed_files(plan), folders) if file.state != "original"]
    return {"folders": [str(folder) for folder in folders], "standins": sorted(file.name for file in changed)}
