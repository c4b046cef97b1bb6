"""Every file that the tasks name has a stand-in, generated alone when it is first needed, in any number of processes."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import resources
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from eval.assets import stand_ins
from eval.assets.cache import cache_folder
from eval.assets.resolver import Assets
from eval.assets.stand_ins import generator_version, has_stand_in, stand_in_path

APPLE = "data/custom/models/apple/collision.obj"
GOOGLE = "mani_skill2_real2sim/assets/descriptions/googlerobot_description"
URDF = f"{GOOGLE}/google_robot_meta_sim_fix_wheel_fix_fingertip_recolor_sim.urdf"
STONE = "data/custom/models/stone_tabletop.glb"

PRINT = "import sys; from eval.assets.stand_ins import stand_in_path as p; print(p(sys.argv[1]).read_bytes().hex())"


def start(cache: Path, name: str) -> subprocess.Popen[str]:
    """A process with a cache of its own that prints the content of a stand-in."""
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen([sys.executable, "-c", PRINT, name], env=environment, stdout=subprocess.PIPE, text=True)


def generated(cache: Path) -> list[str]:
    """Names of the files in a cache."""
    folder = cache / "simpler-eval/stand_ins" / generator_version() / "files"
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_only_what_is_asked_for_is_generated_and_its_bytes_do_not_depend_on_what_was_before(tmp_path: Path) -> None:
    content = start(tmp_path, APPLE).communicate(timeout=120)[0]
    assert generated(tmp_path) == [APPLE]
    path = stand_in_path(APPLE)  # in a process and a cache that have seen other files
    assert path is not None
    assert content.strip() == path.read_bytes().hex()


def test_many_processes_may_start_with_an_empty_cache(tmp_path: Path) -> None:
    name = "data/real_inpainting/open_drawer_b1.png"
    children = [start(tmp_path, name) for _ in range(4)]
    contents = {child.communicate(timeout=120)[0].strip() for child in children}
    assert len(contents) == 1
    assert contents.pop().startswith(b"\x89PNG".hex())
    assert generated(tmp_path) == [name]  # no half-written file beside it


@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(path.read_bytes()[:50]), Path.unlink])
@pytest.mark.parametrize(("name", "damaged"), [(APPLE, APPLE), ("data/custom/mk_station3.urdf", STONE)])
def test_what_is_damaged_or_lost_is_generated_again(monkeypatch, tmp_path: Path, name: str, damaged: str, damage) -> None:
    monkeypatch.setattr("eval.assets.cache.cache_folder", lambda: tmp_path)
    path = stand_in_path(name)
    assert path is not None
    victim = stand_in_path(damaged)
    assert victim is not None
    good = victim.read_bytes()
    damage(victim)
    stand_ins._checked_path.cache_clear()  # as in another process: each checks a file once
    assert stand_in_path(name) == path  # the cabinet's file is of no use without its table top
    assert victim.read_bytes() == good


def test_the_meshes_of_a_robot_lie_beside_its_urdf(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("eval.assets.cache.cache_folder", lambda: tmp_path)
    path = stand_in_path(URDF)
    assert path is not None
    meshes = {mesh.get("filename", "") for mesh in ElementTree.parse(path).getroot().iter("mesh")}
    assert meshes
    assert all((path.parent / mesh).is_file() for mesh in meshes)


def test_what_no_generator_knows_has_no_stand_in() -> None:
    for name in ("data/real_inpainting/other.png", "data/custom/mk_station9.urdf", "sums.json"):
        assert not has_stand_in(name)
        assert stand_in_path(name) is None


def test_what_is_in_the_cache_is_found_without_the_mesh_libraries() -> None:
    assert stand_in_path(APPLE) is not None
    code = f"import sys; from eval.assets.stand_ins import stand_in_path as p; p({APPLE!r}); print('trimesh' in sys.modules)"
    environment = {**os.environ, "XDG_CACHE_HOME": str(cache_folder().parent)}
    assert subprocess.check_output([sys.executable, "-c", code], env=environment, text=True).strip() == "False"


def test_every_object_and_stage_of_the_tables_has_a_stand_in() -> None:
    folder = resources.files("task_configs")
    tables = yaml.safe_load(folder.joinpath("objects.yaml").read_text())
    models = {model for table in tables.values() for model in table}
    assert {"opened_coke_can", "bridge_carrot_generated_modified"} <= models
    assets = Assets([])
    for model in models:
        assert assets.visual(model).is_file()
        assert assets.collision(model).is_file()
    stages = yaml.safe_load(folder.joinpath("scenes.yaml").read_text())
    files = [stage["file"] for stage in stages.values() if "file" in stage]
    assert files
    for file in files:
        assert assets.path(f"data/{file}").is_file()
    assert assets.record().kind == "stand-ins"
