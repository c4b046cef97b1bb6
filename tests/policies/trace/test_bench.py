"""What is measured of a tracker: every kind of call of a run, without the first."""

from __future__ import annotations

import pytest

from eval.errors import UserError
from policies.trace.bench import measure_tracker


def test_every_kind_of_call_is_measured_as_often_as_asked_for() -> None:
    name, device, taken = measure_tracker("lucas_kanade", None, "auto", episodes=2, repeats=2)
    assert (name, device) == ("lucas_kanade", "cpu")
    assert [name.split(",")[0] for name in taken] == ["points", "points", "dense 30 x 30"]
    assert all(len(values) == 2 and min(values) > 0 for values in taken.values())


def test_an_unknown_tracker_is_named() -> None:
    with pytest.raises(UserError, match="optical"):
        measure_tracker("optical", None, "cpu", episodes=1, repeats=1)
