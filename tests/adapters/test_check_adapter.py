"""Errors that are planted are found, and named; what is none of them is not misnamed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from eval.adapters.check import check_adapter
from eval.adapters.observations import ObservedEpisode, gather, load, save
from eval.errors import UserError
from eval.plan.suites import make_plan
from policies.base import EpisodeInfo, Observation, Proprio

POLICIES = Path(__file__).parents[1] / "support" / "adapter_policies.py"
STEPS = 36


def observed(robot, name, seed):
    """A coloured picture that changes step by step."""
    rng = np.random.default_rng(seed)
    info = EpisodeInfo(name, "t", robot, "put the carrot on the plate", STEPS, 5, seed)
    base = rng.integers(0, 256, (8, 10, 3)).astype(np.float64)
    seen = []
    for step in range(STEPS):
        base = np.clip(base + rng.normal(0, 40, base.shape), 0, 255)
        image = np.kron(base, np.ones((15, 16, 1))).astype(np.uint8) // 2 + rng.integers(0, 120, (120, 160, 3), np.uint8)
        quaternion = rng.normal(size=4).astype(np.float32)
        felt = Proprio(
            np.zeros(3, np.float32), quaternion / np.linalg.norm(quaternion), float(rng.random()), np.zeros(8, np.float32)
        )
        seen.append(Observation(name, step, robot, info.instruction, image.astype(np.uint8), felt))
    return ObservedEpisode(info, tuple(seen))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("seen")
    save([observed("google_robot", "g", 1), observed("widowx", "w", 3)], path)
    return path


def compare(folder, policy, reference="Right", **options):
    return check_adapter(f"{POLICIES}:{policy}", f"{POLICIES}:{reference}", observations=folder, **options)


def found(report):
    return {
        robot.robot: (robot.diagnosis.verdict, sorted((finding.side, finding.error) for finding in robot.diagnosis.findings))
        for robot in report.robots
    }


PLANTED = {
    "Inverted": "gripper_inverted",
    "Euler": "rotation_euler",
    "Bgr": "colours_swapped",
    "Linear": "resized_otherwise",
    "Lanczos": "resized_otherwise",
    "Ahead": "off_by_one",
    "Behind": "off_by_one",
    "FullStop": "instruction_full_stop",
    "Millimetres": "translation_millimetres",
}


@pytest.mark.parametrize("policy", PLANTED)
def test_a_planted_error_is_named_for_both_robots_and_on_its_side(folder, policy):
    report = compare(folder, policy)
    assert not report.agree
    for verdict, findings in found(report).values():
        assert verdict == "explained"
        assert findings == [("POLICY", PLANTED[policy])]
    if policy in ("Linear", "Lanczos"):
        text = report.robots[0].diagnosis.findings[0].text
        assert "96 x 96" in text
        assert policy.lower() in text


@pytest.mark.parametrize("policy", ["Inverted", "Euler"])
def test_an_error_of_the_reference_is_told_from_one_of_the_policy(folder, policy):
    for verdict, findings in found(compare(folder, "Right", policy)).values():
        assert verdict == "explained"
        ((side, error),) = findings
        assert error == PLANTED[policy]
        assert side == "REFERENCE" or policy == "Inverted", "which of two is swapped cannot be known"


@pytest.mark.parametrize(("policy", "error"), [("StickyTwice", "gripper_sticky_twice"), ("NotSticky", "gripper_not_sticky")])
def test_a_gripper_that_is_sticky_twice_or_not_at_all_matters_for_the_google_robot(folder, policy, error):
    results = found(compare(folder, policy))
    assert results["google_robot"] == ("explained", [("POLICY", error)])
    assert results["widowx"] == ("agree", [])


def test_two_ways_that_agree_are_said_to_agree(folder):
    report = compare(folder, "Same")
    assert report.agree
    assert all(robot.steps == len(robot.actions) and robot.differing == 0 for robot in report.robots)


@pytest.mark.parametrize(
    ("policy", "errors"),
    [
        ("BgrAndInverted", ["colours_swapped", "gripper_inverted"]),
        ("EulerAndInverted", ["gripper_inverted", "rotation_euler"]),
        ("EulerAhead", ["off_by_one", "rotation_euler"]),
    ],
)
def test_two_errors_at_once_are_both_named(folder, policy, errors):
    for verdict, findings in found(compare(folder, policy)).values():
        assert verdict == "explained"
        assert [error for _, error in sorted(findings, key=lambda entry: entry[1])] == errors


@pytest.mark.parametrize("policy", ["Another", "BgrAndLinear"])
def test_what_is_no_known_error_is_not_misnamed(folder, policy):
    for verdict, findings in found(compare(folder, policy)).values():
        assert verdict in ("unexplained", "likely")
        if policy == "Another":
            assert verdict == "unexplained"
        else:
            assert {error for _, error in findings} <= {"colours_swapped", "resized_otherwise"}


def test_a_model_that_is_not_the_same_twice_is_allowed_its_own_noise(folder):
    report = compare(folder, "Noisy")
    assert all(0 < robot.noise < 1e-3 for robot in report.robots)
    assert report.agree
    for verdict, findings in found(compare(folder, "NoisyEuler")).values():
        assert verdict in ("explained", "likely")
        assert findings == [("POLICY", "rotation_euler")]


def test_the_command_says_what_differs_and_exits_with_1_and_0(folder, cli):
    arguments = ("--against", f"{POLICIES}:Right", "--observations", folder)
    code, out, err = cli("check-adapter", f"{POLICIES}:Euler", *arguments)
    assert code == 1, err
    assert "widowx: POLICY sends Euler angles as a rotation vector [rotation_euler]: all actions agree then" in " ".join(
        out.split()
    )
    assert "REFERENCE" in out
    code, out, _ = cli("check-adapter", f"{POLICIES}:Same", *arguments, "--json")
    assert code == 0
    data = json.loads(out)
    assert data["agree"] is True
    assert len(data["robots"][1]["actions"]) == STEPS
    assert len(data["robots"][1]["actions"][0]["policy"]) == 7


def test_bad_input_is_one_line_and_exit_code_2(folder, cli, tmp_path):
    right = f"{POLICIES}:Right"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "observations.json").write_text("[]")
    cases = {
        ("Right", "--observations", folder): "compared with itself",
        ("Fails", "--observations", folder): "cannot [red]act[/red]",
        ("Missing", "--observations", folder): 'has no "Missing"',
        ("Same", "--observations", tmp_path / "other"): "holds no observations",
        ("Same", "--observations", tmp_path / "broken"): "cannot be read",
        ("Same", "--observations", folder, "--task", "widowx_stack_cube"): "no effect",
        ("Same", "--observations", folder, "--steps", "3"): "--steps has no effect",
        ("Same", "--policy-arg", "x"): "not NAME=VALUE",
    }
    for (policy, *more), expected in cases.items():
        code, out, err = cli("check-adapter", f"{POLICIES}:{policy}", "--against", right, *more)
        assert code == 2, (policy, more)
        assert out == ""
        assert expected in err
        assert err.startswith("simpler-eval: ")


@pytest.mark.slow
def test_observations_are_gathered_of_both_robots_the_same_every_time_and_kept(tmp_path):
    plan = make_plan(tasks=["google_robot_pick_coke_can", "widowx_carrot_on_plate"], limit=1, max_steps=3)
    episodes = gather(plan)
    again = gather(plan)
    assert [episode.info.robot for episode in episodes] == [episode.info.robot for episode in again]
    assert {episode.info.robot for episode in episodes} == {"google_robot", "widowx"}
    save(episodes, tmp_path / "seen")
    kept = load(tmp_path / "seen")
    for one, other, read in zip(episodes, again, kept, strict=True):
        assert len(one.observations) == 3
        for first, second, third in zip(one.observations, other.observations, read.observations, strict=True):
            np.testing.assert_array_equal(first.image, second.image)
            np.testing.assert_array_equal(first.image, third.image)
            np.testing.assert_array_equal(first.proprio.qpos, third.proprio.qpos)
            assert first.instruction == third.instruction


def test_a_world_that_fails_is_said(tmp_path, make_spec):
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(UserError, match="was lost"):
        gather([make_spec(0, variant="raise_always")], str(marks), "fake_world")


def test_a_policy_that_fails_to_close_costs_a_line_and_not_the_report(folder, tmp_path, cli):
    (tmp_path / "late.py").write_text(
        "from adapter_policies import Right\n"
        "class Late(Right):\n"
        "    def close(self):\n"
        "        raise OSError('the socket is gone')\n"
    )
    name = f"{tmp_path}/late.py:Late"
    code, out, err = cli("check-adapter", name, "--against", f"{POLICIES}:Right", "--observations", folder)
    assert code == 0
    assert "all 36 actions agree" in out
    assert err == f"simpler-eval: close() of {name} failed: policy raised OSError: the socket is gone\n"
