"""Which policy a text means, and what a run records about a policy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import simpler_eval
from eval.errors import UserError
from policies.base import Policy, PolicyDescription
from policies.random import RandomPolicy
from policies.registry import check_robots, describe, load_policy, policy_names

POLICY = """
from policies.base import Action
class Mine:
    needs_image = False
    needs_privileged = False
    def __init__(self, gain="1"): self.gain = float(gain)
    def reset(self, episodes): pass
    def act(self, observations): return []
    def describe(self): return {"gain": self.gain}
    def close(self): pass
class Half:
    def act(self, observations): return []
class Helper: pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    (tmp_path / "my_robot_policy.py").write_text(POLICY)
    return tmp_path


def test_a_file_and_a_module_of_the_user(folder: Path) -> None:
    for text in ("my_robot_policy.py:Mine", f"{folder}/my_robot_policy.py:Mine", "my_robot_policy:Mine"):
        policy = load_policy(text, {"gain": "2"})
        assert isinstance(policy, Policy)
        assert describe(policy).settings == {"gain": 2.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("my_robot_policy.py:Mime", 'Did you mean "Mine"'),
        ("my_robot_policy.py:Half", "no method reset, describe, close"),
        ("my_robot_policy.py", r"add :ClassName \(it has: Mine, Half\)"),
        ("none.py:Mine", r"none\.py does not exist"),
        ("no_such_module:Mine", 'Cannot import "no_such_module"'),
        ("policies.no_such_module:Mine", r"for your own file write path/to/file\.py:Class"),
        (":Mine", "neither module:Class nor"),
        ("my_robot_policy.py:", "neither module:Class nor"),
        ("randon", 'Did you mean "random"'),
    ],
)
def test_what_cannot_be_found_is_one_line(folder: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_policy(text)


def test_options_that_a_policy_does_not_take(folder: Path) -> None:
    with pytest.raises(UserError, match="cannot be made: ValueError"):
        load_policy("my_robot_policy.py:Mine", {"gain": "much"})
    with pytest.raises(UserError, match="It takes: gain"):
        load_policy("my_robot_policy.py:Mine", {"gian": "1"})


@pytest.mark.parametrize(
    "statement", ["import sys; sys.exit(3)", "import argparse; argparse.ArgumentParser().parse_args(['x'])"]
)
def test_a_file_that_ends_the_program_is_one_line(folder: Path, statement: str) -> None:
    (folder / "exits.py").write_text(statement)
    with pytest.raises(UserError, match=r"exits\.py cannot be loaded: .*SystemExit"):
        load_policy("exits.py:Mine")
    with pytest.raises(UserError, match=r'Cannot import "exits": .*SystemExit'):
        load_policy("exits:Mine")
    (folder / "exits_later.py").write_text(POLICY.replace("self.gain = float(gain)", statement))
    with pytest.raises(UserError, match=r"cannot be made: .*SystemExit"):
        load_policy("exits_later.py:Mine")


def test_names_of_installed_policies() -> None:
    assert {"oracle", "random", "replay"} <= set(policy_names())


class Described(RandomPolicy):
    def __init__(self, description: object) -> None:
        super().__init__()
        self.description = description

    def describe(self):  # type: ignore[override]
        return self.description


def test_an_old_mapping_becomes_a_description() -> None:
    described = describe(
        Described(
            {"name": "x", "seed": np.int64(3), "remarks": "half trained", "checkpoint": Path("a/b"), "gain": np.float32(0.5)}
        )
    )
    assert described == PolicyDescription(
        name="x", seed=3, remarks=("half trained",), settings={"gain": 0.5}, details={"checkpoint": "a/b"}
    )
    assert describe(Described({"settings": {"a": 1}, "b": 2})) == PolicyDescription(name="Described", settings={"a": 1, "b": 2})


def test_a_description_is_taken_as_it_is() -> None:
    description = PolicyDescription(name="x", weights="abc", details={"device": "cpu"})
    assert describe(Described(description)) == description


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "policy Described gives None"),
        ("x", "policy Described gives a str"),
        ({"weights": 3}, "policy Described cannot be recorded: weights"),
        ({"network": object()}, "policy Described cannot be recorded: input was not a valid JSON"),
    ],
)
def test_what_is_no_description_is_one_line(description: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        describe(Described(description))


def test_a_policy_is_asked_for_its_robots_and_any_refusal_is_one_line():
    class Picky(RandomPolicy):
        def check_robots(self, robots):
            if "widowx" in robots:
                raise ValueError("no\nsuch arm")

    check_robots(RandomPolicy(), {"widowx"})
    check_robots(Picky(), {"google_robot"})
    with pytest.raises(UserError, match=r"check_robots\(\) of .*Picky failed: ValueError: no such arm"):
        check_robots(Picky(), {"widowx"})
