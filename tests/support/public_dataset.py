"""A small dataset as others publish them, and the options of a training on it that takes seconds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from demonstrations import camera_image

FRAMES = 6


def png(image: np.ndarray) -> dict[str, object]:
    import cv2

    return {"bytes": cv2.imencode(".png", image[..., ::-1])[1].tobytes(), "path": None}


def write_dataset(root: Path, angles: str = "roll,pitch,yaw", seed: int | None = None, broken: bool = False) -> Path:
    """Two episodes as the public copies of Bridge have them, images stored one by one; ``seed``: as if they were ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    (root / "data/chunk-000").mkdir(parents=True)
    names = ["x", "y", "z", *angles.split(","), "gripper"]
    scalar = {name: {"dtype": "int64", "shape": [1]} for name in ("frame_index", "episode_index", "index", "task_index")}
    features = {
        "observation.images.image_0": {"dtype": "image", "shape": [60, 80, 3], "names": ["height", "width", "rgb"]},
        "action": {"dtype": "float64", "shape": [7], "names": {"motors": names}},
        "timestamp": {"dtype": "float32", "shape": [1]},
        **scalar,
    }
    info = {
        "codebase_version": "v3.0", "robot_type": "widowx", "fps": 5, "features": features, "total_episodes": 2,
        "total_frames": 2 * FRAMES, "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info))
    rows, episodes = [], []
    for episode in range(2):
        begin = episode * FRAMES
        for step in range(FRAMES):
            action = np.append(np.random.default_rng([episode, step]).uniform(-0.02, 0.02, 6), float(step > 2)).tolist()
            image = png(camera_image(begin + step))
            if broken and begin + step == 7:
                image = {"bytes": b"no image", "path": None}
            numbers = {"frame_index": step, "episode_index": episode, "index": begin + step, "task_index": 0}
            rows.append({"observation.images.image_0": image, "action": action, "timestamp": step / 5, **numbers})
        row = {
            "episode_index": episode, "tasks": ["put carrot on plate"], "length": FRAMES, "data/chunk_index": 0,
            "data/file_index": 0, "dataset_from_index": begin, "dataset_to_index": begin + FRAMES,
        }  # fmt: skip
        ours = {} if seed is None else {"simpler_eval/id": f"episode-{episode}", "simpler_eval/seed": seed + episode}
        episodes.append(row | ours)
    pq.write_table(pa.Table.from_pylist(rows), root / "data/chunk-000/file-000.parquet")
    pq.write_table(pa.Table.from_pylist(episodes), root / "meta/episodes/chunk-000/file-000.parquet")
    pq.write_table(pa.table({"task_index": [0], "task": ["put carrot on plate"]}), root / "meta/tasks.parquet")
    return root


BRIEF = ("--init", "tiny", "--max-steps", 2, "--batch-size", 2, "--log-steps", 1, "--device", "cpu", "--held-out", 0)
