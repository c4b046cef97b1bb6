"""Which policy a text means, and what a run records about a policy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import simpler_eval
from eval.errors import UserError
from eval.rollout.run import run
from policies.base import EpisodeInfo, Policy, PolicyDescription
from policies.random import RandomPolicy
from policies.registry import check_episodes, check_policy, describe, load_policy, policy_names

POLICY = """
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
class Outer:
    class Inner(Mine): pass
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    (tmp_path / "my_robot_policy.py").write_text(POLICY)
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/net.py").write_text(POLICY + "made = Half()")
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
        ("my_robot_policy.py:Outer.Innr", 'has no "Outer.Innr"'),
        ("lab/net.py:made", r'"made" in lab/net\.py is an instance of Half; name its class: lab/net\.py:Half'),
        ("lab", r"no file with a class; write lab/net\.py:ClassName"),
        ("./lab:Mine", r'"\./lab" is no module; write lab/net\.py:ClassName'),
        ("lab:Mine", r'"lab" is a folder; write lab/net\.py:ClassName'),
        ("lab/nothing", r"write path/to/file\.py:ClassName"),
        ("~/none.py:Mine", "/none.py does not exist"),
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


def test_a_class_within_a_class(folder: Path) -> None:
    assert describe(load_policy("my_robot_policy.py:Outer.Inner", {"gain": "3"})).settings == {"gain": 3.0}


@pytest.mark.parametrize("where", ["at import", "in the constructor"])
def test_a_parser_in_a_policy_gets_nothing_of_our_command_line(
    folder: Path, where: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["simpler-eval", "run", "--policy", "x"])
    parse = "import argparse; p = argparse.ArgumentParser(); p.add_argument('--x', required={}); p.parse_args()"

    def load(required: bool) -> None:
        line = parse.format(required)
        text = f"{line}\n{POLICY}" if where == "at import" else POLICY.replace("self.gain = float(gain)", line)
        (folder / "parses.py").write_text(text)
        load_policy("parses.py:Mine")

    load(required=False)
    with pytest.raises(UserError, match=r"parses\.py.*\(SystemExit: argparse: the following arguments are required: --x\)"):
        load(required=True)
    assert capfd.readouterr() == ("", "")
    assert sys.argv[1] == "run"


async def _awaited(self, *_):
    return None


def _gone_through(self, *_):
    yield


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"reset": _awaited}, "no policy: its reset is async, so a call would do nothing; write it without async"),
        ({"act": _awaited}, "its act is async"),
        ({"end": _awaited}, "its end is async"),
        ({"prepare_observation": _awaited}, "its prepare_observation is async"),
        ({"check_episodes": _gone_through}, "its check_episodes yields, so a call would do nothing"),
        ({"needs_image": "no"}, "its needs_image is 'no'; it must be True or False"),
        ({"needs_privileged": np.zeros(2)}, "its needs_privileged is a ndarray"),
        ({"needs_image": property(lambda self: 1 / 0)}, "needs_image of Odd failed: ZeroDivisionError"),
        ({"needs_imgae": False}, 'says needs_imgae, which nobody reads. Did you mean "needs_image"'),
        ({"reset": None}, "no method reset"),
        ({"end": 3}, "its end is no method"),
        ({"__getattr__": lambda self, name: 1 / 0}, "check_episodes of Odd failed: ZeroDivisionError"),
    ],
)
def test_an_object_that_is_no_policy_is_one_line(make_spec, tmp_path: Path, change: dict[str, object], message: str) -> None:
    odd = type("Odd", (RandomPolicy,), change)()
    with pytest.raises(UserError, match=message):
        run([make_spec(0)], odd, out=tmp_path / "run", world="fake_world")
    assert not (tmp_path / "run").exists()


def test_a_class_in_the_place_of_an_object(make_spec, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"is a class; give an object of it, such as RandomPolicy\(\)"):
        run([make_spec(0)], RandomPolicy, out=tmp_path / "run", world="fake_world")


def test_names_of_installed_policies() -> None:
    assert {"oracle", "random", "replay"} <= set(policy_names())


class Described(RandomPolicy):
    def __init__(self, description: object) -> None:
        super().__init__()
        self.description = description

    def describe(self):  # type: ignore[override]
        return self.description


def said(description: object) -> PolicyDescription:
    """What a policy says of itself, without the hash of this file."""
    described = describe(Described(description))
    assert described.code is not None
    return described.model_copy(update={"code": None})


def test_an_old_mapping_becomes_a_description() -> None:
    mapping = {"name": "x", "seed": np.int64(3), "remarks": "half trained", "checkpoint": Path("a/b"), "gain": np.float32(0.5)}
    assert said(mapping) == PolicyDescription(
        name="x", seed=3, remarks=("half trained",), settings={"gain": 0.5}, details={"checkpoint": "a/b"}
    )
    assert said({"settings": {"a": 1}, "b": 2}) == PolicyDescription(name="Described", settings={"a": 1, "b": 2})


def test_a_description_is_taken_as_it_is() -> None:
    description = PolicyDescription(name="x", weights="abc", details={"device": "cpu"})
    assert said(description) == description


