"""Rules of the trace processor that no recording shows: presets, batching, bounded memory, wrong use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.errors import UserError
from policies.trace import PRESETS, Clip, GridTracks, TraceProcessor, TraceProcessors, TraceResult
from policies.trace.trackers import TrackerDescription, grid_points

BLANK = np.full((256, 256, 3), 90, np.uint8)


class Drift:
    """Every point drifts 2 px an image to the right; notes all calls."""

    name = "drift"
    one_by_one = True

    def __init__(self, usable: bool = True) -> None:
        self.calls: list[tuple[str, int, int]] = []
        self.sizes: set[int] = set()
        self.usable = usable
        self.forgotten: list[str] = []

    def describe(self) -> TrackerDescription:
        return TrackerDescription(name=self.name)

    def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
        self.calls.append(("dense", len(clips), len(clips[0].images)))
        self.sizes.add(size)
        times = np.arange(len(clips[0].images), dtype=np.float32)[:, None, None] * [2, 0]
        tracks = (grid_points(size) / 2 + times).astype(np.float32)
        return [GridTracks(tracks, np.full(size * size, self.usable)) for _ in clips]

    def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
        self.calls.append(("points", len(clips), len(clips[0].images)))
        return [query[:, 1:] + np.array([2, 0], np.float32) for query in queries]

    def forget(self, episode: str) -> None:
        self.forgotten.append(episode)


def play(processors: TraceProcessors, n: int, episode: str = "a") -> list[TraceResult]:
    return [processors.step({episode: BLANK})[episode] for _ in range(n)]


def dense_steps(tracker: Drift, before: int) -> list[int]:
    """Steps of the dense calls, if a call was made in every step from ``before`` + 1 on."""
    return [before + i for i, (kind, _, _) in enumerate(tracker.calls, start=1) if kind == "dense"]


@pytest.mark.parametrize(
    ("name", "first", "steps", "grid", "rows"),
    [("released", 10, [10, 25, 50, 75], 30, 15), ("paper", 6, [6, 20, 40, 60, 80], 40, 6)],
)
def test_a_preset_sets_grid_period_buffer_and_window(name: str, first: int, steps: list[int], grid: int, rows: int) -> None:
    tracker = Drift()
    processors = TraceProcessors(tracker, PRESETS[name])
    processors.begin("a", 3, 15)
    results = play(processors, 90)
    assert [result.has_trace for result in results] == [False] * (first - 1) + [True] * (91 - first)
    assert dense_steps(tracker, first - 1) == steps
    assert {length for _, _, length in tracker.calls} == {first}
    assert tracker.sizes == {grid}
    assert len(processors.episodes["a"].rows) == rows


def test_the_presets_say_where_they_come_from() -> None:
    assert "our reading of the paper" in PRESETS["paper"].note
    assert "released" in PRESETS["released"].note


def test_many_episodes_cost_one_call_of_each_kind() -> None:
    tracker = Drift()
    processors = TraceProcessors(tracker, PRESETS["released"])
    for episode in "abcdef":
        processors.begin(episode, ord(episode), 15)
    for t in range(12):
        late = set("abc") if t < 2 else set("abcdef")
        processors.step(dict.fromkeys(sorted(late), BLANK))
    assert tracker.calls == [("dense", 3, 10), ("points", 3, 10), ("dense", 3, 10), ("points", 3, 10)]


def test_beginning_anew_forgets_everything_and_draws_the_same() -> None:
    tracker = Drift()
    processors = TraceProcessors(tracker, PRESETS["released"])
    processors.begin("a", 7, 15)
    first = play(processors, 30)
    processors.begin("a", 7, 15)
    second = play(processors, 30)
    assert all(np.array_equal(one.image, two.image) for one, two in zip(first, second, strict=True))
    processors.begin("a", 8, 15)
    third = play(processors, 30)
    assert not np.array_equal(first[12].image, third[12].image)
    assert tracker.forgotten == ["a"] * 3


def test_a_seed_may_be_larger_than_32_bits() -> None:
    processors = TraceProcessors(Drift(), PRESETS["released"])
    processors.begin("a", 2**63 + 5, 15)
    assert play(processors, 10)[-1].has_trace


def test_points_that_the_tracker_does_not_stand_by_are_no_candidates() -> None:
    processors = TraceProcessors(Drift(usable=False), PRESETS["released"])
    processors.begin("a", 3, 15)
    assert not any(result.has_trace for result in play(processors, 30))
    assert processors.episodes["a"].last_failure == 25


def test_memory_stays_bounded_in_a_long_episode() -> None:
    processors = TraceProcessors(Drift(), PRESETS["released"])
    processors.begin("a", 3, 15)
    play(processors, 297)
    state = processors.episodes["a"]
    assert (len(state.rows), state.frames_held) == (15, 10)
    processors.end("a")
    processors.end("never begun")
    assert processors.episodes == {}


def test_an_image_may_be_overwritten_by_its_owner() -> None:
    """Images are kept for ten steps; the memory they came in is not ours."""
    seen: list[Clip] = []

    class Look(Drift):
        def grid(self, clips: Sequence[Clip], size: int) -> list[GridTracks]:
            seen.extend(clips)
            return super().grid(clips, size)

    processors = TraceProcessors(Look(), PRESETS["released"])
    processors.begin("a", 3, 15)
    memory = BLANK.copy()
    for t in range(10):
        memory[:] = t
        processors.step({"a": memory})
    assert [int(image[0, 0, 0]) for image in seen[0].images] == list(range(10))


def test_the_input_is_never_drawn_upon_and_comes_back_itself_without_a_trace() -> None:
    processors = TraceProcessors(Drift(), PRESETS["released"])
    processors.begin("a", 3, 15)
    for _ in range(12):
        image = BLANK.copy()
        result = processors.step({"a": image})["a"]
        assert (result.image is image) == (not result.has_trace)
        assert np.array_equal(image, BLANK)
        assert np.array_equal(result.image, BLANK) == (not result.has_trace)


@pytest.mark.parametrize("image", [BLANK[:, :, 0], np.zeros((256, 256, 4), np.uint8), BLANK.astype(np.float32), BLANK[:128]])
def test_only_rgb_images_of_the_right_size_are_taken(image: NDArray[Any]) -> None:
    processors = TraceProcessors(Drift(), PRESETS["released"])
    processors.begin("a", 3, 15)
    with pytest.raises(ValueError, match="a trace needs RGB images"):
        processors.step({"a": image})
    assert processors.episodes["a"].step == 0


def test_an_episode_that_never_began_is_an_error() -> None:
    with pytest.raises(KeyError, match="has not begun"):
        TraceProcessors(Drift(), PRESETS["released"]).step({"a": BLANK})


def test_an_image_on_which_the_tracker_fails_may_be_given_again() -> None:
    class Failing(Drift):
        def points(self, clips: Sequence[Clip], queries: Sequence[NDArray[np.float32]]) -> list[NDArray[np.float32]]:
            if len(self.calls) == 3:
                self.calls.append(("points", 0, 0))
                raise RuntimeError("a point is lost")
            return super().points(clips, queries)

    undisturbed, disturbed = (TraceProcessors(tracker, PRESETS["released"]) for tracker in (Drift(), Failing()))
    for processors in (undisturbed, disturbed):
        processors.begin("a", 0, 15)
        play(processors, 12)
    with pytest.raises(RuntimeError, match="lost"):
        disturbed.step({"a": BLANK})
    for expected, given in zip(play(undisturbed, 5), play(disturbed, 5), strict=True):
        assert np.array_equal(expected.image, given.image)
    assert disturbed.episodes["a"].step == 17


@pytest.mark.parametrize("window", [0, 1, -1, 1.5, "10", True])
def test_a_window_in_which_nothing_can_be_drawn_is_refused(window):
    with pytest.raises(UserError, match="a whole number of 2 or more"):
        TraceProcessor(window=window)


@pytest.mark.parametrize("image", [None, "image.png", [[0]]])
def test_the_video_goes_on_after_what_is_no_image(image):
    processor = TraceProcessor(window=2)
    with pytest.raises(ValueError, match="the image must be an array"):
        processor.process_image(image)
    overlaid, has_trace = processor.process_image(np.zeros((256, 256, 3), np.uint8))
    assert (overlaid.shape, has_trace) == ((256, 256, 3), False)
