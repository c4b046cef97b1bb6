"""``annotate-traces``: the images that the policy itself draws on the same images, whatever stopped the work in between."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
pytest.importorskip("simplejpeg", reason="the extra vla is not installed")
import pyarrow.parquet as pq

from eval.annotation.annotate import annotate_traces
from eval.annotation.assembly import assemble
from eval.annotation.drawing import TraceOptions
from eval.annotation.episodes import DRAWN, Drawings
from eval.datasets import statistics
from eval.datasets.images import encode
from eval.datasets.origin import read_origin
from eval.datasets.reader import LeRobotReader
from eval.errors import UserError
from eval.records.locking import alone_in
from policies.base import Observation, Proprio
from policies.trace.synthetic import synthetic_image

BRIDGE = "observation.images.image_0"
PAPER = TraceOptions(trace_preset="paper")
"""Of which traces begin with the sixth image."""
LENGTHS = (9, 8, 7)


@pytest.fixture
def bridge(tmp_path: Path) -> Path:
    """Three episodes with the names of the public copy of Bridge, all in one video file and one table, of which the second
    changes its instruction in step 3; ``datasets`` wrote what its columns are."""
    root, total = tmp_path / "bridge", sum(LENGTHS)
    starts = [sum(LENGTHS[:number]) for number in range(len(LENGTHS))]
    for part in ("meta/episodes/chunk-000", "data/chunk-000", f"videos/{BRIDGE}/chunk-000"):
        (root / part).mkdir(parents=True)
    images = np.stack([synthetic_image("three", e, s) for e, length in enumerate(LENGTHS) for s in range(length)])
    encode(root / f"videos/{BRIDGE}/chunk-000/file-000.mp4", images, 5, "lossless")
    rows = [
        {"observation.state": [0.1 * s] * 8, "action": [0.5] * 7, "timestamp": s / 5, "frame_index": s, "episode_index": e,
         "index": starts[e] + s, "task_index": int(e == 1 and s >= 3)}
        for e, length in enumerate(LENGTHS) for s in range(length)
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows)
    known = {"info": {"features": {name: {"_type": "Value"} for name in table.column_names}}}
    table = table.replace_schema_metadata({b"huggingface": json.dumps(known).encode()})
    pq.write_table(table, root / "data/chunk-000/file-000.parquet", row_group_size=10)
    at = f"videos/{BRIDGE}/"
    pq.write_table(
        pa.Table.from_pylist([
            {"episode_index": e, "tasks": ["put"], "length": length, "data/chunk_index": 0, "data/file_index": 0,
             "dataset_from_index": begin, "dataset_to_index": begin + length, f"{at}chunk_index": 0, f"{at}file_index": 0,
             f"{at}from_timestamp": begin / 5, f"{at}to_timestamp": (begin + length) / 5}
            for e, (begin, length) in enumerate(zip(starts, LENGTHS, strict=True))
        ]), root / "meta/episodes/chunk-000/file-000.parquet",
    )  # fmt: skip
    pq.write_table(pa.table({"task_index": [0, 1], "task": ["put it", "and take it"]}), root / "meta/tasks.parquet")
    vector = {"observation.state": 8, "action": 7}
    info = {
        "codebase_version": "v3.0", "robot_type": "widowx", "fps": 5, "total_episodes": 3, "total_frames": total,
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": {
            BRIDGE: {"dtype": "video", "shape": [256, 256, 3], "names": ["height", "width", "rgb"]},
            **{name: {"dtype": "float32", "shape": [size], "names": None} for name, size in vector.items()},
            **{name: {"dtype": "int64", "shape": [1], "names": None} for name in ("frame_index", "episode_index", "index")},
        },
    }  # fmt: skip
    (root / "meta/info.json").write_text(json.dumps(info))
    return root


def traced(root: Path) -> list[list[tuple[np.ndarray, bool]]]:
    """Images with traces, and whether they have one, by episode."""
    reader = LeRobotReader(root, (f"{BRIDGE}_trace",))
    return [
        [(frame.images[f"{BRIDGE}_trace"], bool(frame.values["has_trace"][0])) for frame in reader.frames(number)]
        for number in range(len(reader.episodes))
    ]


def test_the_images_are_those_that_the_policy_draws(bridge, tmp_path):
    """Asked of the policy itself, with a tiny checkpoint: what the model is given equals what is stored, enlarged."""
    pytest.importorskip("torch", reason="torch is not installed (make vla)")
    from policies.base import EpisodeInfo
    from policies.phi3v.random_checkpoint import write_random
    from policies.tracevla_phi3 import TraceVLAPhi3
    from policies.tracevla_phi3.images import enlarged, small_image

    root = annotate_traces(bridge, options=PAPER, workers=1)
    (tmp_path / "tiny").mkdir()
    write_random(tmp_path / "tiny", "tiny-random")
    policy = TraceVLAPhi3(str(tmp_path / "tiny"), device="cpu", trace_preset="paper")
    feeling = Proprio(np.zeros(3, np.float32), np.zeros(4, np.float32), 0.0, np.zeros(1, np.float32))
    reader, seen = LeRobotReader(bridge), []
    for number, images in enumerate(traced(root)):
        policy.reset([EpisodeInfo(str(number), "t", "widowx", "put it", 60, 5, 0)])
        for frame, (image, has_trace) in zip(reader.frames(number), images, strict=True):
            camera = frame.images[BRIDGE]
            (given,) = policy._inputs([policy_sees(number, frame.step, frame.task, camera, feeling, policy)])
            assert given.trace == has_trace
            assert (given.prompt.images[1] == enlarged(image)).all()
            assert has_trace == (image != small_image(camera)).any()
            seen.append(has_trace)
    policy.close()
    assert 5 < sum(seen) < len(seen)


def policy_sees(number, step, task, image, feeling, policy):
    """An observation; a changed instruction is taken in as ``act`` does it."""
    observation = Observation(str(number), step, "widowx", task, image, feeling)
    policy._episode(observation)
    return observation


def test_the_rest_of_the_dataset_stays_what_it_was(bridge):
    before = {path: path.read_bytes() for path in bridge.rglob("*") if path.is_file()}
    root = annotate_traces(bridge, options=PAPER, workers=1)
    assert root == bridge.with_name("bridge-traces")
    assert {path: path.read_bytes() for path in bridge.rglob("*") if path.is_file()} == before
    old, new = LeRobotReader(bridge), LeRobotReader(root)
    assert new.cameras == (BRIDGE, f"{BRIDGE}_trace")
    assert new.info.features["has_trace"].dtype == "bool"
    for number in range(3):
        assert (new.values(number, "action") == old.values(number, "action")).all()
        for ours, theirs in zip(new.frames(number), old.frames(number), strict=True):
            assert (ours.images[BRIDGE] == theirs.images[BRIDGE]).all()
            assert ours.task == theirs.task
    schema = pq.read_schema(root / "data/chunk-000/file-000.parquet")
    known = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert {*known} == {*schema.names}
    assert known["has_trace"] == {"dtype": "bool", "_type": "Value"}
    stats = json.loads((root / "meta/stats.json").read_text())
    shares = [has_trace for episode in traced(root) for _, has_trace in episode]
    assert stats["has_trace"]["mean"] == pytest.approx([np.mean(shares)])
    assert read_origin(root).traces.tracker == "lucas_kanade"
    assert "optical flow, not CoTracker" in (root / "README.md").read_text()
    video = f"videos/{BRIDGE}/chunk-000/file-000.mp4"
    assert (root / video).samefile(bridge / video)


@pytest.mark.parametrize("folder", ["videos", f"videos/{BRIDGE}", "data", "data/chunk-000", "meta", "meta/episodes/chunk-000"])
def test_folders_of_a_dataset_may_be_links_to_another_disk(bridge, tmp_path, folder):
    (tmp_path / "disk").mkdir()
    shutil.move(bridge / folder, tmp_path / "disk/part")
    (bridge / folder).symlink_to(tmp_path / "disk/part")
    (bridge / "round").symlink_to(bridge)
    root = annotate_traces(bridge, options=PAPER, workers=1)
    shutil.rmtree(tmp_path / "disk")
    new = LeRobotReader(root)
    assert [len(episode) for episode in new.episodes] == [*LENGTHS]
    assert {*new[3].images} == {BRIDGE, f"{BRIDGE}_trace"}
    assert not [path for path in root.rglob("*") if path.is_symlink() or "round" in path.parts]


def test_what_is_known_of_an_episodes_traces_is_computed_once(bridge, monkeypatch):
    flags, of_values = [], statistics.of_values

    def counted(values):
        if values.dtype == bool:
            flags.append(len(values))
        return of_values(values)

    monkeypatch.setattr(statistics, "of_values", counted)
    annotate_traces(bridge, options=PAPER, workers=1)
    assert flags == [*LENGTHS]


def test_what_is_drawn_is_drawn_once_whatever_stops_it(bridge, tmp_path, monkeypatch):
    whole = traced(annotate_traces(bridge, tmp_path / "whole", PAPER, workers=1))
    told = []

    def stop(done, total):
        told.append((done, total))
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        annotate_traces(bridge, tmp_path / "new", PAPER, workers=1, on_drawn=stop)
    assert told == [(0, 3), (1, 3), (2, 3)]
    part = tmp_path / ".new.part"
    assert sorted(path.name for path in (part / DRAWN).glob("[!.]*")) == ["0.json", "1.json", "settings"]
    with pytest.raises(UserError, match="is no LeRobot dataset"):
        LeRobotReader(part)
    with pytest.raises(UserError, match="another tracker"):
        annotate_traces(bridge, tmp_path / "new", TraceOptions(), workers=1)
    kept, drawn = Drawings.keep, []
    monkeypatch.setattr(Drawings, "keep", lambda self, number, *given: (drawn.append(number), kept(self, number, *given)))
    again = traced(annotate_traces(bridge, tmp_path / "new", PAPER, workers=1))
    assert drawn == [2]
    for ours, theirs in zip(again, whole, strict=True):
        assert all((a == b).all() and x == y for (a, x), (b, y) in zip(ours, theirs, strict=True))
    assert not part.exists()


def test_processes_draw_the_same_and_say_what_fails(bridge, tmp_path):
    whole, shared = (traced(annotate_traces(bridge, tmp_path / str(count), PAPER, workers=count)) for count in (1, 2))
    assert all(
        (a[0] == b[0]).all() for ours, theirs in zip(whole, shared, strict=True) for a, b in zip(ours, theirs, strict=True)
    )
    (bridge / f"videos/{BRIDGE}/chunk-000/file-000.mp4").write_bytes(b"no video")
    for count in (1, 2):
        with pytest.raises(UserError, match="cannot be decoded"):
            annotate_traces(bridge, tmp_path / "broken", PAPER, workers=count)
    assert not (tmp_path / "broken").exists()


def draw_together(monkeypatch):
    """Three episodes at a time, as CoTracker is asked."""
    from policies.tracevla_phi3.annotation import TraceAnnotator

    made = TraceAnnotator.__init__

    def together(self, *given):
        made(self, *given)
        self.together = 3

    monkeypatch.setattr(TraceAnnotator, "__init__", together)


def test_episodes_in_step_get_the_traces_that_each_gets_alone(bridge, tmp_path, monkeypatch):
    """As CoTracker is asked, about several at a time."""
    alone = traced(annotate_traces(bridge, tmp_path / "alone", PAPER, workers=1))
    draw_together(monkeypatch)
    for ours, theirs in zip(traced(annotate_traces(bridge, tmp_path / "together", PAPER)), alone, strict=True):
        assert all((a == b).all() and x == y for (a, x), (b, y) in zip(ours, theirs, strict=True))


def change_info(root, **fields):
    path = root / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | fields))


@pytest.mark.parametrize(("change", "given", "said"), [
    (lambda root: shutil.rmtree(root), {}, "is no LeRobot dataset"),
    (lambda root: change_info(root, codebase_version="v2.1"), {}, "layout v2.1"),
    (lambda root: None, {"camera": "observation.images.image_1"}, 'no camera "observation.images.image_1". Did you mean'),
    (lambda root: None, {"robot": "widow"}, 'Did you mean "widowx"'),
    (lambda root: None, {"options": TraceOptions(tracker="lucas")}, 'Did you mean "lucas_kanade"'),
    (lambda root: None, {"options": TraceOptions(trace_preset="release")}, 'Did you mean "released"'),
    (lambda root: None, {"options": TraceOptions(tracker_checkpoint="none.pth")}, "none.pth does not exist"),
    (lambda root: root.with_name("bridge-traces").mkdir(), {}, "bridge-traces exists"),
])  # fmt: skip
def test_what_cannot_be_annotated_is_one_line(bridge, change, given, said):
    change(bridge)
    with pytest.raises(UserError) as error:
        annotate_traces(bridge, **given)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
    assert not bridge.with_name(".bridge-traces.part").exists()


def test_the_command_says_what_it_made(bridge, cli):
    code, said, _ = cli("annotate-traces", bridge, "--trace-preset", "paper", "--workers", 1, "--json")
    assert (code, json.loads(said)) == (
        0,
        {"dataset": f"{bridge}-traces", "images": f"{BRIDGE}_trace", "tracker": "lucas_kanade", "episodes": 3},
    )
    code, _, error = cli("annotate-traces", f"{bridge}-traces")
    assert (code, "has traces already" in error) == (2, True)


def test_what_is_drawn_outlives_the_very_last_moment(bridge, tmp_path, monkeypatch):
    def killed(*given):
        assemble(*given)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("eval.annotation.annotate.assemble", killed)
        with pytest.raises(KeyboardInterrupt):
            annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)
    monkeypatch.setattr(Drawings, "keep", lambda *given: pytest.fail("it was drawn before"))
    root = annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)
    assert len(traced(root)) == 3
    assert not (root / DRAWN).exists()


@pytest.mark.parametrize("damage", [
    lambda part: (part / DRAWN / "1.json").write_text("{"),
    lambda part: (part / DRAWN / "1.json").write_bytes(b""),
    lambda part: next(part.rglob("file-001.mp4")).unlink(),
    lambda part: next(part.rglob("file-001.mp4")).write_bytes(b"\0" * 999),
])  # fmt: skip
def test_an_episode_that_is_not_whole_is_drawn_anew(bridge, tmp_path, monkeypatch, damage):
    whole = traced(annotate_traces(bridge, tmp_path / "whole", PAPER, workers=1))
    with monkeypatch.context() as patch:
        patch.setattr("eval.annotation.annotate.assemble", lambda *given: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)
    damage(tmp_path / ".new.part")
    again = traced(annotate_traces(bridge, tmp_path / "new", PAPER, workers=1))
    for ours, theirs in zip(again, whole, strict=True):
        assert all((a == b).all() and x == y for (a, x), (b, y) in zip(ours, theirs, strict=True))


def test_one_process_at_a_time_draws_into_a_folder(bridge, tmp_path):
    folder = tmp_path / ".new.part" / DRAWN
    folder.mkdir(parents=True)
    with alone_in(folder), pytest.raises(UserError, match="Another process is writing"):
        annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)
    assert len(traced(annotate_traces(bridge, tmp_path / "new", PAPER, workers=1))) == 3


def test_processes_end_with_the_one_that_started_them(bridge, tmp_path):
    words = ("annotate-traces", str(bridge), "--out", str(tmp_path / "new"), "--workers", "2")
    command = [sys.executable, "-m", "simpler_eval", *words]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("0 of 3 episodes")
        while not [*tmp_path.glob(".new.part/videos/*/*/.*.mp4")]:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
        assert "BrokenPipe" not in process.stderr.read(), "they drew on, and nobody heard them"
    assert len(traced(annotate_traces(bridge, tmp_path / "new"))) == 3


def change_data(root, change):
    path = root / "data/chunk-000/file-000.parquet"
    pq.write_table(change(pq.read_table(path)), path)


def other_frames(table):
    place = table.column_names.index("frame_index")
    return table.set_column(place, "frame_index", pa.array([step + 100 for step in table["frame_index"].to_pylist()]))


@pytest.mark.parametrize("change", [
    lambda root: (root / "meta/stats.json").write_text("[]"),
    lambda root: (root / "meta/stats.json").write_text("null"),
    lambda root: (root / "meta/stats.json").write_bytes(b"\xff"),
    lambda root: (root / "meta/simpler_eval.json").write_text("{"),
    lambda root: change_data(root, other_frames),
    lambda root: change_data(root, lambda table: table.drop_columns(["frame_index"])),
    lambda root: change_data(root, lambda table: table.replace_schema_metadata({b"huggingface": b"{"})),
], ids=["list", "null", "binary", "origin", "frames", "column", "metadata"])  # fmt: skip
def test_what_would_be_in_the_way_at_the_end_is_said_before_anything_is_drawn(bridge, tmp_path, monkeypatch, change):
    change(bridge)
    monkeypatch.setattr(Drawings, "keep", lambda *given: pytest.fail("it was drawn for nothing"))
    with pytest.raises(UserError, match=r"cannot be read|is damaged") as error:
        annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)
    assert "\n" not in str(error.value)


def test_what_else_is_in_the_card_stays_as_it_is(bridge, tmp_path):
    (bridge / "README.md").write_bytes(b"of old: \xe9\n")
    card = (annotate_traces(bridge, tmp_path / "new", PAPER, workers=1) / "README.md").read_bytes()
    assert card.startswith(b"of old: \xe9\n\n`observation.images.image_0_trace` holds")


def test_episodes_of_one_name_get_traces_of_their_own(bridge, tmp_path, monkeypatch):
    path = bridge / "meta/episodes/chunk-000/file-000.parquet"
    table = pq.read_table(path)
    for name, value in (("simpler_eval/id", "same"), ("simpler_eval/repeat", 0)):
        table = table.append_column(name, pa.array([value] * len(table)))
    pq.write_table(table, path)
    whole = traced(annotate_traces(bridge, tmp_path / "apart", PAPER, workers=1))
    draw_together(monkeypatch)
    for ours, theirs in zip(traced(annotate_traces(bridge, tmp_path / "new", PAPER, workers=1)), whole, strict=True):
        assert all((a == b).all() and x == y for (a, x), (b, y) in zip(ours, theirs, strict=True))
