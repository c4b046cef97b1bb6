"""Which of the files that the original simulator reads are the original ones."""

from __future__ import annotations

from collections.abc import Sequence

from eval.assets.check import check_files
from eval.assets.needed import needed_files
from eval.backends.simpler_env.interpreter import Original
from eval.episode import EpisodeSpec
from eval.records.header import AssetsRecord


def files_record(original: Original, plan: Sequence[EpisodeSpec]) -> AssetsRecord:
    """The folders read, and as ``stand_ins`` the files the plan needs that are absent there or have another content.

    These are not known if the folders are not laid out as in a checkout, so that names mean nothing.
    """
    data, package = original.installed.assets, original.installed.mani_skill2_real2sim.path
    if data.name != "data":
        return AssetsRecord(packs=(str(data),))
    folders = [data.parent, package.parent]
    changed = [file for file in check_files(needed_files(plan), folders) if file.state != "original"]
    return AssetsRecord(packs=tuple(str(folder) for folder in folders), stand_ins=tuple(sorted(file.name for file in changed)))
