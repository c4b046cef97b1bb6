"""Ray tracing uses the light of the original's SAPIEN, from a copy of the installed shaders that cannot be half made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from eval.assets import cache
from eval.records.header import RenderingRecord
from eval.sim import ray_tracing, shaders


@pytest.fixture
def at(monkeypatch, tmp_path):
    """An empty cache, and a function that asks for the shaders anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def ask():
        cache.cache_folder.cache_clear()
        return shaders.ray_tracing_shaders.__wrapped__()

    yield ask
    cache.cache_folder.cache_clear()


def test_the_copy_differs_from_the_installed_shaders_in_the_lines_that_2_2_2_has_alone(at):
    found = at()
    assert found.light == "sapien-2.2.2"
    installed = shaders._installed()
    assert {file.name for file in Path(found.folder).iterdir()} == set(installed)
    lines = {
        (name, before.strip(), after.strip())
        for name, content in installed.items()
        for before, after in zip(
            content.decode().splitlines(), (Path(found.folder) / name).read_text().splitlines(), strict=True
        )
        if before != after
    }
    assert len(lines) == 3
    assert ("camera.rgen", "// TODO: implement unterminated ray properly", "radiance += attenuation * ambientLight;") in lines


def test_a_copy_that_was_edited_or_half_written_is_made_again(at):
    folder = Path(at().folder)
    whole = {file.name: file.read_bytes() for file in folder.iterdir()}
    (folder / "camera.rgen").write_bytes(b"void main() {")
    (folder / "shading.glsl").unlink()
    assert Path(at().folder) == folder
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == whole


def test_another_sapien_keeps_its_own_shaders_which_the_record_says(at, monkeypatch):
    monkeypatch.setattr(shaders, "KNOWN", "0" * 40)
    assert at() == ("rt", "installed")
    monkeypatch.setattr(ray_tracing, "ray_tracing_shaders", at)
    record = RenderingRecord.model_validate(ray_tracing.record("trace:none"))
    assert record.light == "installed"


def test_a_cache_that_cannot_be_written_means_the_installed_shaders(at, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(cache, "write_whole", refuse)
    assert at() == ("rt", "installed")


def test_many_processes_may_begin_at_once(at, tmp_path):
    code = "from eval.sim.shaders import ray_tracing_shaders as f; print(f().folder)"
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    folders = {child.communicate()[0].strip() for child in children}
    assert folders == {at().folder}
    assert not list(Path(at().folder).glob("*.part"))
