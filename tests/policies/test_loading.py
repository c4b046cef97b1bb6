"""Policies from users' files: what they import, and that it stays apart from ours and from each other's."""

from __future__ import annotations

import importlib
import multiprocessing
import pickle
import subprocess
import sys
from pathlib import Path

import pytest

import policies.base
import simpler_eval
from eval.errors import UserError
from policies.random import RandomPolicy
from policies.registry import code_hash, describe, load_policy

BODY = """
from policies.base import Action
class Mine:
    needs_image = needs_privileged = False
    def reset(self, episodes): pass
    def act(self, observations): return []
    def describe(self): return {"name": "mine", "value": value()}
    def close(self): pass
"""


def write(folder: Path, **files: str) -> Path:
    """``a__b="..."`` is the file ``a/b.py``."""
    for name, text in files.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def value_of(text: object) -> object:
    return describe(load_policy(str(text))).settings["value"]


@pytest.fixture(autouse=True)
def _somewhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")


def test_neighbours_of_two_files_do_not_mix(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / name, mine="from helper import value" + BODY, helper=f"def value(): return '{name}'")
    assert [value_of(tmp_path / name / "mine.py:Mine") for name in ("a", "b", "a")] == ["a", "b", "a"]
    assert "helper" not in sys.modules


def test_relative_imports_within_a_package(tmp_path: Path) -> None:
    write(tmp_path / "lab")
    (tmp_path / "lab/net/sub").mkdir(parents=True)
    (tmp_path / "lab/net/__init__.py").write_text("")
    (tmp_path / "lab/net/sub/__init__.py").write_text("")
    write(tmp_path / "lab/net", helper="def value(): return 1", sub__mine="from ..helper import value" + BODY)
    assert value_of(tmp_path / "lab/net/sub/mine.py:Mine") == 1
    write(tmp_path / "lab/net", sub__other="from net.helper import value" + BODY)
    assert value_of(tmp_path / "lab/net/sub/other.py:Mine") == 1


@pytest.mark.parametrize("where", ["beside", "working folder", "PYTHONPATH"])
@pytest.mark.parametrize("name", ["policies", "eval", "task_configs"])
def test_a_labs_own_package_of_our_name_is_what_its_files_get(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str, name: str
) -> None:
    lab = tmp_path / "lab"
    write(lab, mine=f"from {name}.tools import value\nimport {name} as own\nassert own.OWN" + BODY)
    home = {"beside": lab, "working folder": Path.cwd(), "PYTHONPATH": tmp_path / "path"}[where]
    (home / name).mkdir(parents=True)
    (home / name / "__init__.py").write_text("OWN = True")
    write(home / name, tools=f"from {name}.more import number\ndef value(): return number", more="number = 5")
    if where == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(home))
    assert value_of(f"{lab}/mine.py:Mine") == 5
    assert not hasattr(importlib.import_module(name), "OWN")


