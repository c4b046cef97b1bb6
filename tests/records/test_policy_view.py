"""What of a policy's notes is shown beside the camera picture."""

from __future__ import annotations

import numpy as np
import pytest

from eval.records.policy_view import policy_view, seen_of

RED, BLUE, GREEN = np.zeros((3, 336, 336, 3), np.uint8)
RED[..., 0] = BLUE[..., 2] = GREEN[..., 1] = 255


@pytest.mark.parametrize("key", ["images", "pictures"])  # the second: version 0.1
def test_two_inputs_with_their_labels_and_the_values(key):
    seen = seen_of({key: (RED, BLUE, GREEN), "labels": ("plain",), "values": np.arange(7)})
    assert [tuple(image[0, 0]) for image in seen.images] == [(255, 0, 0), (0, 0, 255)]
    assert seen.labels == ("plain", "input 2")
    assert seen.values == (0, 1, 2, 3, 4, 5, 6)


def test_notes_that_cannot_be_shown_cost_their_own_step():
    view = policy_view([{"images": [RED]}, ["images"], {"images": [RED]}])
    assert [len(view.at(step).images) for step in (-1, 0, 1, 2, 3)] == [0, 1, 0, 1, 0]
    assert view.images == 1
    assert view.problems == ("Action.notes: they are a list, not a mapping with images, labels and values",)
