"""In LeRobot's interpreter: what is in the datasets that ``lerobot-eval --eval.recording=true`` wrote, as JSON.

LEROBOT_ENV/bin/python tools/interop/lerobot_recordings.py FOLDER ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from lerobot.datasets import LeRobotDataset


def episodes(folder: Path) -> list[dict[str, Any]]:
    """Every episode below a folder, in the order of the environments."""
    found = []
    for info in sorted(folder.glob("**/meta/info.json")):
        data = LeRobotDataset("recorded/here", root=info.parents[1])
        rows = [data[n] for n in range(len(data))]  # read with their pictures
        found.append(
            {
                "states": [row["agent_pos"].tolist() for row in rows],
                "actions": [row["action"].tolist() for row in rows],
                "pictures": {
                    name: list(value.shape) for name, value in rows[0].items() if name.startswith("observation.images")
                },
                "first": [float(value.mean()) for name, value in rows[0].items() if name.startswith("observation.images")],
                "done": [bool(row["next.done"]) for row in rows],
                "tasks": [row["task"] for row in rows],
            }
        )
    return found


if __name__ == "__main__":
    print(json.dumps([episodes(Path(folder)) for folder in sys.argv[1:]]))
