"""One record of the world from several workers, scenes or runs."""

from __future__ import annotations

from typing import Any


def merge_worlds(before: dict[str, Any] | None, record: dict[str, Any]) -> dict[str, Any]:
    """What all of them used: lists are joined, disagreeing texts say ``mixed``."""
    if before is None:
        return record
    merged = {**before, **{key: value for key, value in record.items() if value is not None}}
    old, new = before.get("assets"), record.get("assets")
    if isinstance(old, dict) and isinstance(new, dict):
        merged["assets"] = assets = {**old, **new}
        for key in old.keys() & new.keys():
            if isinstance(old[key], list) and isinstance(new[key], list):
                assets[key] = sorted({*old[key], *new[key]})
            elif isinstance(old[key], dict) and isinstance(new[key], dict):
                assets[key] = {**old[key], **new[key]}
            elif isinstance(old[key], int) and isinstance(new[key], int):
                assets[key] = max(old[key], new[key])
            elif old[key] != new[key]:
                assets[key] = "mixed"
    return merged
