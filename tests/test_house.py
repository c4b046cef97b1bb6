"""The house keeps its promises: what the README tells exists, and the arrows between the packages hold."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
SHOWN = re.findall(r"```(?:sh|console|bash)\n(.*?)```", (REPO / "README.md").read_text(encoding="utf-8"), re.DOTALL)
COMMANDS = [line.removeprefix("$ ").split("#")[0].strip() for block in SHOWN for line in block.splitlines() if line.strip()]


def imports(folder: str) -> Iterator[tuple[str, str]]:
    """(file, imported module) for every import in a package, in whatever function it hides."""
    for path in sorted((REPO / folder).rglob("*.py")):
        name = str(path.relative_to(REPO))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                yield from ((name, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                yield from ((name, f"{node.module}.{alias.name}") for alias in node.names)


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def test_the_readme_shows_commands() -> None:
    assert "make demo" in COMMANDS
    assert "make test" in COMMANDS


@pytest.mark.parametrize("command", [line for line in COMMANDS if line.startswith("make ")])
def test_a_make_target_in_the_readme_exists(command: str) -> None:
    target = command.split()[1]
    assert re.search(rf"^{re.escape(target)}:", (REPO / "Makefile").read_text(), re.MULTILINE), f"no target {target}"


@pytest.mark.parametrize("verb", sorted({line.split()[1] for line in COMMANDS if line.startswith("simpler-eval ")}))
def test_a_verb_in_the_readme_exists(verb: str) -> None:
    child = subprocess.run(
        [sys.executable, "-c", "from eval.cli import main; main()", verb, "--help"],
        capture_output=True, text=True, check=False, cwd=REPO,
    )  # fmt: skip
    assert child.returncode == 0, child.stderr


@pytest.mark.parametrize("link", re.findall(r"\]\((?!https?:)([^)#]+)", (REPO / "README.md").read_text(encoding="utf-8")))
def test_a_link_in_the_readme_leads_somewhere(link: str) -> None:
    assert (REPO / link).exists()


def test_the_world_knows_no_torch() -> None:
    assert [entry for entry in imports("eval/sim") if within(entry[1], "torch", "transformers")] == []


def test_the_harness_knows_no_concrete_policy() -> None:
    allowed = ("policies.base", "policies.registry")
    found = [entry for entry in imports("eval") if within(entry[1], "policies") and not within(entry[1], *allowed)]
    assert found == []


def test_policies_know_of_the_harness_only_errors_and_the_form_of_a_parity_report() -> None:
    known = [(file, module) for file, module in imports("policies") if within(module, "eval")]
    allowed = {True: ("eval.errors", "eval.parity.report"), False: ("eval.errors",)}
    assert [(file, module) for file, module in known if not within(module, *allowed["/parity/" in file])] == []


def test_task_configs_know_neither_worlds_nor_policies() -> None:
    above = ("policies", "sapien", "torch", "eval.sim", "eval.rollout", "eval.records", "eval.cli", "eval.parity")
    assert [entry for entry in imports("task_configs") if within(entry[1], *above)] == []


ROOMS = ("task_configs", "eval/tasks", "eval/simpler_api", "eval/plan")
"""From the ground up: each may import those before it."""
ABOVE_PLANS = ("eval.assets", "eval.sim", "eval.records", "eval.backends", "eval.rollout", "eval.published", "eval.parity",
               "eval.diagnostics", "eval.simpler_api.dropin", "eval.cli")  # fmt: skip


@pytest.mark.parametrize("room", ROOMS)
def test_what_a_plan_is_made_of_knows_nothing_above_it(room: str) -> None:
    above = (*(later.replace("/", ".") for later in ROOMS[ROOMS.index(room) + 1 :]), *ABOVE_PLANS)
    found = [entry for entry in imports(room) if within(entry[1], *above)]
    assert [entry for entry in found if "/dropin/" not in entry[0]] == []


CORE = (
    "eval",
    "eval.plan.suites",
    "eval.records.tables",
    "eval.rollout.run",
    "policies.base",
    "policies.registry",
    "policies.trace.parity",
    "eval.diagnostics.doctor",
)


@pytest.mark.parametrize("module", CORE)
def test_the_core_is_imported_without_torch_and_tables_without_sapien(module: str) -> None:
    """In a fresh process: what is loaded afterwards is what the import costs a user."""
    code = f"import sys, {module}; print(*sorted({{'torch', 'transformers', 'sapien'}} & sys.modules.keys()))"
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=REPO)
    assert child.returncode == 0, child.stderr
    assert child.stdout.split() == []


def test_every_package_that_the_project_asks_for_is_pinned() -> None:
    project = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *(name for extra in project["optional-dependencies"].values() for name in extra)]
    names = {re.split(r"[^A-Za-z0-9_.-]", line, maxsplit=1)[0].lower().replace("_", "-") for line in asked}
    pins = re.findall(r"^([A-Za-z0-9_.-]+)==", (REPO / "constraints.txt").read_text(), re.MULTILINE)
    assert names - {pin.lower().replace("_", "-") for pin in pins} == set()


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
