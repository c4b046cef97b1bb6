"""What other writers of the layout do otherwise: another codec, another pace, other forms of names."""

from __future__ import annotations

import gc
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

pq = pytest.importorskip("pyarrow.parquet", reason="the extra datasets is not installed")
import imageio_ffmpeg
from public_dataset import write_dataset

from eval.datasets.images import VideoReader
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError
from eval.training.demonstrations import open_demonstrations

IMAGES = 40
SIDE = 64


def av1(path: Path, fps: float, keyframes: int) -> Path:
    """As LeRobot's writer encodes: ``IMAGES`` of bars that say which it is."""
    bars = (np.arange(IMAGES)[:, None] >> np.arange(8) & 1).astype(np.uint8) * 200 + 25
    images = np.broadcast_to(bars.repeat(SIDE // 8, 1)[:, None, :, None], (IMAGES, SIDE, SIDE, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [
        imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIDE}x{SIDE}",
        "-r", str(fps), "-i", "-", "-c:v", "libsvtav1", "-g", str(keyframes), "-pix_fmt", "yuv420p", str(path),
    ]  # fmt: skip
    subprocess.run(command, input=images.tobytes(), check=True, capture_output=True)
    return path


def said(image: np.ndarray) -> int:
    """Which image it is, by its bars."""
    assert image.shape == (SIDE, SIDE, 3)
    bars = image[:, SIDE // 16 :: SIDE // 8].mean((0, 2)) > 125
    return int((bars << np.arange(8)).sum())


@pytest.mark.parametrize(("fps", "keyframes"), [(5, 2), (29.97, 30), (3, 7)])
def test_av1_is_decoded_in_order_and_anywhere_without_a_word(tmp_path, capfd, fps, keyframes):
    video, reader = str(av1(tmp_path / "a.mp4", fps, keyframes)), VideoReader()
    anywhere = [*range(IMAGES), 39, 0, 17, 17, 3, 38, 39]
    assert [said(reader.frame(video, number)) for number in anywhere] == anywhere
    for number in (-1, IMAGES):
        with pytest.raises(UserError, match=f"a.mp4: image {number} cannot be decoded"):
            reader.frame(video, number)
    assert said(reader.frame(video, 5)) == 5
    assert capfd.readouterr() == ("", "")


def test_whoever_stops_reading_leaves_no_process(tmp_path, monkeypatch):
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **kwargs: started.append(popen(*args, **kwargs)) or started[-1])
    reader = VideoReader()
    for name in ("a.mp4", "b.mp4"):
        reader.frame(str(av1(tmp_path / name, 5, 2)), 3)
    decoding = [process for process in started if process.args[-1] == "-"]
    assert [process.poll() is None for process in decoding] == [False, True]
    del reader
    gc.collect()
    assert all(process.poll() is not None for process in decoding)


def test_without_ffmpeg_a_line_says_what_av1_needs(tmp_path, monkeypatch):
    video = av1(tmp_path / "a.mp4", 5, 2)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(UserError, match=r"Decoding AV1 needs ffmpeg: .*/nowhere/ffmpeg"):
        VideoReader().frame(str(video), 0)


def test_damaged_av1_is_one_line(tmp_path):
    video = av1(tmp_path / "a.mp4", 5, 2)
    content = bytearray(video.read_bytes())
    begin = content.index(b"mdat") + 4
    content[begin + 4 : begin + 104] = b"\xff" * 100
    video.write_bytes(content)
    with pytest.raises(UserError, match=r"a.mp4: image 0 cannot be decoded"):
        VideoReader().frame(str(video), 0)


NAMES = ["x", "y", "z", "roll", "pitch", "yaw", "gripper"]


def info_of(root: Path, change) -> None:
    path = root / "meta/info.json"
    info = json.loads(path.read_text())
    change(info)
    path.write_text(json.dumps(info))


