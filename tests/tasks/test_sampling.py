"""What all families sample alike, and how they name objects."""

from __future__ import annotations

import pytest

from eval.tasks.sampling import instruction_name


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("baked_opened_7up_can_v2", "7up can"),
        ("baked_green_cube_3cm", "green cube"),
        ("bridge_carrot_generated_modified", "carrot"),
        ("blue_plastic_bottle", "blue plastic bottle"),
    ],
)
def test_objects_are_called_as_in_the_original(model: str, name: str) -> None:
    assert instruction_name(model) == name
