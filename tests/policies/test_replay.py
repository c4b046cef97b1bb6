"""The policy ``replay``."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
import pytest
from fake_policies import Still
from observations import episode_info, observation

from eval.errors import UserError
from eval.records.folder import load_run
from eval.rollout.run import run
from policies.base import Action
from policies.replay import ReplayPolicy


def test_it_plays_the_file_then_stands_still(tmp_path: Path) -> None:
    own, rest = np.arange(14.0).reshape(2, 7), np.full((1, 7), -1.0)
    np.savez(tmp_path / "a.npz", e=own, actions=rest)
    policy = ReplayPolicy(str(tmp_path / "a.npz"))
    policy.reset([episode_info("e"), episode_info("x")])
    played = [policy.act([observation(step)])[0].command for step in range(3)]
    np.testing.assert_array_equal(played[:2], own)
    np.testing.assert_array_equal(played[2], [0, 0, 0, 0, 0, 0, 13])  # WidowX: the gripper command is absolute
    np.testing.assert_array_equal(policy.act([observation(1, "google_robot")])[0].command, own[1])
    np.testing.assert_array_equal(policy.act([observation(2, "google_robot")])[0].command, np.zeros(7))
    np.testing.assert_array_equal(policy.act([observation(0, episode="x")])[0].command, rest[0])


def test_it_refuses_what_it_cannot_play(tmp_path: Path) -> None:
    np.savez(tmp_path / "six.npz", actions=np.zeros((4, 6)))
    with pytest.raises(UserError, match=r'array "actions" has shape \(4, 6\)'):
        ReplayPolicy(str(tmp_path / "six.npz"))
    np.savez(tmp_path / "other.npz", e=np.zeros((4, 7)))
    with pytest.raises(UserError, match="no actions for episode x"):
        ReplayPolicy(str(tmp_path / "other.npz")).reset([episode_info("x")])
    with pytest.raises(UserError, match="no actions for 2 of 3 episodes, such as x"):
        ReplayPolicy(str(tmp_path / "other.npz")).check_episodes([episode_info(name) for name in "exy"])
    np.savez(tmp_path / "nan.npz", e=np.full((4, 7), np.nan))
    with pytest.raises(UserError, match="not finite"):
        ReplayPolicy(str(tmp_path / "nan.npz"))
    (tmp_path / "text.npz").write_text("text")
    with pytest.raises(UserError, match=r"Cannot read actions from .*text\.npz"):
        ReplayPolicy(str(tmp_path / "text.npz"))
    with pytest.raises(UserError, match=r"none\.npz"):
        ReplayPolicy(str(tmp_path / "none.npz"))


def test_the_record_tells_files_by_content_not_by_place(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    for name, actions in {"a.npz": np.zeros((2, 7)), "elsewhere/b.npz": np.zeros((2, 7)), "c.npz": np.ones((2, 7))}.items():
        np.savez(tmp_path / name, actions=actions)
    first, moved, other = (ReplayPolicy(str(tmp_path / n)).describe() for n in ("a.npz", "elsewhere/b.npz", "c.npz"))
    assert first.settings == moved.settings
    assert first.details != moved.details
    assert first.settings != other.settings


def test_a_single_array_is_for_every_episode(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.ones((2, 7)))
    policy = ReplayPolicy(str(tmp_path / "a.npy"))
    policy.reset([episode_info("x")])
    assert policy.act([observation(1, episode="x")])[0].command.tolist() == [1] * 7


def keep(run: Path, episode: str, commands: np.ndarray, terminates: list[int] | None = None) -> str:
    """As a run keeps what was played."""
    (run / "actions").mkdir(parents=True, exist_ok=True)
    np.save(run / f"actions/{episode}.npy", np.asarray(commands, np.float64))
    if terminates is not None:
        np.save(run / f"actions/{episode}.terminate.npy", np.array(terminates, bool))
    return str(run)


def test_the_folder_of_a_run_with_what_the_policy_said_of_the_end(tmp_path: Path) -> None:
    keep(tmp_path / "run", "whole", np.zeros((80, 7)))
    keep(tmp_path / "run", "short", np.zeros((3, 7)))
    path = keep(tmp_path / "run", "done", np.arange(28.0).reshape(4, 7), [0, 1, 0, 1])
    policy = ReplayPolicy(path)
    policy.check_episodes([episode_info("whole"), episode_info("done")])
    policy.reset([episode_info(name) for name in ("whole", "short", "done")])
    said = {name: [policy.act([observation(step, episode=name)])[0].terminate for step in range(5)]
            for name in ("whole", "short", "done")}  # fmt: skip
    assert said == {
        "whole": [False] * 5,
        "short": [False, False, True, True, True],  # what stopped it then stops it now
        "done": [False, True, False, True, True],
    }
    assert policy.act([observation(1, episode="done")])[0].command.tolist() == list(range(7, 14))
    policy.end([episode_info("done")], [])
    with pytest.raises(UserError, match="no actions for episode x, only those of 3 others"):
        policy.reset([episode_info("x")])
    with pytest.raises(UserError, match="no actions for 1 of 2 episodes, such as x"):
        policy.check_episodes([episode_info("whole"), episode_info("x")])
    before = policy.describe()
    assert before.settings == ReplayPolicy(path).describe().settings
    keep(tmp_path / "run", "done", np.arange(28.0).reshape(4, 7), [0, 0, 0, 1])
    assert ReplayPolicy(path).describe().settings != before.settings


@pytest.mark.parametrize(
    ("episode", "terminates", "message"),
    [("e", [0], r"terminate\.npy holds bool \(1,\); it must be bool \(2,\)"), ("other", None, "only those of 1 others")],
)
def test_a_run_folder_that_does_not_fit(tmp_path: Path, episode: str, terminates: list[int] | None, message: str) -> None:
    path = keep(tmp_path / "run", episode, np.zeros((2, 7)), terminates)
    with pytest.raises(UserError, match=message):
        ReplayPolicy(path).reset([episode_info("e")])
    (tmp_path / "run/actions").rename(tmp_path / "run/elsewhere")
    with pytest.raises(UserError, match="give the folder of a run that was not played with --no-actions"):
        ReplayPolicy(path)


class Subtasks(Still):
    """Says done after each subtask of the fake world's, and remembers what it played."""

    def __init__(self) -> None:
        self.played: dict[str, list[tuple[np.ndarray, bool]]] = {}

    def act(self, observations):
        actions = [Action(np.full(7, o.step / 10), terminate=o.step in (1, 3)) for o in observations]
        for o, action in zip(observations, actions, strict=True):
            self.played.setdefault(o.episode, []).append((action.command, action.terminate))
        return actions


