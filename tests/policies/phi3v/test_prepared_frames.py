"""Images prepared for training: whatever ends that, what is prepared is kept, and comes out as if nothing had been."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from demonstrations import Deadly, Killed, MadeUp, Opened

pytest.importorskip("torch", reason="torch is not installed (make vla)")

from eval.errors import UserError
from policies.phi3v.training.frames import Frames, prepare_frames
from policies.phi3v.training.prepared import Prepared, PreparedEpisode
from policies.training import DemonstratedStep, StoppedEarly

LENGTHS = (3, 2, 0, 4)


@dataclass
class Asked(MadeUp):
    """Says which episodes were read."""

    lengths: tuple[int, ...] = LENGTHS
    episodes: list[int] = field(default_factory=list)

    def steps(self, episode: int) -> Iterator[DemonstratedStep]:
        self.episodes.append(episode)
        return super().steps(episode)


@pytest.fixture
def whole(tmp_path: Path) -> Frames:
    return prepare_frames(Asked(), tmp_path / "whole")


def assert_same(ours: Frames, theirs: Frames) -> None:
    for name in ("data", "places", "values", "text", "episode"):
        assert np.array_equal(getattr(ours, name), getattr(theirs, name)), name
    assert ours.texts == theirs.texts


def killed_after(episodes: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    add, added = Prepared.add, []

    def counted(self: Prepared, episode: PreparedEpisode) -> None:
        if len(added) == episodes:
            raise Killed
        added.append(episode)
        add(self, episode)

    with monkeypatch.context() as patch:
        patch.setattr(Prepared, "add", counted)
        with pytest.raises(Killed):
            prepare_frames(Asked(), folder)


@pytest.mark.parametrize("done", [0, 1, 2, 3])
def test_episodes_that_are_prepared_are_not_read_again(whole: Frames, tmp_path: Path, monkeypatch, done: int) -> None:
    killed_after(done, tmp_path / "frames", monkeypatch)
    again = Asked()
    assert_same(prepare_frames(again, tmp_path / "frames"), whole)
    assert again.episodes == [*range(done, len(LENGTHS))]
    assert sorted(path.suffix for path in (tmp_path / "frames").glob("[!.]*")) == [".jpegs", ".npz"]
    assert not [path for path in (tmp_path / "frames").iterdir() if path.suffix in (".part", ".lines")]


def damaged(path: Path, change: str) -> None:
    content = path.read_bytes()
    path.write_bytes({"torn": content[:-9], "more": content + b"more", "nothing": bytes(len(content)), "gone": b""}[change])


@pytest.mark.parametrize("change", ["torn", "more", "nothing", "gone"])
@pytest.mark.parametrize("kind", ["part", "lines"])
def test_only_whole_episodes_are_gone_on_with(whole: Frames, tmp_path: Path, monkeypatch, kind: str, change: str) -> None:
    killed_after(2, tmp_path / "frames", monkeypatch)
    damaged(next((tmp_path / "frames").glob(f".*.{kind}")), change)
    assert_same(prepare_frames(Asked(), tmp_path / "frames"), whole)


def test_who_stops_it_keeps_what_is_prepared(whole: Frames, tmp_path: Path) -> None:
    with pytest.raises(StoppedEarly, match="those that are prepared are kept"):
        prepare_frames(Asked(), tmp_path / "frames", stopping=lambda: True)
    again = Asked()
    assert_same(prepare_frames(again, tmp_path / "frames"), whole)
    assert again.episodes == [1, 2, 3]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core prepares by itself")
def test_a_helper_that_is_killed_is_one_line_and_costs_no_other_episode(tmp_path: Path) -> None:
    lengths = (2,) * 10
    with pytest.raises(UserError, match=r"was killed; was there too little memory\?.*go on with --resume") as error:
        prepare_frames(Deadly(lengths), tmp_path / "frames")
    assert "\n" not in str(error.value)
    again = Asked(lengths)
    assert_same(prepare_frames(again, tmp_path / "frames"), prepare_frames(Asked(lengths), tmp_path / "whole"))
    assert len(again.episodes) < len(lengths)


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="one core prepares by itself")
def test_a_process_that_helps_opens_the_dataset_once_and_has_no_thread_for_every_core(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
    lengths = (1,) * (3 * len(os.sched_getaffinity(0)) + 8)
    prepare_frames(Opened(lengths, folder=str(tmp_path)), tmp_path / "frames")
    opened = list(tmp_path.glob("opened-*"))
    assert 1 <= len(opened) <= len(os.sched_getaffinity(0))
    assert {path.read_text() for path in opened} == {"0"}
    assert "OPENBLAS_NUM_THREADS" not in os.environ, "what is started later is as it was"


def test_two_trainings_prepare_the_same_images_once(whole: Frames, tmp_path: Path) -> None:
    folder, said, looks = tmp_path / "frames", [], []
    folder.mkdir()
    with (folder / ".made-up.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)

        def stopping() -> bool:
            looks.append(1)
            if len(looks) == 3:
                for path in (tmp_path / "whole").iterdir():  # the other one is done
                    (folder / path.name).write_bytes(path.read_bytes())
                fcntl.flock(other, fcntl.LOCK_UN)
            return False

        second = Asked()
        assert_same(prepare_frames(second, folder, stopping, said.append), whole)
    assert second.episodes == []
    assert said == ["another process prepares the images that this one needs, too; waiting for it"]


def test_who_waits_for_another_one_can_be_stopped(tmp_path: Path) -> None:
    with (tmp_path / ".made-up.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(StoppedEarly):
            prepare_frames(Asked(), tmp_path, stopping=lambda: True)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_half_an_index_is_one_line_that_says_what_to_do(whole: Frames, tmp_path: Path, share: float) -> None:
    index = tmp_path / "whole/made-up.npz"
    content = index.read_bytes()
    index.write_bytes(content[: int(share * len(content))])
    with pytest.raises(UserError, match=r"made-up.npz cannot be read .*delete it, and it is made anew") as error:
        prepare_frames(Asked(), tmp_path / "whole")
    assert "\n" not in str(error.value)
