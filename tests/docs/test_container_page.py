"""docs/container.md line by line: by Docker itself, on a base made by debootstrap, since no registry of images is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from debian import unpacked
from docker_engine import docker_engine, needs_root
from page_shell import REPO, Shell, checkout, line, program

PAGE = "docs/container.md"
TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
"""Whom this machine trusts: behind a proxy, somebody whom a new system does not know."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a checkout with a system of Debian in ``ROOT``."""
    needs_root()
    folder = checkout(tmp_path_factory.mktemp("base"))
    found = unpacked(folder.parent / "debootstrap", "debootstrap")
    shell = Shell(folder, DEBOOTSTRAP_DIR=f"{found['ROOT']}/usr/share/debootstrap")
    shell.environment["PATH"] += f":{found['PATH']}"
    shell.run(line(PAGE, "debootstrap "))
    assert "bookworm" in (folder / "ROOT/etc/os-release").read_text()
    if TRUSTED.is_file():
        (folder / "ROOT/usr/local/share/ca-certificates").mkdir()
        shutil.copy(TRUSTED, folder / "ROOT/usr/local/share/ca-certificates/this-machine.crt")
    yield folder
    shutil.rmtree(folder / "ROOT")


@pytest.fixture(scope="module")
def docker(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """With the page's first image."""
    with docker_engine(tmp_path_factory.mktemp("engine")) as variables:
        work = tmp_path_factory.mktemp("work")
        shell = Shell(work, **variables)
        shell.environment["PATH"] = f"{shell.bin}:{variables['PATH']}"
        shell.run(f"tar -C {base}/ROOT -c . | docker import - debian:bookworm-slim")
        build = line(PAGE, "docker build -t simpler-eval .")
        said = shell.run(f"cd {base} && {build.replace('build ', 'build --network host ')}")
        assert "Successfully tagged simpler-eval:latest" in said
        yield shell


def test_the_image_plays_the_demo_into_the_callers_folder(docker: Shell) -> None:
    out = docker.run(line(PAGE, "docker run", " demo")).splitlines()
    page = docker.folder / Path(out[-1]).relative_to("/work")
    assert page.name == "index.html"
    assert page.stat().st_uid == os.geteuid()
    assert "widowx_carrot_on_plate" in page.read_text(encoding="utf-8")


def test_the_image_needs_no_option_to_help_and_is_no_root(docker: Shell) -> None:
    assert "Usage: simpler-eval " in docker.run("docker run --rm simpler-eval")
    assert docker.run("docker run --rm --entrypoint id simpler-eval -u") == "1000\n"
    with_doctor = re.search(r"`docker run \.\.\. (simpler-eval doctor)`", (REPO / PAGE).read_text(encoding="utf-8"))[1]
    said = docker.run(f"docker run --rm {with_doctor}")
    assert re.search(r"^ ok +Image +SAPIEN renders", said, re.M), said


def test_the_line_for_gpus_lacks_nothing_but_their_toolkit(docker: Shell) -> None:
    """The image with torch is not built here; its name stands for the one without."""
    docker.run("docker tag simpler-eval simpler-eval:cu130")
    command = line(PAGE, "docker run", "--gpus all")
    assert 'could not select device driver "" with capabilities: [[gpu]]' in docker.run(command, code=125)
    said = docker.run(command.replace("--gpus all ", "").replace("DIR", "tiny-random"), code=2)
    assert len(said.splitlines()) == 1
    assert "pip install 'simpler-eval[vla]'" in said


APPTAINER = """
case $1 in
    build) docker image inspect "${3#docker-daemon://}" > "$2" && echo "${3#docker-daemon://}" > "$2" ;;
    run) image=$(cat "$3") && shift 3 && exec docker run --rm --read-only -u 12345:12345 -e HOME="$PWD" \\
        -v "$PWD:$PWD" -w "$PWD" -v /tmp "$image" "$@" ;;
esac"""
"""Stands for Apptainer: the image cannot be written, the caller is who they are, at home and in their own folder."""


def test_the_image_can_be_read_only_and_played_by_anybody(docker: Shell) -> None:
    program(docker.bin, "apptainer", APPTAINER)
    home = docker.folder / "home"
    home.mkdir()
    home.chmod(0o777)
    command, build = re.search(
        r"^(apptainer run .*?)  +# after: (.*)$", (REPO / PAGE).read_text(encoding="utf-8"), re.M
    ).groups()
    few = "--task widowx_carrot_on_plate --limit 1 --max-steps 2"
    said = docker.run(f"cd home && {build} && {command} {few}")
    (page,) = home.glob("results/*/report/index.html")
    assert page.stat().st_uid == 12345
    assert said.splitlines()[-1] == str(page)


def test_the_steps_of_the_dockerfile_run_in_a_folder(base: Path, tmp_path: Path) -> None:
    root = tmp_path / "ROOT"
    subprocess.run(["cp", "-a", str(base / "ROOT"), str(root)], check=True)
    try:
        command = line(PAGE, "python tools/container_steps.py").replace("ROOT", str(root))
        bring = f" --bring {TRUSTED}" if TRUSTED.is_file() else ""
        said = Shell(base).run(command.replace(" -- ", f"{bring} -- "))
        assert re.search(r"^ ok +Image +SAPIEN renders", said, re.M), said
    finally:
        shutil.rmtree(root)
