"""Families of tasks: what the cells of a comparison of policies are gathered by."""

from __future__ import annotations

FAMILIES = {
    "pick_": ("pick coke can", "#c0392b"),
    "move_near": ("move near", "#e08e0b"),
    "open_": ("open drawer", "#1f6fb2"),
    "close_": ("close drawer", "#6fa8dc"),
    "place_": ("place in drawer", "#7d3c98"),
    "widowx_": ("WidowX", "#2e8b57"),
}
"""Label and colour by what stands in a cell's name, the first that fits."""
OTHER = ("other tasks", "#666666")


def family_of(cell: str) -> tuple[str, str]:
    """Label and colour of a cell's points."""
    if cell.startswith("widowx_"):
        return FAMILIES["widowx_"]
    return next((look for part, look in FAMILIES.items() if part in cell), OTHER)
