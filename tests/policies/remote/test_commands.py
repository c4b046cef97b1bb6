"""From what servers say to what controllers take, and from what robots feel to what servers take."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from policies.base import Proprio
from policies.remote.commands import Commands
from policies.remote.conventions import GripperRule, families, filled, find_family
from policies.remote.grippers import RemoteGripper
from policies.remote.images import resized
from policies.remote.playing import Playing
from policies.remote.states import state_vector
from policies.sticky_gripper import Gripper

TOOL = Rotation.from_euler("xyz", [0.1, 1.4, -0.3])
PROPRIO = Proprio(
    np.array([0.3, -0.1, 0.2], np.float32), np.roll(TOOL.as_quat(), 1).astype(np.float32), 0.8, np.zeros(8, np.float32)
)


@pytest.mark.parametrize("robot", ["widowx", "google_robot"])
def test_a_change_that_is_held_is_that_of_the_original_policies(robot):
    rng = np.random.default_rng(0)
    ours, theirs = RemoteGripper(families()["openvla"].gripper, robot), Gripper(robot)
    for opening in np.repeat(rng.random(60), rng.integers(1, 9, 60)):
        assert ours.command(float(opening)) == theirs.command(float(opening))


def test_position_is_held_as_vla_eval_and_groot_do():
    gripper = RemoteGripper(families()["gr00t"].gripper, "google_robot")
    said = [0.5, 1.0, *[0.0] * 14, 0.0, 0.4, 0.0]
    held = [0.0, *[-1.0] * 15, *[1.0] * 3]  # an opening that begins is held 15 steps, whatever is said meanwhile
    np.testing.assert_allclose([gripper.command(value) for value in said], held)


def test_since_the_last_switch_a_slow_change_adds_up():
    slow = [1.0, 0.7, 0.4, 0.1]
    since = RemoteGripper(families()["cogact"].gripper, "google_robot")
    stepwise = RemoteGripper(families()["openvla"].gripper, "google_robot")
    np.testing.assert_allclose([since.command(value) for value in slow], [0.0, 0.3, 0.6, 0.6])
    np.testing.assert_allclose([stepwise.command(value) for value in slow], [0.0, 0.3, 0.3, 0.3])


def test_what_a_number_says_of_the_gripper_is_the_familys():
    for value, said in (("opening", (0.0, 1.0)), ("sign_open", (-1.0, 1.0)), ("sign_closed", (1.0, -1.0))):
        rule = GripperRule(value=value, widowx="threshold", google_robot="position")
        assert [RemoteGripper(rule, "widowx").command(number) for number in said] == [-1.0, 1.0]
        assert [RemoteGripper(rule, "google_robot").command(number) for number in said] == [1.0, -1.0]
    raw = GripperRule(value="raw", widowx="binary", google_robot="command")
    assert [RemoteGripper(raw, "widowx").command(number) for number in (0.4, 0.6)] == [-1.0, 1.0]
    assert RemoteGripper(raw, "google_robot").command(-0.3) == -0.3


def test_euler_angles_become_a_rotation_vector_and_vectors_stay():
    values = np.array([0.01, 0.02, 0.03, 0.4, -0.5, 0.6, 1.0])
    turned = Commands(families()["cogact"], "widowx").command(values, PROPRIO)
    np.testing.assert_allclose(turned[3:6], Rotation.from_euler("xyz", values[3:6]).as_rotvec())
    kept = Commands(families()["gr00t"], "widowx").command(values, PROPRIO)
    np.testing.assert_array_equal(kept[:6], values[:6])


@pytest.mark.parametrize("robot", ["widowx", "google_robot"])
def test_absolute_poses_become_the_changes_that_lead_there(robot):
    commands = Commands(families()["x-vla"], robot)
    rng = np.random.default_rng(1)
    at, turn = PROPRIO.tcp_position.astype(float), TOOL
    for _ in range(4):
        pose = np.concatenate([rng.normal(size=3), rng.uniform(-1, 1, 3), [1.0]])
        command = commands.command(pose, PROPRIO)
        if robot == "google_robot":  # counted from where the tool is, and it has not moved
            at, turn = PROPRIO.tcp_position.astype(float), TOOL
        at, turn = at + command[:3], Rotation.from_rotvec(command[3:6]) * turn
        np.testing.assert_allclose(at, pose[:3], atol=1e-6)
        np.testing.assert_allclose((turn * Rotation.from_euler("xyz", pose[3:6]).inv()).magnitude(), 0, atol=1e-6)


def test_states_are_laid_out_as_they_are_called():
    position, quaternion = [*PROPRIO.tcp_position], [*PROPRIO.tcp_quaternion]
    np.testing.assert_allclose(state_vector("pose_wxyz_opening", PROPRIO), [*position, *quaternion, 0.8], rtol=1e-6)
    np.testing.assert_allclose(
        state_vector("pose_xyzw_closing", PROPRIO), [*position, *quaternion[1:], quaternion[0], 0.2], rtol=1e-5
    )
    down = Rotation.from_matrix(
        [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    )  # a WidowX that points down has no rotation in Bridge's data
    pointing = Proprio(PROPRIO.tcp_position, np.roll(down.as_quat(), 1).astype(np.float32), 1.0, PROPRIO.qpos)
    np.testing.assert_allclose(state_vector("bridge_rpy_pad_opening", pointing), [*position, 0, 0, 0, 0, 1], atol=1e-6)
    assert state_vector("bridge_rpy_opening", pointing).shape == (7,)


@pytest.mark.parametrize("resampling", ["area", "linear", "lanczos", "pad"])
def test_images_have_the_size_that_is_asked_for(resampling):
    image = np.full((480, 640, 3), 200, np.uint8)
    small = resized(image, (256, 320), resampling)
    assert small.shape == (256, 320, 3)
    assert small.dtype == np.uint8
    assert (small[128] == 200).all()
    assert (small[0] == (0 if resampling == "pad" else 200)).all()  # 4:3 in 5:4 leaves black borders
    assert resized(image, None, resampling) is image


def test_some_of_an_answer_is_played_or_all_are_averaged():
    rows = np.arange(8.0).reshape(4, 2)
    playing = Playing("widowx", 2, None)
    playing.add(rows)
    assert not playing.is_due()
    np.testing.assert_array_equal([playing.next(), playing.next()], rows[:2])
    assert playing.is_due()
    with pytest.raises(ValueError, match="1 actions"):
        playing.add(rows[:1])
    averaged = Playing("widowx", None, families()["cogact"].ensemble.model_copy(update={"alpha": 0.0}))
    averaged.add(rows)
    np.testing.assert_array_equal(averaged.next(), rows[0])
    averaged.add(rows + 10)
    np.testing.assert_allclose(averaged.next(), (rows[1] + rows[0] + 10) / 2)


def test_requests_are_filled_in_and_what_has_no_value_is_left_out():
    template = {"examples": [{"image": ["$image"], "lang": "$instruction"}], "unnorm_key": "$unnorm_key", "steps": 10}
    assert filled(template, {"image": 1, "instruction": "do", "unnorm_key": None}) == {
        "examples": [{"image": [1], "lang": "do"}],
        "steps": 10,
    }


def test_every_family_says_where_it_is_from_and_a_users_own_is_read(tmp_path):
    assert all(family.source for family in families().values())
    mine = tmp_path / "mine.yaml"
    mine.write_text(
        "source: ours\nrotation: euler_xyz\nimage: {size: [64, 64]}\n"
        "gripper: {value: sign_closed, widowx: threshold, google_robot: change}\n"
    )
    assert find_family(str(mine)).image.size == {"widowx": (64, 64), "google_robot": (64, 64)}
