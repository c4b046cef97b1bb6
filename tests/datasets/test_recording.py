"""``run --record``: what the policy saw and did comes back from the dataset, whatever happened to the run."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fake_policies import Counts, Still

pytest.importorskip("pyarrow", reason="the extra datasets is not installed")

from eval.datasets import statistics
from eval.datasets.reader import LeRobotReader
from eval.datasets.staging import STAGING, Staging
from eval.datasets.writer import write_datasets
from eval.errors import UserError
from eval.records.folder import load_run
from eval.rollout.run import run
from policies.base import Action

CAMERA = "observation.images.image_0"
SCRIPT = Path(__file__).parents[1] / "support" / "interrupted_run.py"


class Moves(Still):
    """Other numbers at every step, which no float32 holds."""

    def act(self, observations):
        return [Action(np.full(7, 0.1) + o.step / 3 + len(o.episode) / 7) for o in observations]


@pytest.fixture
def play(tmp_path):
    def play(plan, policy=None, **options):
        marks = tmp_path / "marks"
        marks.mkdir(exist_ok=True)
        options = {"workers": 1, "out": tmp_path / "run", "assets": str(marks), "record": "lerobot-lossless", **options}
        return run(plan, policy or Moves(), world="fake_world", **options)

    return play


def ids(reader):
    return [episode.row["simpler_eval/id"] for episode in reader.episodes]


def test_every_frame_comes_back_as_it_was_played(play, make_spec):
    plan = [make_spec(0), make_spec(1, max_steps=3), make_spec(2, variant="subtasks", max_steps=4)]
    data = play(plan, workers=2)
    reader = LeRobotReader(data.path / "dataset/widowx")
    assert ids(reader) == [spec.id for spec in plan]
    assert (len(reader), reader.info.fps, reader.cameras) == (12, 5, (CAMERA,))
    for number, spec in enumerate(plan):
        frames = list(reader.frames(number))
        assert [frame.step for frame in frames] == list(range(spec.max_steps))
        assert all((frame.images[CAMERA] == frame.step).all() for frame in frames)
        assert all(frame.images[CAMERA].shape == (32, 48, 3) for frame in frames)
        played = np.load(data.path / "actions" / f"{spec.id}.npy")
        assert (reader.values(number, "action") == played).all()
        assert [frame.values["observation.state"][0] for frame in frames] == [0, 1, 2, 3, 4][: spec.max_steps]
        assert [bool(frame.values["next.done"][0]) for frame in frames] == [*[False] * (spec.max_steps - 1), True]
        assert bool(frames[-1].values["next.success"][0]) == data.record(spec.id).success_last
    assert [frame.task for frame in reader.frames(0)] == ["do something"] * 5
    assert {frame.task for frame in reader.frames(2)} == {"subtask 0"}
    assert reader[7].step == 2
    assert (reader[-1].images[CAMERA] == 3).all()


def test_lossy_images_are_near_and_much_smaller(tmp_path):
    from eval.datasets.images import VideoReader, encode

    rng = np.random.default_rng(0)
    shades = np.linspace(0, 200, 128)[:, None, None] + rng.uniform(0, 40, (1, 1, 3)) + np.zeros((128, 160, 3))
    images = np.stack([np.roll(shades, 8 * step, axis=0) + rng.normal(0, 1, shades.shape) for step in range(9)])
    images = images.astype(np.uint8)
    for codec in ("lossy", "lossless"):
        encode(tmp_path / f"{codec}.mp4", images, 5, codec)
    reader = VideoReader()
    for step in (4, 0, 8, 7):  # in no order
        assert (reader.frame(str(tmp_path / "lossless.mp4"), step) == images[step]).all()
        error = np.mean((reader.frame(str(tmp_path / "lossy.mp4"), step).astype(float) - images[step]) ** 2)
        assert 10 * np.log10(255**2 / error) > 35
    assert (tmp_path / "lossy.mp4").stat().st_size * 3 < (tmp_path / "lossless.mp4").stat().st_size


def test_half_a_video_is_never_left_as_if_whole(tmp_path, monkeypatch):
    """The encoder does not tell what became of it: here it loses the last image."""
    import imageio_ffmpeg

    from eval.datasets import images

    whole = imageio_ffmpeg.write_frames

    def loses_the_last(*args, **options):
        inner, taken = whole(*args, **options), 0
        inner.send(None)
        try:
            while True:
                frame = yield
                taken += 1
                if taken < 3:
                    inner.send(frame)
        finally:
            inner.close()

    frames = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), np.uint8)
    images.encode(tmp_path / "whole.mp4", frames, 5, "lossy")
    assert images.frames_in(tmp_path / "whole.mp4") == 3
    monkeypatch.setattr(imageio_ffmpeg, "write_frames", loses_the_last)
    with pytest.raises(OSError, match="did not write all images"):
        images.encode(tmp_path / "half.mp4", frames, 5, "lossy")
    monkeypatch.setattr(images, "ROOM", 2**63)
    with pytest.raises(OSError, match="No space left"):
        images.encode(tmp_path / "half.mp4", frames, 5, "lossy")
    assert [path.name for path in tmp_path.iterdir()] == ["whole.mp4"]


def test_states_are_those_of_the_public_copies():
    from scipy.spatial.transform import Rotation

    from eval.datasets.features import ROBOTS, WIDOWX_REST, states

    turn = Rotation.from_euler("xyz", [0.3, -0.2, 0.5])
    x, y, z, w = (turn * Rotation.from_matrix(WIDOWX_REST)).as_quat()
    pose = np.array([[0.1, 0.2, 0.3, w, x, y, z]])
    bridge = states("widowx", pose, np.array([0.25]))
    np.testing.assert_allclose(bridge, [[0.1, 0.2, 0.3, 0.3, -0.2, 0.5, 0, 0.25]], atol=1e-6)
    fractal = states("google_robot", pose, np.array([0.25]))
    np.testing.assert_allclose(fractal, [[0.1, 0.2, 0.3, x, y, z, w, 0.75]], atol=1e-6)
    assert [len(robot.state) for robot in ROBOTS.values()] == [8, 8]


def test_a_result_is_written_after_its_frames(play, make_spec, tmp_path):
    """So that whatever kills the run, an episode that counts is in the dataset."""
    staging, seen = Staging(tmp_path / "run/dataset" / STAGING), []
    play([make_spec(i) for i in range(4)], listener=lambda record: seen.append(staging.episode(record.key)), video="all")
    assert [episode.steps for episode in seen] == [5] * 4


def test_killed_and_resumed_has_every_episode_once(tmp_path, make_spec):
    plan, out = tmp_path / "plan", tmp_path / "run"
    specs = [make_spec(i) for i in range(8)]
    plan.write_text("".join(spec.model_dump_json() + "\n" for spec in specs))
    command = [sys.executable, str(SCRIPT), str(out), str(plan), "none", "", "1", "lerobot"]
    rng = random.Random(1)
    for target in (2,):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        file = out / "episodes.jsonl"
        while process.poll() is None and not (file.is_file() and file.read_bytes().count(b"\n") >= target):
            time.sleep(0.002)
        time.sleep(rng.uniform(0.0, 0.05))
        process.kill()
        process.wait()
    subprocess.run(command, check=True)
    reader = LeRobotReader(out / "dataset/widowx")
    assert ids(reader) == [spec.id for spec in specs]
    assert len(reader) == 8 * 5
    assert sorted(path.stem for path in (out / "dataset" / STAGING).glob("*.mp4")) == sorted(ids(reader))


def test_episodes_without_a_verdict_are_left_out_until_they_have_one(play, make_spec):
    plan = [make_spec(0), make_spec(1)]
    data = play(plan, Counts(plan[0].id))
    assert ids(LeRobotReader(data.path / "dataset/widowx")) == [plan[1].id]
    again = type("Counts", (Still,), {"__module__": "fake_policies"})()
    data = play(plan, again, retry_errored=True)
    assert ids(LeRobotReader(data.path / "dataset/widowx")) == [spec.id for spec in plan]


def test_why_nothing_can_be_exported_is_said_as_it_is(play, make_spec, tmp_path):
    data = play([make_spec(1)])  # a failure
    with pytest.raises(UserError, match=r"holds no recorded episode that succeeded\.$"):
        write_datasets(data, tmp_path / "out", only_successes=True)
    with pytest.raises(UserError, match=r"with a result yet, .* simpler-eval run --resume .* goes on"):
        write_datasets(replace(data, records={}), tmp_path / "out")
    with pytest.raises(UserError, match=r"Below it lies: .*/dataset/widowx$"):
        LeRobotReader(data.path)
    (frames,) = (data.path / "dataset" / STAGING).glob("*.parquet")
    frames.write_bytes(frames.read_bytes()[:100])
    with pytest.raises(UserError, match="is damaged"):
        write_datasets(data, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_asked_for_too_late_is_said(play, make_spec, capsys):
    plan = [make_spec(0), make_spec(1), make_spec(2)]  # even numbers succeed
    play(plan, record="none")
    assert capsys.readouterr().err == ""
    play(plan, record="none")
    assert capsys.readouterr().err == "", "nothing is asked for"
    play(plan, record="lerobot", keep="successes", video="failures")
    video, frames = capsys.readouterr().err.splitlines()
    assert video.startswith("simpler-eval: 1 episode was played before without a video")
    assert "simpler-eval replay" in video
    assert frames.startswith("simpler-eval: 2 episodes were played before and not recorded")


def test_a_dataset_has_one_kind_of_images_and_another_one_is_refused_before_anything_is_changed(play, make_spec, capsys):
    plan = [make_spec(0), make_spec(1)]
    data = play(plan, record="lerobot", shard="1/2")
    before = (data.path / "run.json").read_bytes()
    with pytest.raises(UserError, match="recorded with lossy images, and a dataset has one kind alone; go on with --record"):
        play(plan, record="lerobot-lossless", shard="1/2")
    assert (data.path / "run.json").read_bytes() == before, "the run goes on as it was"
    play(plan, record="none", shard="1/2")
    play(plan, record="lerobot", shard="1/2")
    assert capsys.readouterr().err == ""
    assert [path.name for path in (data.path / "dataset").glob("[!.]*")] == ["widowx"]


def test_a_dataset_that_becomes_two_leaves_no_older_one_beside_them(play, make_spec, tmp_path, cli):
    plan = [make_spec(0), make_spec(2).model_copy(update={"control_freq": 10})]

    def stop(record):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(plan, per_worker=1, listener=stop)
    folder = tmp_path / "run/dataset"
    assert [path.name for path in folder.glob("[!.]*")] == ["widowx"]
    (folder / "widowx").rename(folder / "widowx-mine")  # what others made of it is theirs
    shutil.copytree(folder / "widowx-mine", folder / "widowx")
    play(plan, per_worker=1)
    names = sorted(path.name for path in folder.glob("[!.]*"))
    assert names == ["widowx-10fps-48x32-lossless", "widowx-5fps-48x32-lossless", "widowx-mine"]


def test_repeats_and_successes_alone(play, make_spec, tmp_path):
    plan = [make_spec(0), make_spec(1)]  # even numbers succeed
    data = play(plan, repeat=2)
    reader = LeRobotReader(data.path / "dataset/widowx")
    assert [(e.row["simpler_eval/repeat"], e.row["success"]) for e in reader.episodes] == [
        (0, True), (0, False), (1, True), (1, False),
    ]  # fmt: skip
    (dataset,) = write_datasets(data, tmp_path / "good", only_successes=True)
    assert ids(LeRobotReader(dataset.path)) == [plan[0].id] * 2


def test_robots_are_datasets_of_their_own(play, make_spec):
    google = make_spec(1).model_copy(update={"robot": "google_robot_static", "control_freq": 3})
    data = play([make_spec(0), google])
    assert LeRobotReader(data.path / "dataset/google_robot").cameras == ("observation.images.image",)
    assert len(LeRobotReader(data.path / "dataset/widowx")) == 5
    other = make_spec(2).model_copy(update={"control_freq": 10})
    data = play([make_spec(0), other], out=data.path.parent / "rates")
    names = sorted(path.name for path in (data.path / "dataset").glob("[!.]*"))
    assert names == ["widowx-10fps-48x32-lossless", "widowx-5fps-48x32-lossless"]


def test_what_only_a_simulator_knows_is_no_feature(play, make_spec):
    import pyarrow.parquet as pq

    class Looks(Still):
        needs_privileged = True

    data = play([make_spec(0)], Looks())
    root = data.path / "dataset/widowx"
    rows = pq.read_table(root / "simulator/frames.parquet").to_pylist()
    assert [json.loads(row["privileged"])["objects"]["thing"][0] for row in rows] == [0, 1, 2, 3, 4]
    assert not {"privileged", "qpos"} & LeRobotReader(root).info.features.keys()


def test_a_label_beside_what_was_played_has_a_column_of_its_own(play, make_spec):
    """As for demonstrations by a disturbed expert: ``action`` is what is to be learned."""
    from dataclasses import replace

    from eval.datasets.staging import Recording

    data = play([make_spec(0)])
    staging, key = Staging(data.path / "dataset" / STAGING), next(iter(data.records))
    steps = 5
    recording = Recording(
        data.plan[0], data.records[key], np.zeros((steps, 32, 48, 3), np.uint8), ["do"] * steps, np.eye(7)[[3] * steps],
        np.ones(steps), np.zeros((steps, 1)), np.full((steps, 7), 0.1), np.zeros(steps, bool), [None] * steps,
    )  # fmt: skip
    staging.keep(replace(recording, executed=np.full((steps, 7), 0.3)), "lossless")
    (dataset,) = write_datasets(data)
    reader = LeRobotReader(dataset.path)
    assert (reader.values(0, "action") == 0.1).all()
    assert (reader.values(0, "executed_action") == 0.3).all()


def test_frames_that_cannot_be_kept_cost_no_result(play, make_spec, monkeypatch, capsys):
    def broken(*_):
        raise OSError(28, "No space left on device")

    plan = [make_spec(number) for number in range(20)]
    monkeypatch.setattr("eval.datasets.staging.encode", broken)
    data = play(plan, per_worker=1)
    first = data.record(plan[0].id)
    assert (first.status, first.unwritten) == ("success", "No space left on device")
    assert len(data.records) < 20, "the disk would take no frames of others, either"
    lost, stopped, _, command = capsys.readouterr().err.splitlines()
    assert lost.startswith("simpler-eval: ")
    assert "No space left on device" in lost
    assert stopped.endswith("(No space left on device): free some space.")
    assert "eval.run(plan, policy" in command
    monkeypatch.undo()
    data = play(plan, per_worker=1)
    assert [record.unwritten for record in data.records.values()] == [None] * 20
    assert sorted(ids(LeRobotReader(data.path / "dataset/widowx"))) == sorted(spec.id for spec in plan)


def test_what_cannot_be_recorded_is_said_before_anything_is_made(play, make_spec, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="up to 499 steps"):
        play([make_spec(0, max_steps=500)])
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UserError, match=r"pip install 'simpler-eval\[datasets\]'"):
        play([make_spec(0)])
    monkeypatch.undo()
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    with pytest.raises(UserError, match=r"needs ffmpeg: /nowhere/ffmpeg \(IMAGEIO_FFMPEG_EXE\) is no program"):
        play([make_spec(0)])
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(UserError, match=r"needs ffmpeg: .*imageio_ffmpeg.* --force-reinstall imageio-ffmpeg"):
        play([make_spec(0)])
    assert not (tmp_path / "run").exists()


def test_frames_of_replicas_come_home(play, make_spec):
    plan = [make_spec(i) for i in range(4)]
    data = play(plan, "random", replicas=2, video="all")
    reader = LeRobotReader(data.path / "dataset/widowx")
    assert ids(reader) == [spec.id for spec in plan]
    assert all((frame.images[CAMERA] == frame.step).all() for frame in reader.frames(3))
    assert {record.video is not None for record in data.records.values()} == {True}
    assert len(data.header.sessions[-1].replicas) == 2


def test_statistics_are_those_of_all_frames(play, make_spec):
    data = play([make_spec(0), make_spec(1, max_steps=3)])
    root = data.path / "dataset/widowx"
    actions = np.concatenate([LeRobotReader(root).values(number, "action") for number in range(2)])
    stats = json.loads((root / "meta/stats.json").read_text())
    for name, known in {"mean": actions.mean(0), "std": actions.std(0), "min": actions.min(0), "max": actions.max(0)}.items():
        np.testing.assert_allclose(stats["action"][name], known)
    assert stats["action"]["count"] == [8]
    np.testing.assert_allclose(np.ravel(stats[CAMERA]["max"]), 4 / 255)
    assert load_run(data.path).header.rendered == "all episodes"


def test_values_are_sorted_once_for_all_their_quantiles(monkeypatch):
    values, sorted_, quantile = np.random.default_rng(0).normal(size=(30, 7)), [], np.quantile
    monkeypatch.setattr(np, "quantile", lambda *given, **named: sorted_.append(1) or quantile(*given, **named))
    found = statistics.of_values(values)
    assert len(sorted_) == 1
    for name, share in {"q01": 0.01, "q10": 0.1, "q50": 0.5, "q90": 0.9, "q99": 0.99}.items():
        assert (found[name] == quantile(values, share, axis=0)).all()
