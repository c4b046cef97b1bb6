"""The house keeps its promises: what the README tells exists, packages are pinned, and the set-up says what is missing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
SHOWN = re.findall(r"```(?:sh|console|bash)\n(.*?)```", (REPO / "README.md").read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [line.removeprefix("$ ").split("#")[0].strip() for block in SHOWN for line in block.splitlines() if line.strip()]


def test_the_readme_shows_commands() -> None:
    assert "make demo" in COMMANDS
    assert "make test" in COMMANDS


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make ")])
def test_a_make_target_in_the_readme_exists(command: str) -> None:
    target = command.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (REPO / "Makefile").read_text(), re.MULTILINE), f"no target {target}"


@pytest.mark.parametrize("verb", sorted({line.split()[1] for line in COMMANDS if re.match("simpler-eval [a-z]", line)}))
def test_a_verb_in_the_readme_exists(verb: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "from eval.cli import main; main()", verb, "--help"],
        capture_output=True, text=True, check=False, cwd=REPO,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", (REPO / "README.md").read_text(encoding="utf-8")))
def test_a_link_in_the_readme_leads_somewhere(link: str) -> None:
    assert (REPO / link).exists()


def test_every_package_that_the_project_asks_for_is_pinned() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    required = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    names = {re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in required}
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==", (REPO / "constraints.txt").read_text(), re.MULTILINE)
    assert names - {pin.lower().replace("_", "-") for pin in pins} == set()


@pytest.mark.parametrize("package", ["eval", "policies", "task_configs"])
def test_data_files_go_into_the_wheel(package: str) -> None:
    """Pages, tables and recordings that the code reads: a wheel without them fails at its user's."""
    globs = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"][package]
    packed = {path for pattern in globs for path in (REPO / package).glob(pattern)}
    there = {path for path in (REPO / package).rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc")}
    assert {str(path.relative_to(REPO)) for path in there - packed} == set()


def set_up(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The set-up script in a checkout of its own that holds nothing else."""
    (folder / "tools").mkdir(parents=True)
    (folder / "tools" / "setup.sh").write_bytes((REPO / "tools" / "setup.sh").read_bytes())
    for name in ("pyproject.toml", "constraints.txt"):
        (folder / name).write_bytes((REPO / name).read_bytes())
    return subprocess.run(
        ["bash", "tools/setup.sh"], cwd=folder, env={**os.environ, **environment},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_an_old_python_is_one_line_that_says_what_to_do(tmp_path: Path) -> None:
    old = tmp_path / "python3.10"
    old.write_text('#!/bin/sh\ncase "$2" in *version_info*) exit 1;; *) echo 3.10.12;; esac\n')
    old.chmod(0o755)
    done = set_up(tmp_path / "checkout", PYTHON=str(old))
    assert done.returncode == 1
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "3.11" in done.stderr
    assert "3.10.12" in done.stderr


def test_a_user_without_rights_is_told_what_to_ask_for(tmp_path: Path) -> None:
    """A Python without ensurepip, as Debian ships it, and a user who can neither be root nor sudo."""
    bare = tmp_path / "bin" / "python3"
    bare.parent.mkdir()
    bare.write_text(f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; *) exec {sys.executable} "$@";; esac\n')
    for name, text in {"id": "echo 1000", "sudo": "exit 1"}.items():
        (bare.parent / name).write_text(f"#!/bin/sh\n{text}\n")
    for path in bare.parent.iterdir():
        path.chmod(0o755)
    done = set_up(tmp_path / "checkout", PYTHON=str(bare), PATH=f"{bare.parent}:{os.environ['PATH']}")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert f"apt-get install python{sys.version_info[0]}.{sys.version_info[1]}-venv" in done.stderr
