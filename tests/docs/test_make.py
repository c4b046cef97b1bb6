"""What ``make`` makes, in a checkout of its own; packages are found where these tests find theirs, and none are fetched."""

from __future__ import annotations

import re
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from page_shell import Shell, checkout, line, program

SEATS = "tests/rollout/test_seats.py::test_episodes_side_by_side_in_one_worker_end_as_they_do_alone"
FEW = f'PYTEST_ADDOPTS="tests/test_options.py {SEATS}"'
"""Of the tests, some that run beside others and one that does not."""


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """Its environment has pip and all that is installed here, so the set-up has nothing to fetch."""
    folder = checkout(tmp_path_factory.mktemp("there"))
    shell = Shell(folder, path="", PIP_NO_INDEX="1", PIP_NO_BUILD_ISOLATION="0", SIMPLER_EVAL_ASSETS="")
    shell.environment_here(".venv")
    program(shell.bin, "apt-get", "echo the tests install nothing >&2; exit 1")
    if ruff := shutil.which("ruff", path=str(Path(sys.executable).parent)):
        (folder / ".venv/bin/ruff").symlink_to(ruff)
    return shell


def test_help_has_a_line_for_every_target_that_works(there: Shell) -> None:
    targets = set(re.search(r"^\.PHONY: (.*)$", (there.folder / "Makefile").read_text(), re.M)[1].split()) - {"help", "lint"}
    assert set(re.findall(r"^make (\w+) ", there.run("make help"), re.M)) == targets
    for target in targets:
        there.run(f"make -n {target}")


def test_the_set_up_is_done_once_and_then_the_doctor_says_what_works(there: Shell) -> None:
    said = there.run("make setup")
    assert "Successfully installed simpler-eval-" in said
    assert re.search(r"SAPIEN renders on .*\nset-up: done\n$", said), said
    assert there.run("make setup") == ""
    (command,) = there.folder.glob(".venv/bin/simpler-eval")
    said = there.run("make doctor")
    assert re.search(r"^ ok +Image +SAPIEN renders", said, re.M), said
    assert str(command.parent) in said.replace("\n", "").replace(" ", "")


def test_an_extra_is_added_where_it_is_installed(there: Shell) -> None:
    there.run("make setup")
    command = line("docs/remote.md", "simpler-eval[remote]").replace("pip ", ".venv/bin/python -m pip ")
    assert "does not provide the extra" not in there.run(command)


def test_interop_plays_against_a_protocol_that_needs_no_package(there: Shell) -> None:
    there.run("make setup")
    (there.folder / ".venv/.setup-test").write_text((there.folder / ".venv/.setup-core").read_text())
    said = there.run("""make interop ARGS="--only OpenVLA" """)
    assert re.search(r"^\| OpenVLA's HTTP .*\| works \| 2 episodes by `simpler-eval run`, none errored", said, re.M), said


@pytest.mark.slow
def test_the_demo_ends_with_a_page(there: Shell) -> None:
    out = there.run(line("README.md", "make demo")).splitlines()
    page = Path(out[-1])
    assert page.parent.parent.parent.parent == there.folder
    text = page.read_text(encoding="utf-8")
    assert "google_robot_pick_coke_can" in text
    assert "widowx_carrot_on_plate" in text
    assert [*page.parent.parent.glob("oracle/videos/**/*.mp4")]
    if find_spec("torch"):
        assert "openvla_phi3" in text
        assert not [each for each in out if "was left out" in each]


@pytest.mark.slow
def test_lint_and_a_few_tests_and_their_coverage(there: Shell) -> None:
    command = line("README.md", "make test")
    said = there.run(f"{FEW} {command}")
    assert "All checks passed!" in said
    assert re.search(r"^Success: no issues found in \d+ source files", said, re.M), said
    assert re.findall(r"^(\d+) passed", said, re.M)[1:] == ["1"], said
    said = there.run(f"{FEW} make coverage")
    assert re.search(r"^TOTAL +\d+ +\d+ +\d+%", said, re.M), said
    there.run("PYTEST_ADDOPTS=tests/no_such_file.py make coverage", code=2)
    with (there.folder / "eval/version.py").open("a") as file:
        file.write("import os\n")
    assert "imported but unused" in there.run(f"{FEW} {command}", code=2)


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed (make vla)")
def test_vla_is_set_up_once_and_fetches_nothing_where_it_is(there: Shell) -> None:
    there.run("make setup")
    (there.folder / ".venv/.setup-vla").unlink(missing_ok=True)
    said = there.run("make vla")
    assert "set-up: done" in said
    assert "to download and" not in said
    assert there.run("make vla") == ""