@pytest.mark.parametrize(
    ("description", "args", "settings"),
    [
        (PolicyDescription(name="x"), {"checkpoint": "a/step-5", "gain": "2"}, {"checkpoint": "a/step-5", "gain": "2"}),
        (PolicyDescription(name="x", weights="abc"), {"checkpoint": "a/step-5", "device": "cpu"}, {}),
        (PolicyDescription(name="x", settings={"gain": 2}, seed=0), {"gain": "2", "seed": "0"}, {"gain": 2}),
        (PolicyDescription(name="x", details={"verbose": "1"}), {"verbose": "1", "device": "cuda"}, {}),
        (PolicyDescription(name="x", details={"checkpoint": "a"}), {"checkpoint": "a"}, {"checkpoint": "a"}),
        (PolicyDescription(name="x", details={"ckpt": "/"}), {"ckpt": "/"}, {"ckpt": "/"}),
        (PolicyDescription(name="x", weights="abc", details={"ckpt": "/"}), {"ckpt": "/"}, {}),
        ({"name": "x", "checkpoint": "a"}, {"checkpoint": "a"}, {"checkpoint": "a"}),
        ({"name": "x", "weights": "abc"}, {"checkpoint": "a"}, {}),
    ],
)
def test_what_a_policy_was_made_with_counts_unless_it_is_said(description, args, settings) -> None:
    """Else a run of one checkpoint would go on with, or be pooled with, that of another."""
    assert describe(Described(description), "x", args).settings == settings


def test_our_own_policies_say_what_decides_their_numbers() -> None:
    assert describe(RandomPolicy(seed=3), "random", {"seed": "3", "scale": "1"}) == describe(RandomPolicy(seed=3), "random")


class SaysWhatNobodyCanRead(Exception):
    def __str__(self) -> str:
        raise ValueError


def endless() -> dict[str, object]:
    mapping: dict[str, object] = {}
    mapping["x"] = mapping
    return mapping


@pytest.mark.parametrize(
    ("description", "message"),
    [
        (None, "policy Described gives None"),
        ("x", "policy Described gives a str"),
        ({"weights": 3}, "policy Described cannot be recorded: weights"),
        ({"network": object()}, "policy Described cannot be recorded: network is a object; give a number"),
        ({"settings": {"a": {1, 2}}}, r"cannot be recorded: settings\.a is a set"),
        ({"name": None}, r"cannot be recorded: name: Input should be a valid string, not None"),
        (PolicyDescription.model_construct(name=""), "cannot be recorded: name: String should have at least 1 character"),
        (PolicyDescription.model_construct(name="x", settings={"a": object()}), r"cannot be recorded: settings\.a is a object"),
        (endless(), "cannot be recorded: it is nested too deeply"),
        ({"text": "\udcff"}, "cannot be recorded: text is text that is no Unicode"),
        ({"count": 10**5000}, "cannot be recorded: count is a number of too many digits"),
        ({"curve": [0.5] * 300_000}, r"gives 1\.2 MB, too much"),
    ],
)
def test_what_is_no_description_is_one_line(description: object, message: str) -> None:
    with pytest.raises(UserError, match=message):
        describe(Described(description))


def test_a_policy_is_asked_for_its_episodes_and_any_refusal_is_one_line():
    class Picky(RandomPolicy):
        def check_episodes(self, episodes):
            if "widowx" in [info.robot for info in episodes]:
                raise ValueError("no\nsuch arm")

    widowx, google = (EpisodeInfo("e", "t", robot, "do it", 3, 5, 0) for robot in ("widowx", "google_robot"))
    check_episodes(RandomPolicy(), [widowx])
    check_episodes(Picky(), [google])
    with pytest.raises(UserError, match=r"check_episodes\(\) of .*Picky failed: ValueError: no such arm"):
        check_episodes(Picky(), [google, widowx])


CHECKED = """
from policies.random import RandomPolicy
from eval.errors import UserError

class Checked(RandomPolicy):
    made = 0
    def __init__(self, checkpoint, mode="calm"):
        raise AssertionError("nobody makes it to check its arguments")
    @classmethod
    def check_arguments(cls, arguments):
        if arguments["mode"] == "odd":
            raise ValueError("three\\nlines\\nof text")
        if arguments["mode"] != "calm" or arguments.get("checkpoint") == "gone":
            raise UserError(f"no policy with {sorted(arguments.items())}")

class Unrelated(RandomPolicy):
    def check_arguments(self):
        raise AssertionError("a method of its own, by chance of this name")
"""


def test_arguments_are_checked_without_making_the_policy(tmp_path):
    file = tmp_path / "checked.py"
    file.write_text(CHECKED)
    name = f"{file}:Checked"
    check_policy(name, {"checkpoint": "there"})
    check_policy(name, {}, later=("checkpoint",))
    check_policy(f"{file}:Unrelated", {})
    with pytest.raises(UserError, match=r"^no policy with \[\('mode', 'wild'\)\]$"):
        check_policy(name, {"mode": "wild"}, later=("checkpoint",))
    with pytest.raises(UserError, match=r"no policy with .*gone"):
        check_policy(name, {"checkpoint": "gone"})
    with pytest.raises(UserError, match=r"^check_arguments\(\) of .*:Checked failed: ValueError: three lines of text"):
        check_policy(name, {"checkpoint": "there", "mode": "odd"})
    with pytest.raises(UserError, match="mod has no effect on it"):
        check_policy(name, {"mod": "calm"}, later=("checkpoint",))
    with pytest.raises(UserError, match="missing a required argument: 'checkpoint'"):
        check_policy(name, {})
    check_policy(f"{tmp_path}/gone.py:Gone", {}, own=False)  # whoever makes it says so