@pytest.mark.parametrize("names", [
    NAMES, [NAMES], {"motors": NAMES}, {"axes": [NAMES]}, {name: place for place, name in enumerate(NAMES)},
    {name: NAMES.index(name) for name in sorted(NAMES)},
], ids=json.dumps)  # fmt: skip
def test_names_of_actions_are_understood_in_every_form_that_writers_give_them(tmp_path, names):
    root = write_dataset(tmp_path / "data")
    info_of(root, lambda info: info["features"]["action"].update(names=names))
    assert open_demonstrations(str(root), False, False).rotation == "euler"


@pytest.mark.parametrize("names", [{"a": {"b": 1}}, {"a": 0, "b": "c"}, [[1, 2], [3]], "xy", 7, {}, []], ids=json.dumps)
def test_names_that_nobody_asks_for_may_have_any_form(tmp_path, names):
    root = write_dataset(tmp_path / "data")
    info_of(root, lambda info: info["features"]["timestamp"].update(names=names))
    assert len(LeRobotReader(root)) == 12
    info_of(root, lambda info: info["features"]["action"].update(names=names))
    with pytest.raises(UserError, match="what the actions mean is not known"):
        open_demonstrations(str(root), False, False)


def test_a_pace_may_be_no_whole_number(tmp_path):
    root = write_dataset(tmp_path / "data")
    info_of(root, lambda info: info.update(fps=12.5))
    assert LeRobotReader(root)[3].step == 3
    for fps in (float("inf"), float("nan"), 0.0):
        info_of(root, lambda info, fps=fps: info.update(fps=fps))
        with pytest.raises(UserError, match="is damaged, fps"):
            LeRobotReader(root)


def test_a_dataset_of_av1_videos_gets_traces(tmp_path, cli):
    pytest.importorskip("torch", reason="torch is not installed")
    root = write_dataset(tmp_path / "data")
    camera = "observation.images.image_0"
    av1(root / f"videos/{camera}/chunk-000/file-000.mp4", 12.5, 2)

    def as_video(info):
        info["features"][camera] = {"dtype": "video", "shape": [SIDE, SIDE, 3], "names": ["height", "width", "rgb"]}
        info |= {"fps": 12.5, "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"}

    info_of(root, as_video)
    path = root / "meta/episodes/chunk-000/file-000.parquet"
    rows = pq.read_table(path).to_pylist()
    import pyarrow as pa

    at = f"videos/{camera}/"
    places = [
        {f"{at}chunk_index": 0, f"{at}file_index": 0, f"{at}from_timestamp": row["dataset_from_index"] / 12.5} for row in rows
    ]
    pq.write_table(pa.Table.from_pylist([row | place for row, place in zip(rows, places, strict=True)]), path)
    path = root / "data/chunk-000/file-000.parquet"
    frames = pq.read_table(path).drop_columns([camera]).to_pylist()
    pq.write_table(pa.Table.from_pylist([frame | {"timestamp": frame["frame_index"] / 12.5} for frame in frames]), path)
    reader = LeRobotReader(root)
    assert [said(reader[index].images[camera]) for index in (11, 0, 6)] == [11, 0, 6]
    code, _, err = cli("annotate-traces", root, "--out", tmp_path / "traced", "--workers", 1)
    assert code == 0, err
    traced = LeRobotReader(tmp_path / "traced")
    assert traced[7].images[f"{camera}_trace"].shape == (256, 256, 3)


@pytest.mark.parametrize("folder", ["data", "data/chunk-000", "meta"])
def test_data_are_the_same_data_wherever_a_link_leads_to_them(tmp_path, folder):
    root = write_dataset(tmp_path / "data")
    plain = open_demonstrations(str(root), False, False).fingerprint
    (root / folder).rename(tmp_path / "disk")
    (root / folder).symlink_to(tmp_path / "disk")
    assert open_demonstrations(str(root), False, False).fingerprint == plain
    path = root / "data/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    pq.write_table(
        table.set_column(table.column_names.index("action"), "action", table["action"].take([*range(1, 12), 0])), path
    )
    assert open_demonstrations(str(root), False, False).fingerprint != plain
