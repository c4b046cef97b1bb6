"""What a policy does on two images of one state: differences of acts and tokens, faults, and keys that are left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from observations import episode_info, observation

from eval.errors import UserError
from eval.parity.recordings.actions import RASTER, TRACED, ActionPair, KindSummary, RecordedState, ask_both, compare_actions
from eval.rollout.interrupts import Interrupts
from eval.rollout.policy_calls import PolicyCalls
from policies.base import Action, EpisodeInfo, Observation, PolicyDescription

KEY = "vm_bridge_carrot_ep10"


class Brightness:
    """Moves along x by the image's mean, in mm; closes on dark images; fails on black ones."""

    needs_image, needs_privileged = True, False

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.over: list[str] = []

    def reset(self, episodes: Sequence[EpisodeInfo]) -> None:
        self.begun += [info.episode for info in episodes]

    def act(self, observations: Sequence[Observation]) -> list[Action]:
        return [self._act(view) for view in observations]

    def _act(self, view: Observation) -> Action:
        assert view.image is not None
        assert view.step == 0
        mean = float(view.image.mean())
        if mean == 0:
            raise ValueError("it is dark")
        turn = [0.0, 0.0, mean / 1000]
        return Action(np.array([mean / 1000, 0, 0, *turn, 1 if mean > 100 else -1]), notes={"ids": [int(mean), 5, 7]})

    def end(self, episodes: Sequence[EpisodeInfo], results: Sequence[object]) -> None:
        self.over += [info.episode for info in episodes]

    def describe(self) -> PolicyDescription:
        return PolicyDescription(name="brightness")

    def close(self) -> None: ...


def grey(level: int) -> NDArray[np.uint8]:
    return np.full((4, 4, 3), level, np.uint8)


def state(ours: int, original: int, frame: str = "f0") -> RecordedState:
    return RecordedState(frame, episode_info(), grey(ours), grey(original), observation(0))


def asked(policy: Brightness, *states: RecordedState) -> list[ActionPair | str]:
    with Interrupts() as interrupts, PolicyCalls(interrupts, policy) as calls:
        return list(ask_both(calls, "key", RASTER, states))


def pair_of(*states: RecordedState) -> ActionPair:
    pair = asked(Brightness(), *states)[0]
    assert isinstance(pair, ActionPair)
    return pair


def test_equal_images_lead_to_equal_acts() -> None:
    pair = pair_of(state(120, 120))
    assert (pair.differs, pair.translation, pair.rotation, pair.gripper_flips) == (False, 0, 0, False)
    assert (pair.image, pair.pixels, pair.tokens_differ, pair.tokens_compared) == (0, 0, 0, 3)


def test_other_images_lead_to_other_acts_and_tokens() -> None:
    pair = pair_of(state(120, 90))
    assert pair.differs
    assert pair.gripper_flips
    assert pair.translation == pytest.approx(0.03)
    assert pair.rotation == pytest.approx(0.03)
    assert (pair.image, pair.pixels, pair.tokens_differ) == (30, 1, 1)
    assert pair.to_json()["translation"] == pair.translation


def test_every_image_begins_an_episode_that_ends_and_both_worlds_have_the_same() -> None:
    policy = Brightness()
    asked(policy, state(120, 90), state(50, 51, "f1"))
    assert policy.begun == policy.over == ["key/f0", "key/f1"] * 2  # chance that follows from the name is the same chance


def test_a_policy_that_fails_costs_the_key_and_says_where() -> None:
    assert asked(Brightness(), state(0, 90)) == ["key f0: policy raised ValueError: it is dark"]


def test_tokens_that_are_no_ids_are_a_fault_of_the_policy() -> None:
    class Ragged(Brightness):
        def _act(self, view: Observation) -> Action:
            return replace(super()._act(view), notes={"ids": [[1], [2, 3]]})

    assert asked(Ragged(), state(120, 90)) == ['key f0: policy gave notes["ids"] that are no array of token ids']


def test_rotations_are_compared_as_rotations() -> None:
    turned = replace(pair_of(state(1, 1)), ours=(0, 0, 0, 0, 0, np.pi, 1), original=(0, 0, 0, 0, 0, -np.pi, 1))
    assert turned.rotation == pytest.approx(0, abs=1e-6)  # half a turn to either side
    assert turned.translation == 0


def test_a_summary_counts_and_averages() -> None:
    pairs = [pair_of(state(120, 90)), pair_of(state(120, 120))]
    summary = KindSummary.of(TRACED, pairs)
    assert (summary.pairs, summary.actions_differ, summary.gripper_flips) == (2, 1, 1)
    assert (summary.tokens_differ, summary.tokens_compared) == (1, 6)
    assert (summary.translation_mean, summary.translation_max) == (pytest.approx(0.015), pytest.approx(0.03))
    assert summary.commanded == pytest.approx(0.105)


def test_a_policy_that_sees_nothing_is_refused(tmp_path: Path) -> None:
    (tmp_path / "frames" / "key").mkdir(parents=True)
    with pytest.raises(UserError, match="Policy oracle looks at no image"):
        compare_actions(tmp_path, "oracle", {})


@pytest.mark.slow
def test_recorded_states_lead_a_policy_that_looks_to_the_same_acts(
    cli: Callable[..., tuple[int, str, str]], bulk: Path, pack: str
) -> None:
    options = ("--policy", "scripted_vision", "--only", f"{KEY},vm_near_none_ep00", "--assets", pack, "--json")
    code, out, _ = cli("parity", "actions", bulk / "images", *options)
    found = json.loads(out)
    assert code == 0
    assert {(pair["key"], pair["frame"]) for pair in found["pairs"]} == {(KEY, "f0"), (KEY, "f1")}
    (kind,) = found["kinds"]
    assert kind["kind"] == "raster"
    assert kind["commanded"] > 0.01
    assert kind["translation_max"] < 1e-4
    assert kind["rotation_max"] < 1e-3
    assert kind["gripper_flips"] == 0
    assert any("left out vm_near_none_ep00" in note for note in found["notes"])
