"""Datasets of others, and those that are damaged: read, or one clear line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
import pyarrow.parquet as pq

from eval.datasets.images import encode
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError

FRACTAL = "observation.images.image"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two episodes (3 and 2 frames) in one video file, as LeRobot's own writer lays them, with the names of Fractal; the
    wrist camera's images are PNG files in the table."""
    import cv2

    root = tmp_path / "fractal"
    for part in ("meta/episodes/chunk-000", "data/chunk-000", f"videos/{FRACTAL}/chunk-000"):
        (root / part).mkdir(parents=True)
    images = np.stack([np.full((16, 24, 3), 20 * number, np.uint8) for number in range(5)])
    encode(root / f"videos/{FRACTAL}/chunk-000/file-000.mp4", images, 3, "lossless")
    lengths = (3, 2)
    rows = [
        {"index": b + s, "episode_index": e, "frame_index": s, "task_index": e, "timestamp": s / 3, "action": [0.5 * s] * 7,
         "wrist": {"bytes": cv2.imencode(".png", np.full((8, 8, 3), (b + s, 0, 99), np.uint8))[1].tobytes(), "path": None}}
        for e, (b, length) in enumerate(zip((0, 3), lengths, strict=True)) for s in range(length)
    ]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), root / "data/chunk-000/file-000.parquet")
    at = f"videos/{FRACTAL}/"
    pq.write_table(
        pa.Table.from_pylist([
            {"episode_index": e, "tasks": [f"task {e}"], "length": length, "data/chunk_index": 0, "data/file_index": 0,
             "dataset_from_index": b, "dataset_to_index": b + length, f"{at}chunk_index": 0, f"{at}file_index": 0,
             f"{at}from_timestamp": b / 3, f"{at}to_timestamp": (b + length) / 3, "stats/action/max": [1.0]}
            for e, (b, length) in enumerate(zip((0, 3), lengths, strict=True))
        ]), root / "meta/episodes/chunk-000/file-000.parquet",
    )  # fmt: skip
    pq.write_table(pa.table({"task_index": [0, 1], "task": ["task 0", "task 1"]}), root / "meta/tasks.parquet")
    info = {
        "codebase_version": "v3.0", "robot_type": "google_robot", "fps": 3, "total_episodes": 2, "total_frames": 5,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            FRACTAL: {"dtype": "video", "shape": [16, 24, 3], "names": ["height", "width", "rgb"]},
            "wrist": {"dtype": "image", "shape": [8, 8, 3], "names": ["height", "width", "channels"]},
            "action": {"dtype": "float32", "shape": [7], "names": list("xyzabcg")},
            "timestamp": {"dtype": "float32", "shape": [1], "names": None},
        },
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info))
    return root


def test_several_episodes_in_a_file_are_told_apart(dataset):
    reader = LeRobotReader(dataset)
    assert reader.cameras == (FRACTAL, "wrist")
    for index in (4, 0, 3, 2):
        frame = reader[index]
        assert (frame.images[FRACTAL] == 20 * index).all()
        assert (frame.images["wrist"] == (99, 0, index)).all()
        assert (frame.episode, frame.task) == (int(index > 2), f"task {int(index > 2)}")
        assert frame.values["action"].dtype == np.float32
        assert (frame.values["action"] == 0.5 * frame.step).all()
    with pytest.raises(IndexError):
        reader[5]


def change_info(root, **fields):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(("damage", "said"), [
    (lambda root: shutil.rmtree(root), "is no LeRobot dataset"),
    (lambda root: change_info(root, codebase_version="v2.1"), "layout v2.1, and v3.0 is read"),
    (lambda root: change_info(root, total_frames=6), "holds 5 frames where"),
    (lambda root: change_info(root, fps="many"), "is damaged, fps"),
    (lambda root: (root / "meta/info.json").write_text("{"), "is damaged, the whole file"),
    (lambda root: (root / "meta/tasks.parquet").unlink(), "tasks.parquet of the dataset cannot be read"),
    (lambda root: (root / "meta/episodes/chunk-000/file-000.parquet").write_bytes(b"PAR1"), "cannot be read"),
    (lambda root: (root / "data/chunk-000/file-000.parquet").write_bytes(b""), "cannot be read"),
    (lambda root: (root / f"videos/{FRACTAL}/chunk-000/file-000.mp4").write_bytes(b"no video"), "cannot be decoded"),
    (lambda root: (root / f"videos/{FRACTAL}/chunk-000/file-000.mp4").unlink(), "cannot be decoded"),
])  # fmt: skip
def test_damage_is_one_line(dataset, damage, said):
    damage(dataset)
    with pytest.raises(UserError, match=said) as error:
        _ = LeRobotReader(dataset)[4]
    assert "\n" not in str(error.value)
