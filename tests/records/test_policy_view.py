"""The panel that shows what a policy saw and meant."""

from __future__ import annotations

import numpy as np
import pytest

from eval.records.policy_view import panel_width, policy_panel


@pytest.mark.parametrize("key", ["images", "pictures"])  # the second: version 0.1
def test_two_inputs_stand_one_above_the_other_and_the_values_below(key):
    red, blue = np.zeros((2, 336, 336, 3), np.uint8)
    red[..., 0] = blue[..., 2] = 255
    panel = policy_panel({key: (red, blue), "labels": ("plain", "with trace"), "values": np.zeros(7)}, 480)
    assert panel.shape == (480, panel_width(480), 3)
    rows_red = np.flatnonzero((panel == (255, 0, 0)).all(axis=2).any(axis=1))
    rows_blue = np.flatnonzero((panel == (0, 0, 255)).all(axis=2).any(axis=1))
    assert len(rows_red) == len(rows_blue) > 150
    assert rows_red.max() < rows_blue.min()
    below = panel[rows_blue.max() + 1 :]
    assert (below.max(axis=(1, 2)) > 200).sum() > 15  # three lines of bright text


def test_notes_may_be_empty():
    assert not policy_panel({}, 480).any()
