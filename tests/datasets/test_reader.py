"""Datasets of others, and those that are damaged: read, or one clear line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
import pyarrow.parquet as pq

from eval.datasets import images as images_of
from eval.datasets.images import encode
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError

REPO = Path(__file__).parents[2]
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


def test_a_frame_is_found_without_going_through_all_episodes(dataset):
    class Searched(tuple):
        def __iter__(self):
            raise AssertionError("all episodes were gone through")

    reader = LeRobotReader(dataset)
    reader.episodes = Searched(reader.episodes)
    assert [(reader[index].episode, reader[index].step) for index in (0, 2, 3, -1)] == [(0, 0), (0, 2), (1, 0), (1, 1)]


def change_info(root, **fields):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


def test_the_videos_of_several_cameras_stay_open_while_their_frames_are_read_in_turn(dataset, monkeypatch):
    info = json.loads((dataset / "meta/info.json").read_text())
    other = f"{FRACTAL}_trace"
    info["features"][other] = info["features"][FRACTAL]
    (dataset / "meta/info.json").write_text(json.dumps(info))
    (dataset / f"videos/{other}/chunk-000").mkdir(parents=True)
    dark = np.stack([np.full((16, 24, 3), 10 * number, np.uint8) for number in range(5)])
    encode(dataset / f"videos/{other}/chunk-000/file-000.mp4", dark, 3, "lossless")
    path = dataset / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for column in list(table.column_names):
        if column.startswith("videos/"):
            table = table.append_column(column.replace(FRACTAL, other), table[column])
    pq.write_table(table, path)
    opened, whole = [], images_of.is_whole
    monkeypatch.setattr(images_of, "is_whole", lambda path: opened.append(path) or whole(path))  # asked when a file is opened
    reader = LeRobotReader(dataset)
    frames = [frame for number in (0, 1) for frame in reader.frames(number)]
    shown = [(int(frame.images[FRACTAL].mean()), int(frame.images[other].mean())) for frame in frames]
    assert shown == [(20 * number, 10 * number) for number in range(5)]
    assert len(opened) == len(set(opened)) == 2


PROGRAM = """
import os, sys
from pathlib import Path
import cv2
from eval.datasets.images import VideoReader, frames_in

if sys.argv[2] == "left to itself":
    class Plain(cv2.VideoCapture):
        def __init__(self, path, *_):
            super().__init__(path)
    cv2.VideoCapture = Plain
before = len(os.listdir("/proc/self/task"))
reader = VideoReader()
reader.frame(sys.argv[1], 1)
assert frames_in(Path(sys.argv[1])) == 5
print(len(os.listdir("/proc/self/task")) - before, flush=True)
os._exit(0)  # with decoding threads of its own, a video that is still open may end the process badly
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="this system does not say which threads a process has")
@pytest.mark.parametrize(("how", "more"), [("as we do", False), ("left to itself", True)])
def test_a_video_is_decoded_by_no_threads_that_every_process_would_have_for_every_core(dataset, how, more):
    import cv2

    if cv2.getNumberOfCPUs() < 2:
        pytest.skip("one core has no other threads")
    video = dataset / f"videos/{FRACTAL}/chunk-000/file-000.mp4"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(video), how], env={**os.environ, "PYTHONPATH": str(REPO)}, capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (int(done.stdout) > 0) == more