def test_ours_is_reached_through_theirs(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/__init__.py").write_text("")
    write(tmp_path / "policies", util="def value(): return 7")
    write(tmp_path, mine="import policies.util\nfrom policies import base\nvalue = policies.util.value" + BODY)
    policy = load_policy(f"{tmp_path}/mine.py:Mine")
    module = sys.modules[type(policy).__module__]
    assert module.base is policies.base
    assert module.Action is policies.base.Action
    assert describe(policy).settings["value"] == 7


def test_a_file_in_a_labs_package_called_policies(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/__init__.py").write_text("")
    write(tmp_path / "policies", util="def value(): return 8", mine="from .util import value" + BODY)
    assert value_of(tmp_path / "policies/mine.py:Mine") == 8


def test_neighbours_within_a_package(tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/__init__.py").write_text("")
    write(tmp_path / "lab", mine="from helper import value" + BODY, helper="def value(): return 3", yaml="raise RuntimeError")
    write(tmp_path / "lab", mine="import yaml\nfrom helper import value" + BODY)
    assert value_of(tmp_path / "lab/mine.py:Mine") == 3


def test_ours_is_reached_through_theirs_that_is_a_file(tmp_path: Path) -> None:
    write(tmp_path, policies="LIMIT = 4", mine="import policies\nfrom policies import base\n"
          "def value(): return policies.LIMIT + len(base.Action.__name__)" + BODY)  # fmt: skip
    assert value_of(tmp_path / "mine.py:Mine") == 4 + len("Action")


@pytest.mark.parametrize("where", ["working folder", "PYTHONPATH"])
def test_a_module_by_its_name_gets_its_labs_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    home = Path.cwd() if where == "working folder" else tmp_path / "path"
    name = f"lab_of_{where[:4]}".lower()
    write(home, **{name: "from policies.util import value" + BODY, "policies__util": "def value(): return 11"})
    if where == "PYTHONPATH":
        monkeypatch.setenv("PYTHONPATH", str(home))
        monkeypatch.syspath_prepend(home)
    policy = load_policy(f"{name}:Mine")
    assert describe(policy).settings["value"] == 11
    assert describe(policy).code is not None


def test_a_module_on_sys_path_gets_the_packages_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as a lab's package that was installed in place (``pip install -e``)."""
    write(
        tmp_path / "src", installed_lab__mine="from policies.util import value" + BODY, policies__util="def value(): return 16"
    )
    monkeypatch.syspath_prepend(tmp_path / "src")
    assert value_of("installed_lab.mine:Mine") == 16


def test_hostile_modules_of_our_names_are_not_run(tmp_path: Path) -> None:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies/__init__.py").write_text("raise RuntimeError")
    write(tmp_path, eval="raise RuntimeError", task_configs="raise RuntimeError")
    write(tmp_path, mine="from eval.errors import UserError\ndef value(): return UserError.__name__" + BODY)
    assert value_of(tmp_path / "mine.py:Mine") == "UserError"


def test_a_module_of_a_labs_package_called_policies_in_the_working_folder() -> None:
    write(Path.cwd() / "policies", mine="def value(): return 9" + BODY)
    assert value_of("policies.mine:Mine") == 9


def test_a_file_of_our_name_hides_a_folder_of_it_as_in_python(tmp_path: Path) -> None:
    write(Path.cwd() / "policies", mine="def value(): return 9" + BODY)
    write(Path.cwd(), policies="")
    with pytest.raises(UserError, match=r"Cannot import \"policies\.mine\": "):
        value_of("policies.mine:Mine")


def test_installed_packages_and_the_standard_library_are_not_hidden(tmp_path: Path) -> None:
    (tmp_path / "yaml").mkdir()  # a folder of data
    write(tmp_path, random="raise RuntimeError")
    write(tmp_path, mine="import random, yaml\ndef value(): return yaml.safe_load('3') + len(random.sample([1], 1))" + BODY)
    assert value_of(tmp_path / "mine.py:Mine") == 4


def test_names_looked_up_at_run_time(tmp_path: Path) -> None:
    body = "import importlib\ndef value(): return importlib.import_module('policies.dynamic_part').value()"
    write(tmp_path, mine=body + BODY, policies__dynamic_part="def value(): return 10")
    assert value_of(tmp_path / "mine.py:Mine") == 10


def test_a_package_looked_up_at_run_time_is_the_one_that_is_imported(tmp_path: Path) -> None:
    for name in ("regular", "bare"):
        body = f"import importlib\nimport {name}.net\ndef value(): return importlib.import_module('{name}.net') is {name}.net"
        write(tmp_path, mine=body + BODY, **{f"{name}__net": ""})
        (tmp_path / "regular/__init__.py").write_text("")
        assert value_of(tmp_path / "mine.py:Mine") is True


def test_modules_of_the_working_folder(tmp_path: Path) -> None:
    write(Path.cwd(), nearby="def value(): return 12", yaml="raise RuntimeError")
    write(tmp_path, mine="import yaml\nfrom nearby import value" + BODY)
    assert value_of(tmp_path / "mine.py:Mine") == 12
    assert str(Path.cwd()) not in sys.path


def test_what_a_file_puts_on_sys_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    add = "import sys\nfrom pathlib import Path\nsys.path.insert(0, str(Path(__file__).parent / 'vendor'))\n"
    write(tmp_path / "a", mine=add + "from policies.special import value\nimport vendored_part" + BODY)
    write(tmp_path / "a", vendor__policies__special="def value(): return 13", vendor__vendored_part="")
    policy = load_policy(f"{tmp_path}/a/mine.py:Mine")
    assert describe(policy).settings["value"] == 13
    write(tmp_path / "a", vendor__vendored_part="changed = True")
    assert code_hash(policy) != describe(load_policy(f"{tmp_path}/a/mine.py:Mine")).code  # it lies in the file's folder


def test_a_namespace_package_of_the_working_folder() -> None:
    write(
        Path.cwd(), labspace__nets__a="def value(): return 14", labspace__pol__mine="from labspace.nets.a import value" + BODY
    )
    assert value_of("labspace/pol/mine.py:Mine") == 14


def test_a_package_whose_folder_no_import_can_name(tmp_path: Path) -> None:
    write(tmp_path / "exp.v1", mine="from .helper import value" + BODY, helper="def value(): return 15")
    (tmp_path / "exp.v1/__init__.py").write_text("")
    assert value_of(tmp_path / "exp.v1/mine.py:Mine") == 15


def test_a_pickle_that_names_a_neighbour(tmp_path: Path) -> None:
    """As a training script beside the file wrote it."""
    body = "import pickle, neighbour\ndef value(): return type(pickle.loads(b'cneighbour\\nNorm\\n)R.')) is neighbour.Norm"
    write(tmp_path, mine=body + BODY, neighbour="class Norm: pass")
    assert value_of(tmp_path / "mine.py:Mine") is True


def test_dataclasses_and_pickles(tmp_path: Path) -> None:
    write(
        tmp_path,
        mine="from dataclasses import dataclass\n@dataclass\nclass Point:\n    x: 'int'\ndef value(): return Point(1).x" + BODY,
    )
    policy = load_policy(f"{tmp_path}/mine.py:Mine")
    assert isinstance(pickle.loads(pickle.dumps(policy)), type(policy))
    assert describe(policy).settings["value"] == 1


def test_a_policys_own_processes(tmp_path: Path) -> None:
    write(tmp_path, mine="from helper import value" + BODY, helper="import os\ndef value(): return os.getpid()")
    policy = load_policy(f"{tmp_path}/mine.py:Mine")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        described = pool.apply(policy.describe)
    assert described["name"] == "mine"
    assert described["value"] != policy.describe()["value"]


def test_the_hash_of_the_code_follows_what_is_imported_and_no_path(tmp_path: Path) -> None:
    def write_lab(name: str, number: int = 1) -> str:
        lab = write(tmp_path / name, unused="", late=f"def value(): return {number}")
        write(lab, mine="def value():\n    from late import value\n    return value()" + BODY)
        return f"{lab}/mine.py:Mine"

    first, moved = load_policy(write_lab("a")), load_policy(write_lab("b"))
    digest = describe(first).code
    assert digest is not None
    assert digest == describe(moved).code == code_hash(first)
    write(tmp_path / "a", unused="x = 1")
    assert describe(load_policy(f"{tmp_path}/a/mine.py:Mine")).code == digest
    changed = load_policy(write_lab("a", number=22))
    assert describe(changed).settings["value"] == 22
    assert describe(changed).code != digest
    assert describe(load_policy("random")).code is None


@pytest.mark.parametrize("statement", ["import_module('late')", "import_module('.late', __package__)"])
def test_modules_that_are_looked_up_by_a_literal_name_are_in_the_hash(tmp_path: Path, statement: str) -> None:
    package = tmp_path / "pkg"
    write(package, mine=f"import importlib\ndef value(): return importlib.{statement}.X" + BODY, late="X = 1")
    if "." in statement:
        (package / "__init__.py").write_text("")
    before = describe(load_policy(f"{package}/mine.py:Mine"))
    write(package, late="X = 20")
    after = describe(load_policy(f"{package}/mine.py:Mine"))
    assert (before.settings["value"], after.settings["value"]) == (1, 20)
    assert before.code != after.code


def test_an_object_from_a_script_has_the_hash_of_its_file(tmp_path: Path) -> None:
    def hashed(helper: str) -> str:
        write(tmp_path, part=helper)
        code = "import simpler_eval, sys; sys.path.insert(0, '.')\nfrom part import value" + BODY
        code += "\nprint(simpler_eval.describe(Mine()).code)"
        write(tmp_path, start=code)
        done = subprocess.run([sys.executable, "start.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    first = hashed("def value(): return 1")
    assert first == describe(load_policy(f"{tmp_path}/start.py:Mine")).code
    assert hashed("def value(): return 2") != first
    assert code_hash(RandomPolicy()) is None
    exec(BODY, typed := {"__name__": "typed", "value": int})
    assert code_hash(typed["Mine"]()) is None


@pytest.mark.parametrize("text", ["import no_such_thing", "1 / 0", "def x(:", "class E(BaseException): pass\nraise E"])
def test_a_file_that_cannot_be_loaded_is_one_line(tmp_path: Path, text: str) -> None:
    write(tmp_path, mine=text)
    with pytest.raises(UserError, match=r"mine\.py cannot be loaded: (ModuleNotFoundError|ZeroDivisionError|SyntaxError|E): "):
        load_policy(f"{tmp_path}/mine.py:Mine")


def test_the_line_of_the_users_file_is_named(tmp_path: Path) -> None:
    write(tmp_path, mine="\nimport helper" + BODY, helper="def f():\n    int('x')\nf()")
    with pytest.raises(UserError, match=r"ValueError: invalid literal .* \(helper\.py, line 2\)"):
        load_policy(f"{tmp_path}/mine.py:Mine")


def test_a_missing_part_of_a_labs_package_is_called_by_its_own_name(tmp_path: Path) -> None:
    write(tmp_path, mine="import helper.part" + BODY, helper="")
    with pytest.raises(UserError, match=r"cannot be loaded: ModuleNotFoundError: No module named 'helper\.part'"):
        load_policy(f"{tmp_path}/mine.py:Mine")
