"""Rollout videos: which episodes are filmed, what a frame says, and files that are whole or not there."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import imageio_ffmpeg
import numpy as np
import pytest

from eval.episode import EpisodeSpec
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.results import EpisodeRecord
from eval.records.turns import turns_of
from eval.records.video_frames import picture_size
from eval.records.videos import Film, VideoQueue, VideoRule, scene_path, video_path, view_of, write_video

MakeSpec = Callable[..., EpisodeSpec]
HEIGHT, WIDTH = 96, 128


def record_of(spec: EpisodeSpec, status: str = "success") -> EpisodeRecord:
    return EpisodeRecord(
        id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant, status=status, instruction="pick the can"
    )  # type: ignore[arg-type]


def film_of(spec: EpisodeSpec, steps: int = 4, status: str = "success", brightness: int = 200) -> Film:
    frames = np.full((steps + 1, HEIGHT, WIDTH, 3), brightness, np.uint8)
    return Film(spec, record_of(spec, status), frames, [False] * steps + [status == "success"])


def decoded(path: Path) -> list[np.ndarray]:
    """All frames of a file, as a player shows them."""
    reader = imageio_ffmpeg.read_frames(str(path))
    width, height = next(reader)["size"]
    return [np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader]


@pytest.mark.parametrize(
    ("text", "kind", "first", "view"),
    [
        ("all", "all", 0, False),
        ("none", "none", 0, False),
        ("failures, policy-view", "failures", 0, True),
        ("policy-view", "all", 0, True),
        ("first:3", "first", 3, False),
    ],
)
def test_what_a_user_may_ask_for(text: str, kind: str, first: int, view: bool) -> None:
    assert VideoRule.parse(text) == VideoRule(kind, first, view)


@pytest.mark.parametrize("text", ["first:0", "none,policy-view"])
def test_a_wish_without_effect_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="films nothing"):
        VideoRule.parse(text)


@pytest.mark.parametrize("text", ["", "some", "first", "first:x", "all,failures", "first:-1"])
def test_another_wish_is_one_line_with_the_choices(text: str) -> None:
    with pytest.raises(UserError, match="all, failures, first:N") as error:
        VideoRule.parse(text)
    assert "\n" not in str(error.value)


def test_which_episodes_are_filmed_and_kept(make_spec: MakeSpec) -> None:
    plan = [make_spec(index, task=task) for task in ("a", "b") for index in range(3)]
    turns = [*turns_of(plan, 2)]
    every = {turn.key for turn in turns}
    assert VideoRule.parse("none").film(turns) == set()
    assert VideoRule.parse("all").film(turns) == VideoRule.parse("failures").film(turns) == every
    assert VideoRule.parse("first:2").film(turns) == {turns[i].key for i in (0, 1, 3, 4)}, "two of each task"
    failures = VideoRule.parse("failures")
    assert [failures.keep(record_of(plan[0], status)) for status in ("success", "failure", "errored")] == [False, True, True]


def test_a_path_names_task_variant_index_and_outcome(make_spec: MakeSpec) -> None:
    spec = make_spec(7, variant="standing/camera=alt 1")
    path = video_path(spec, record_of(spec, "failure"))
    assert path == f"videos/fake_task/visual_matching_standing_camera=alt_1/007_failure_{spec.id}.mp4"
    repeated = record_of(spec, "failure").model_copy(update={"repeat": 2})
    assert video_path(spec, repeated) == path.replace(".mp4", "-r2.mp4")


def test_a_video_has_every_image_large_and_below_it_how_it_ends(make_spec: MakeSpec, tmp_path: Path) -> None:
    write_video(tmp_path / "deep" / "a.mp4", film_of(make_spec(0)))
    frames = decoded(tmp_path / "deep" / "a.mp4")
    assert len(frames) == 5
    height, width = picture_size(HEIGHT, WIDTH)
    assert width >= 400, "text could not be read on it"
    assert {frame.shape[1] for frame in frames} == {width}, "nothing stands beside it where the policy noted nothing"
    assert abs(float(frames[0][:height].mean()) - 200) < 5
    assert float(frames[0][height:].mean()) < 100
    last, before = frames[-1][height:], frames[-2][height:]
    green = [int((bar[..., 1].astype(int) - bar[..., 0] > 60).sum()) for bar in (last, before)]
    assert green[0] > 1000 > 10 * green[1], "the verdict is a green field on the last frame"


def test_what_a_policy_saw_stands_beside_the_image(make_spec: MakeSpec, tmp_path: Path) -> None:
    seen = np.zeros((32, 32, 3), np.uint8)
    seen[..., 2] = 250
    film = dataclasses.replace(film_of(make_spec(0)), notes=[{"images": [seen]}] * 4)
    write_video(tmp_path / "a.mp4", film)
    frames = decoded(tmp_path / "a.mp4")
    height, width = picture_size(HEIGHT, WIDTH)
    for frame in (frames[0], frames[-1]):  # the last one still shows what was seen last
        assert abs(float(frame[:height, :width].mean()) - 200) < 5
        blue = frame[:height, width:, 2].astype(int) - frame[:height, width:, 0] > 150
        assert blue.mean() > 0.3, "most of the panel"


RED = np.zeros((40, 40, 3), np.uint8)


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        (["images"], ["Action.notes: they are a list, not a mapping with images, labels and values"]),
        ({"images": [RED[..., 0]]}, ["Action.notes: images[0] has shape (40, 40), not (H, W, 3)"]),
        ({"images": [RED / 255]}, ["Action.notes: images[0] holds float64 values, not uint8 from 0 to 255"]),
        ({"values": ["up"]}, ["Action.notes: could not convert string to float: 'up'"]),
        ({"prompt": "pick"}, ["policy-view: Action.notes holds neither images nor values"]),
        ({"images": [RED, RED, RED]}, ["policy-view: 2 of 3 images were shown"]),
        ({"images": [RED.astype(int)], "labels": (1, 2)}, []),
    ],
)
def test_what_of_the_policy_view_could_not_be_shown_is_said(make_spec: MakeSpec, tmp_path: Path, notes: Any, said: Any) -> None:
    film = film_of(make_spec(0), steps=2)
    assert write_video(tmp_path / "a.mp4", Film(film.spec, film.record, film.frames, film.flags, [notes] * 2)) == said
    assert len(decoded(tmp_path / "a.mp4")) == 3


def test_the_queue_gives_back_records_that_name_their_videos(make_spec: MakeSpec, tmp_path: Path) -> None:
    queue = VideoQueue(tmp_path)
    specs = [make_spec(index) for index in range(5)]
    for spec in specs:
        queue.submit(film_of(spec))
    queue.wait()
    records = queue.collect()
    queue.close()
    assert sorted(record.id for record in records) == sorted(spec.id for spec in specs)
    assert all(record.video is not None and (tmp_path / record.video).stat().st_size > 500 for record in records)
    assert queue.collect() == []


def test_a_video_that_cannot_be_written_costs_no_result(make_spec: MakeSpec, tmp_path: Path) -> None:
    (tmp_path / "videos").write_text("a file where a folder should be")
    queue = VideoQueue(tmp_path)
    queue.submit(film_of(make_spec(0)))
    queue.wait()
    (record,) = queue.collect()
    queue.close()
    assert record.status == "success"
    assert record.video is None
    assert record.video_error
    assert "\n" not in record.video_error
    assert not list(tmp_path.rglob("*.mp4"))


def test_a_video_has_a_poster_and_its_scene_a_picture(make_spec: MakeSpec, tmp_path: Path) -> None:
    queue = VideoQueue(tmp_path)
    film = film_of(make_spec(0))
    film.frames[0] = 40
    late = dataclasses.replace(film_of(make_spec(1, variant="late")), flags=[False] * 9)  # its first images are not kept
    for one in (film, film_of(make_spec(2)), late):
        queue.submit(one)
    queue.wait()
    first, _, last = queue.collect()
    queue.close()
    assert first.video is not None
    assert first.poster == first.video.replace(".mp4", ".jpg")
    poster, video = cv2.imread(str(tmp_path / first.poster))[..., ::-1], decoded(tmp_path / first.video)
    assert np.abs(poster.astype(int) - video[-1]).mean() < 4, "it shows the end"
    scene = cv2.imread(str(tmp_path / scene_path(first.video, film.spec)))
    assert scene.shape == (HEIGHT, WIDTH, 3), "no caption"
    assert abs(float(scene.mean()) - 40) < 2, "what the camera saw first, of the episode that ended first"
    assert last.poster is not None
    assert not (tmp_path / scene_path(last.poster, late.spec)).exists(), "nothing is known of how it began"


def test_every_layout_of_a_variant_has_a_picture_of_its_own(tmp_path: Path) -> None:
    near = [spec for spec in make_plan(tasks=["google_robot_move_near"]) if spec.variant == "urdf=none"]
    other = next(spec for spec in near if view_of(spec) != view_of(near[0]))
    queue = VideoQueue(tmp_path)
    for spec, shade in ((near[0], 40), (near[1], 70), (other, 100)):
        film = film_of(spec)
        film.frames[0] = shade
        queue.submit(film)
    queue.wait()
    names = [scene_path(str(record.video), spec) for record, spec in zip(queue.collect(), (*near[:2], other), strict=True)]
    queue.close()
    assert view_of(near[0]) == view_of(near[1]), "other objects in the same places"
    assert [round(float(cv2.imread(str(tmp_path / name)).mean()), -1) for name in names] == [40, 40, 100]
    apples = {(spec.robot_xy, view_of(spec)) for spec in make_plan(tasks=["google_robot_place_apple_in_closed_top_drawer"])}
    assert len({pose for pose, _ in apples}) == len({view for _, view in apples}) == len(apples) == 3
    assert {view_of(spec) for spec in make_plan(tasks=["google_robot_pick_coke_can", "widowx_stack_cube"])} == {""}
