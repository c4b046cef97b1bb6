"""Both policies, from camera image to action, on the tiny checkpoint."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from eval.errors import UserError
from policies.base import EpisodeResult, Policy

torch = pytest.importorskip("torch", reason="torch is not installed (make vla)")

from eval.backends.cards import Card
from eval.rollout.replicas.placement import Placement
from policies.openvla_phi3 import OpenVLAPhi3
from policies.phi3v.action_postprocessing import Gripper
from policies.phi3v.device import known_name
from policies.tracevla_phi3 import TraceVLAPhi3

KINDS = {"openvla_phi3": OpenVLAPhi3, "tracevla_phi3": TraceVLAPhi3}
TELL = [("put the carrot on the plate", "widowx"), ("open top drawer", "google_robot"), ("close it", "google_robot"),
        ("stack the green block on the yellow block, which stands far away", "widowx")]  # fmt: skip


@pytest.fixture(scope="module", params=KINDS)
def policy(request: pytest.FixtureRequest, tiny: Path) -> Policy:
    return KINDS[request.param](str(tiny), device="cpu")


def test_an_episode_of_each_robot(policy: Policy, make_info, make_seen) -> None:
    assert isinstance(policy, Policy)
    for robot in ("widowx", "google_robot"):
        policy.reset([make_info(robot=robot)])
        start, traced = time.perf_counter(), 0
        for step in range(14):
            action = policy.act([make_seen(step, robot=robot)])[0]
            assert action.command.shape == (7,)
            assert np.isfinite(action.command).all()
            assert (np.abs(action.notes["values"][:3]) <= 0.07).all()
            assert [p.shape for p in action.notes["images"]] == [(336, 336, 3)] * (1 + (policy.name == "tracevla_phi3"))
            traced += action.notes["trace"]
            assert action.notes["trace"] == ("historial traces" in action.notes["prompt"])
            assert len(action.notes["labels"]) == len(action.notes["images"])
            if robot == "widowx":
                assert action.command[6] in (-1.0, 1.0)
        assert (time.perf_counter() - start) / 14 < 2  # 0.05 s where nothing else runs
        assert (traced > 0) == (policy.name == "tracevla_phi3")


@pytest.mark.parametrize("name", KINDS)
def test_a_mixed_batch_is_the_same_as_one_by_one(tiny: Path, name: str, make_info, make_seen) -> None:
    options, steps = ({"trace_preset": "paper"}, 7) if name == "tracevla_phi3" else ({}, 3)
    policy = KINDS[name](str(tiny), device="cpu", **options)
    episodes = [(f"e{i}" + "x" * i, *TELL[i % 4]) for i in range(8)]

    def begin() -> None:
        policy.reset([make_info(name, robot, text, seed=3) for name, text, robot in episodes])

    def moment(i: int, step: int):
        name, text, robot = episodes[i]
        return make_seen(step, name, robot, text)

    begin()
    order = np.random.default_rng(0)
    together = []
    for step in range(steps):  # at the end, some have a trace and a longer prompt
        places = order.permutation(8)
        answers = dict(zip(places, policy.act([moment(i, step) for i in places]), strict=True))
        together.append([answers[i] for i in range(8)])
    traces = [action.notes["trace"] for action in together[-1]]
    assert any(traces) == (name == "tracevla_phi3")
    begin()
    for i in range(8):
        for step in range(steps):
            alone = policy.act([moment(i, step)])[0]
            np.testing.assert_array_equal(alone.command, together[step][i].command)
            assert alone.notes["prompt"] == together[step][i].notes["prompt"]
    begin()
    again = policy.act([moment(0, 0)])[0]
    np.testing.assert_array_equal(again.command, together[0][0].command)


@pytest.mark.parametrize("ahead", [False, True])
def test_a_changed_instruction_begins_anew(policy: Policy, make_info, make_seen, ahead: bool) -> None:
    policy.reset([make_info(robot="google_robot")])
    for step in range(12):
        policy.act([make_seen(step, robot="google_robot")])
    gripper = policy._episodes["e"].gripper
    assert gripper.previous is not None
    seen = make_seen(12, robot="google_robot", instruction="something else")
    if ahead:
        policy.prepare_observation(seen)
    action = policy.act([seen])[0]
    assert policy._episodes["e"].gripper is not gripper
    if isinstance(policy, TraceVLAPhi3):
        assert policy.traces.episodes["e"].step == 1
    assert action.command[6] == 0.0
    assert action.notes["prompt"].endswith("robot take to something else?")
    assert not action.notes["trace"]


def test_grey_and_transparent_frames_are_seen_as_colour(policy: Policy, make_info, make_seen, make_frame) -> None:
    policy.reset([make_info(name) for name in "abcd"])
    grey = make_frame(1, (100, 90))
    colour = np.repeat(grey[:, :, None], 3, axis=2)
    shapes = [colour, grey, grey[:, :, None], np.concatenate([colour, np.full_like(colour[:, :, :1], 9)], axis=2)]
    actions = policy.act([make_seen(0, name, image=image) for name, image in zip("abcd", shapes, strict=True)])
    assert len({action.command.tobytes() for action in actions}) == 1


@pytest.mark.parametrize(
    ("image", "words"),
    [
        (np.zeros((10, 10, 2), np.uint8), r"must be \(height, width, 3\)"),
        (np.zeros((0, 10, 3), np.uint8), r"must be \(height, width, 3\)"),
        (np.zeros((10, 10, 3), np.float32), "must be uint8"),
    ],
)
def test_what_is_no_image_is_an_error(policy: Policy, make_info, make_seen, image: np.ndarray, words: str) -> None:
    policy.reset([make_info()])
    with pytest.raises(UserError, match=words):
        policy.act([make_seen(image=image)])


@pytest.mark.parametrize(
    ("text", "words"),
    [("", "is empty"), (" \n", "is empty"), ("go " * 1000, "3000 characters"), ("see <|image_1|>", "name each of them once"),
     ("\u20ac" * 1900, "the model takes at most 4089")],
)  # fmt: skip
def test_an_impossible_instruction_is_an_error(policy: Policy, make_info, make_seen, text: str, words: str) -> None:
    def play() -> None:
        policy.reset([make_info(instruction=text)])
        policy.act([make_seen(instruction=text)])

    with pytest.raises(UserError, match=words) as error:
        play()
    assert "\n" not in str(error.value)
    policy.reset([make_info()])
    with pytest.raises(UserError, match=words):
        policy.act([make_seen(instruction=text)])
    policy.reset([make_info()])
    assert len(policy.act([make_seen()])) == 1  # it goes on afterwards


def test_an_episode_that_never_began_is_an_error(policy: Policy, make_seen) -> None:
    with pytest.raises(UserError, match="was not begun"):
        policy.act([make_seen(episode="stranger")])
    assert policy.act([]) == []


def test_episodes_that_are_over_are_forgotten_and_no_others(tiny: Path, make_info, make_seen) -> None:
    policy = TraceVLAPhi3(str(tiny), device="cpu")
    infos = [make_info(f"{i}") for i in range(300)]
    policy.reset(infos)
    policy.act([make_seen(59, "299"), make_seen(3, "298"), make_seen(3, "0")])
    policy.end(infos[:2], [EpisodeResult("success", 3), EpisodeResult("errored", 0, "the world failed")])
    with pytest.raises(UserError, match="was not begun"):
        policy.act([make_seen(4, "0")])
    policy.reset([make_info("next")])
    left = {*(f"{i}" for i in range(2, 299)), "next"}  # 299 had its last action: gone, also where nobody calls end
    assert policy._episodes.keys() == left
    assert set(policy.traces.episodes) == left
    policy.end([make_info("299"), make_info("stranger")], [EpisodeResult("failure", 60)] * 2)
    assert policy._episodes.keys() == left
    policy.act([make_seen(4, "298")])
    policy.close()
    assert not policy.traces.episodes


def test_the_record_says_what_was_used(tiny: Path, make_info, make_seen) -> None:
    policy = TraceVLAPhi3(str(tiny), device="cpu", generation="full", trace_preset="paper", tracker="lucas_kanade")
    policy.reset([make_info()])
    policy.act([make_seen()])
    record = policy.describe()
    assert record.name == "tracevla_phi3"
    assert record.remarks == ("full vocabulary", "traces by lucas_kanade, not CoTracker", "trace preset paper")
    assert record.dtype == "float32"
    assert record.generation == "full"
    assert record.preset == "paper"
    assert record.tracker == "lucas_kanade"
    assert len(record.weights or "") == 64
    assert record.unnorm_keys == {"widowx": "bridge_orig", "google_robot": "fractal20220817_data"}
    assert record.settings == {}
    assert record.details["tokens"] == 7
    assert 0 < record.details["tokens_whose_likeliest_id_is_no_action"] <= 7


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"trace_preset": "papr"}, 'Did you mean "paper"?'),
        ({"tracker": "optical"}, "optical"),
        ({"tracker_checkpoint": "gone.pth"}, "gone.pth"),
    ],
)
def test_a_wrong_option_of_the_trace_is_one_line(tiny: Path, options: dict[str, str], words: str) -> None:
    with pytest.raises(UserError) as error:
        TraceVLAPhi3(str(tiny), **options)
    assert words in str(error.value)


def test_random_weights_are_said_in_every_title(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert OpenVLAPhi3("tiny-random", device="cpu").describe().remarks == ("RANDOM WEIGHTS",)


def test_bfloat16_works_on_the_cpu(tiny: Path, make_info, make_seen) -> None:
    policy = OpenVLAPhi3(str(tiny), device="cpu", dtype="bf16")
    policy.reset([make_info()])
    assert np.isfinite(policy.act([make_seen()])[0].command).all()
    assert policy.describe().dtype == "bfloat16"


def test_a_google_gripper_repeats_a_big_change_fifteen_times() -> None:
    gripper = Gripper("google_robot")
    assert gripper.command(1.0) == 0.0
    assert [gripper.command(value) for value in [0.0] * 3 + [1.0] * 12] == [1.0] * 15
    assert gripper.command(1.0) == 0.0


def test_a_replica_that_sees_its_gpu_alone_names_it_as_the_run_does(monkeypatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "NVIDIA H200")
    card = Card(number=1, name="NVIDIA H200")
    assert known_name(torch.device("cuda:0")) == "cuda:0 (NVIDIA H200)"
    for name, value in Placement("replica 2", card).environment.items():
        monkeypatch.setenv(name, value)
    assert known_name(torch.device("cuda:0")) == known_name(torch.device("cuda")) == str(card)
    assert known_name(torch.device("cpu")) == "cpu"