@pytest.mark.parametrize("rows", [2, 5])
def test_a_file_of_many_episodes_is_opened_once_and_no_part_of_it_read_twice(dataset, monkeypatch, rows):
    path = dataset / "data/chunk-000/file-000.parquet"
    pq.write_table(pq.read_table(path), path, row_group_size=rows)
    opened, read = [], []

    class Counted(pq.ParquetFile):
        def __init__(self, source, *args, **kwargs):
            super().__init__(source, *args, **kwargs)
            opened.append(Path(source).parent.parent.name)

        def read_row_groups(self, groups, *args, **kwargs):
            read.extend(groups)
            return super().read_row_groups(groups, *args, **kwargs)

        def read_row_group(self, group, *args, **kwargs):
            read.append(group)
            return super().read_row_group(group, *args, **kwargs)

    monkeypatch.setattr(pq, "ParquetFile", Counted)
    reader = LeRobotReader(dataset, decode=())
    assert [frame.values["action"][0] for number in (0, 1) for frame in reader.frames(number)] == [0, 0.5, 1, 0, 0.5]
    assert opened.count("data") == 1
    assert read == [*range(-(-5 // rows))]


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


EPISODES, DATA, TASKS = "meta/episodes/chunk-000/file-000.parquet", "data/chunk-000/file-000.parquet", "meta/tasks.parquet"


def change_column(root, file, name, change=None):
    """Other values of a column of a file; None: it is gone."""
    table = pq.read_table(root / file)
    place = table.column_names.index(name)
    columns = table.remove_column(place)
    if change is not None:
        columns = columns.add_column(place, name, pa.array([change(value) for value in table[name].to_pylist()]))
    pq.write_table(columns, root / file)


@pytest.mark.parametrize(("name", "change"), [
    *[(name, None) for name in ("episode_index", "dataset_from_index", "tasks", "data/chunk_index")],
    *[(f"videos/{FRACTAL}/{name}", None) for name in ("file_index", "from_timestamp")],
    *[(name, lambda value: None) for name in ("dataset_to_index", "tasks", f"videos/{FRACTAL}/chunk_index")],
])  # fmt: skip
def test_episodes_that_lack_what_the_layout_demands_are_one_line(dataset, name, change):
    change_column(dataset, EPISODES, name, change)
    with pytest.raises(UserError, match=r"meta/episodes.* of the dataset cannot be read .*fetch or write it anew") as error:
        _ = LeRobotReader(dataset)[4]
    assert "\n" not in str(error.value)


def test_episodes_in_another_order_are_the_same_and_those_that_overlap_or_lack_are_refused(dataset):
    path = dataset / EPISODES
    table = pq.read_table(path)
    pq.write_table(table.take([1, 0]), path)
    assert [LeRobotReader(dataset)[index].episode for index in range(5)] == [0, 0, 0, 1, 1]
    pq.write_table(pa.concat_tables([table, table]), path)
    with pytest.raises(UserError, match="lists episode 0 twice"):
        LeRobotReader(dataset)
    pq.write_table(table.take([1]), path)
    with pytest.raises(UserError, match="lacks episode 0"):
        LeRobotReader(dataset)
    for name, change in (("dataset_to_index", lambda end: end - 4), ("dataset_from_index", lambda begin: 0)):
        pq.write_table(table, path)
        change_column(dataset, EPISODES, name, change)
        with pytest.raises(UserError, match="is damaged: episode"):
            LeRobotReader(dataset)


@pytest.mark.parametrize("change", [
    None, lambda value: None, lambda value: float("nan"), lambda value: "soon", lambda value: -5.0, lambda value: 1e30,
    lambda value: value + 1.0,
], ids=["gone", "nothing", "nan", "text", "negative", "endless", "later"])  # fmt: skip
def test_a_moment_outside_of_its_episode_is_refused_and_not_shown_as_an_image_of_another(dataset, change):
    change_column(dataset, DATA, "timestamp", change)
    with pytest.raises(UserError, match="episode 0 has 3 frames, 3 a second, and one of them at"):
        _ = LeRobotReader(dataset)[1]


@pytest.mark.parametrize("fields", [
    {"fps": 0}, {"fps": -3}, {"video_path": None}, {"video_path": "videos/{camera}.mp4"}, {"video_path": "videos/{"},
    {"data_path": "data/{0}.parquet"}, {"data_path": "../{chunk_index}/{file_index}"},
    {"video_path": "/{video_key}/{chunk_index}/{file_index}"}, {"video_path": "videos/{video_key}.mp4"},
    {"data_path": "data/0.parquet"},
    {"features": {"../../camera": {"dtype": "image", "shape": [8, 8, 3]}}},
], ids=str)  # fmt: skip
def test_what_a_dataset_says_of_itself_must_make_sense(dataset, fields):
    change_info(dataset, **fields)
    with pytest.raises(UserError, match=r"info.json is damaged, ") as error:
        _ = LeRobotReader(dataset)[1]
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("change", [lambda value: "x", lambda value: float("nan"), lambda value: None])
def test_tasks_without_a_number_are_one_line(dataset, change):
    change_column(dataset, TASKS, "task_index", change)
    with pytest.raises(UserError, match=r"tasks.parquet of the dataset cannot be read"):
        LeRobotReader(dataset)


def test_images_that_are_nowhere_are_one_line(dataset):
    change_column(dataset, DATA, "wrist", lambda value: None)
    with pytest.raises(UserError, match="the image of frame 1 cannot be decoded"):
        _ = LeRobotReader(dataset)[1]


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_a_part_of_a_video_is_one_line_and_the_decoder_adds_none(dataset, share, capfd):
    path = dataset / f"videos/{FRACTAL}/chunk-000/file-000.mp4"
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match="image 0 cannot be decoded"):
        _ = LeRobotReader(dataset)[0]
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("begin", [1e30, -1e3])
def test_an_image_that_a_video_does_not_have_is_not_another_one(dataset, begin):
    change_column(dataset, EPISODES, f"videos/{FRACTAL}/from_timestamp", lambda value: begin)
    with pytest.raises(UserError, match=r"file-000.mp4: image -?\d+ cannot be decoded"):
        _ = LeRobotReader(dataset)[0]
