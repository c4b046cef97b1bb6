"""What a checkpoint that was trained here says of its training, for titles."""

from __future__ import annotations

from pathlib import Path

from policies.phi3v.config import read_json

FILE = "training.json"
TEST_PLACEMENTS = "test_placements"
"""In it: whether the demonstrations stood where the evaluation plays."""


def training_remarks(folder: Path) -> list[str]:
    """What a reader of a table must know of how a checkpoint was trained. Raises UserError for a file that cannot be read."""
    path = folder / FILE
    if not path.is_file():
        return []
    return ["TRAINED ON TEST PLACEMENTS"] if read_json(path).get(TEST_PLACEMENTS) is True else []