def test_a_replay_in_the_same_world_has_the_same_verdicts(tmp_path: Path, make_spec) -> None:
    plan = [make_spec(index, variant=variant) for index in range(2) for variant in ("base", "subtasks")]
    policy = Subtasks()
    first = run(plan, policy, out=tmp_path / "first", world="fake_world", workers=1, video="none")
    for episode, played in policy.played.items():
        keep(tmp_path / "first", episode, np.array([command for command, _ in played]), [done for _, done in played])
    again = run(
        plan, "replay", policy_args={"path": f"{tmp_path}/first"}, out=tmp_path / "again", world="fake_world", workers=1
    )
    verdicts = [{key: (r.status, r.steps, r.instruction) for key, r in data.records.items()} for data in (first, again)]
    assert verdicts[0] == verdicts[1]
    assert {steps for _, steps, _ in verdicts[0].values()} == {2, 4}
    with pytest.raises(UserError, match="no actions for 1 of 5 episodes"):
        run(
            [*plan, make_spec(9)],
            "replay",
            policy_args={"path": f"{tmp_path}/first"},
            out=tmp_path / "more",
            world="fake_world",
        )
    assert not (tmp_path / "more").exists()
    assert load_run(tmp_path / "again").header.policy.details["file"] == f"{tmp_path}/first"


def test_an_episode_that_was_errored_is_errored_again_after_its_last_action(tmp_path: Path, make_spec) -> None:
    class Fails(Subtasks):
        def act(self, observations):
            if any(o.step == 1 for o in observations):
                raise ValueError("half way")
            return super().act(observations)

    plan = [make_spec(0)]
    run(plan, Fails(), out=tmp_path / "first", world="fake_world", workers=1, video="none")
    again = run(plan, "replay", policy_args={"path": tmp_path / "first"}, out=tmp_path / "again", world="fake_world", workers=1)
    assert "was errored after 1 action" in (again.record(plan[0].id).error or "")


def test_complex_numbers_are_no_actions(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 7), complex))
    with pytest.raises(UserError, match="holds complex128; actions are real numbers"):
        ReplayPolicy(f"{tmp_path}/a.npy")


def npz() -> bytes:
    content = io.BytesIO()
    np.savez(content, a=np.zeros((2, 7)), b=np.zeros((2, 7)))
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "it is a pipe or a device, no file"),
        (b"", "it is empty"),
        (b"x, y, z", "it is neither; it must be an .npz or .npy of numbers"),
        (npz(), "holds 2 arrays; the actions of an episode are one"),
    ],
)
def test_a_file_of_a_run_that_holds_no_actions_is_one_line(tmp_path: Path, content: bytes | None, said: str) -> None:
    """A pipe is not waited for, and nobody is told to trust what somebody pickled."""
    path = keep(tmp_path / "run", "e", np.zeros((2, 7)), None)
    file = tmp_path / "run/actions/e.npy"
    file.unlink()
    os.mkfifo(file) if content is None else file.write_bytes(content)
    with pytest.raises(UserError) as caught:
        ReplayPolicy(path).reset([episode_info("e")])
    assert said in str(caught.value)
    assert "pickle" not in str(caught.value)


def test_a_pipe_or_a_folder_is_no_file_of_actions(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.npy")
    with pytest.raises(UserError, match="it is a pipe or a device, no file"):
        ReplayPolicy(f"{tmp_path}/pipe.npy")
    keep(tmp_path / "run", "e", np.zeros((2, 7)), None)
    (tmp_path / "run/actions/other.npy").mkdir()
    with pytest.raises(UserError, match=r"other\.npy: cannot be read \(it is a folder, no file\)"):
        ReplayPolicy(f"{tmp_path}/run")
