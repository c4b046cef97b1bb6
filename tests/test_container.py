"""The Dockerfile installs what the set-up script installs, and is given what the package is built from."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).parents[1]
DOCKERFILE = (REPO / "Dockerfile").read_text(encoding="utf-8")
SET_UP = (REPO / "tools" / "setup.sh").read_text(encoding="utf-8")
BESIDE_MESA = {"ca-certificates", "python3", "python3-venv", "libxext6", "libegl1"}
"""A machine that runs the set-up has them, or its NVIDIA driver brings them."""


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("container_steps", REPO / "tools" / "container_steps.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def installed() -> list[tuple[str, set[str]]]:
    """Suite and packages of every apt-get install."""
    found = re.findall(r"apt-get install -y -q --no-install-recommends (?:-t (\S+) )?([^&\\]+)", DOCKERFILE)
    return [(suite, set(packages.split())) for suite, packages in found]


def test_system_packages_are_those_of_the_set_up() -> None:
    packages = set(re.search(r'packages="([^"]+)"', SET_UP)[1].split())
    suite = re.search(r"echo (\S+-backports)", SET_UP)[1]
    base = re.search(r"^FROM debian:(\w+)", DOCKERFILE, re.M)[1]
    assert suite == f"{base}-backports"
    assert installed() == [("", BESIDE_MESA), (suite, packages)]


def test_the_build_is_given_what_the_package_is_made_of() -> None:
    given = {line[1:] for line in (REPO / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    packages = {pattern.rstrip("*") for pattern in project["tool"]["setuptools"]["packages"]["find"]["include"]}
    modules = {f"{name}.py" for name in project["tool"]["setuptools"]["py-modules"]}
    files = {project["project"]["readme"], *project["project"]["license-files"], "pyproject.toml", "constraints.txt"}
    assert given == packages | modules | files
    assert all((REPO / name).exists() for name in given)


def test_the_command_runs_as_no_root_and_asks_for_vulkan(tool) -> None:
    steps = [*tool.steps(DOCKERFILE)]
    assert ("USER", "1000") in steps
    assert ("ENTRYPOINT", '["simpler-eval"]') in steps
    environment = " ".join(step.rest for step in steps if step.word == "ENV")
    assert {"graphics", "compute", "utility"} == set(re.search(r"NVIDIA_DRIVER_CAPABILITIES=(\S+)", environment)[1].split(","))
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.search(r"extras=(\S+) &&", DOCKERFILE)[1].split(",")
    assert set(named) <= set(extras)


def test_the_tool_knows_every_instruction(tool) -> None:
    known = {"RUN", "ARG", "ENV", "COPY", "USER", "WORKDIR", *tool.NO_COUNTERPART}
    assert {step.word for step in tool.steps(DOCKERFILE)} <= known
