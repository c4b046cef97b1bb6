"""Contacts as success rules need them: summed, either way round, and nothing below the threshold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from eval.sim.contacts import ContactTable, presses_on_shape


def contact(first: str, second: str, *impulses: tuple[float, float, float], shapes: tuple[Any, Any] = (None, None)) -> Any:
    bodies = [SimpleNamespace(entity=SimpleNamespace(name=name)) for name in (first, second)]
    points = [SimpleNamespace(impulse=np.array(impulse, dtype=np.float32)) for impulse in impulses]
    return SimpleNamespace(bodies=bodies, shapes=list(shapes), points=points)


def test_impulses_of_all_contacts_add_up_and_each_body_gets_its_own_sign() -> None:
    table = ContactTable([contact("can", "finger", (1, 0, 0), (0, 2, 0)), contact("finger", "can", (0, 0, 3))])
    np.testing.assert_array_equal(table.impulse("can", "finger"), [1, 2, -3])
    np.testing.assert_array_equal(table.impulse("finger", "can"), [-1, -2, 3])
    np.testing.assert_array_equal(table.impulse("can", "table"), [0, 0, 0])


def test_being_near_is_not_touching() -> None:
    table = ContactTable([contact("can", "table", (0, 0, 1)), contact("can", "wall"), contact("can", "cup", (1e-7, 0, 0))])
    assert table.touching("can") == {"table"}
    assert table.touching("wall") == set()


def test_impulses_that_cancel_do_not_touch() -> None:
    assert ContactTable([contact("can", "cup", (1, 0, 0)), contact("cup", "can", (1, 0, 0))]).touching("can") == set()


def test_pressing_on_a_shape_means_this_very_shape() -> None:
    floor, wall = "floor of the drawer", "its wall"
    contacts = [
        contact("apple", "drawer", (0, 0, 1), shapes=("hull", floor)),
        contact("drawer", "pear", (0, 0, 1), shapes=(floor, "hull")),
    ]
    assert presses_on_shape(contacts, "apple", floor)
    assert presses_on_shape(contacts, "pear", floor)
    assert not presses_on_shape(contacts, "apple", wall)
    assert not presses_on_shape(contacts, "plum", floor)
