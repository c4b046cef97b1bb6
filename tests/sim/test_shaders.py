"""Ray tracing uses the light of the original's SAPIEN, from a copy of the installed shaders that cannot be half made."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eval.assets import cache
from eval.records.header import RenderingRecord
from eval.sim import ray_tracing, shaders


@pytest.fixture
def at(monkeypatch, tmp_path):
    """An empty cache, and a function that asks for the shaders anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def ask(early_end=False):
        cache.cache_folder.cache_clear()
        return shaders.ray_tracing_shaders.__wrapped__(early_end)

    yield ask
    cache.cache_folder.cache_clear()


def test_the_copy_differs_from_the_installed_shaders_in_the_lines_that_2_2_2_has_alone(at):
    found = at()
    assert not found.early_end
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
    assert at() == at(early_end=True) == ("rt", "installed", False, False)
    monkeypatch.setattr(ray_tracing, "ray_tracing_shaders", at)
    for choice in ("trace:none", "fast:oidn"):
        record = RenderingRecord.model_validate(ray_tracing.record(choice))
        assert (record.light, record.early_end) == ("installed", False)


def test_a_cache_that_cannot_be_written_means_the_installed_shaders(at, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(cache, "write_whole", refuse)
    assert at() == at(early_end=True) == ("rt", "installed", False, False)


ROOM = """
import json, sys
import numpy as np, sapien
from eval.sim.shaders import cover, ray_tracing_shaders

system = sapien.render.RenderSystem()
sapien.render.set_camera_shader_dir(ray_tracing_shaders(sys.argv[1] == "early").folder)
sapien.render.set_ray_tracing_samples_per_pixel(32)
sapien.render.set_ray_tracing_path_depth(8)
scene = sapien.Scene([sapien.physx.PhysxCpuSystem(), system])
scene.set_ambient_light([0.6] * 3)
walls = [([1, 1, .05], [0, 0, -1]), ([.05, 1, 1], [1, 0, 0]), ([1, .05, 1], [0, 1, 0]), ([1, .05, 1], [0, -1, 0])]
for half, at in [*walls, ([1, 1, .05], [0, 0, 1])]:
    builder = scene.create_actor_builder()
    builder.add_box_visual(half_size=half, material=[0.8, 0.5, 0.3])
    entity = builder.build_kinematic()
    entity.set_pose(sapien.Pose(at))
camera = scene.add_camera("in it", 16, 12, fovy=1.2, near=0.01, far=10.0)
camera.entity.set_pose(sapien.Pose([-0.8, 0, 0]))

def light():
    return np.array(camera.get_picture("HdrColor"), float)[..., :3]
"""
MEAN = """
scene.update_render()
for _ in range(6):  # each with another seed, and the mean of all is kept
    camera.take_picture()
print(json.dumps(light().mean(axis=(0, 1)).tolist()))
"""
COVER = """
seen = []
for body in (None, entity.per_scene_id):
    cover(camera, body)
    scene.update_render()
    camera.take_picture()
    seen.append((light(), np.array(camera.get_picture("Segmentation"))[..., 1]))
(whole, ids), (part, same_ids) = seen
over = ids == entity.per_scene_id
same_ids, same_visible = bool((ids == same_ids).all()), bool((whole[~over] == part[~over]).all())
print(json.dumps([same_ids, int(over.sum()), same_visible, part[over].std() / whole[over].std()]))
"""


def in_room(*scripts):
    """What each ``(which shaders, what is done)`` prints, in processes of their own at once."""
    children = [
        subprocess.Popen([sys.executable, "-c", ROOM + script, which], stdout=subprocess.PIPE, text=True)
        for which, script in scripts
    ]
    return [json.loads(child.communicate()[0].splitlines()[-1]) for child in children]


def test_the_early_end_of_dim_paths_leaves_the_mean_of_an_image_as_it_is():
    """In a room with one open side, where paths are long: without the division by the chance it loses half of its red, with
    ambient light for what ends it has twice as much.
    """
    plain, early = in_room(("plain", MEAN), ("early", MEAN))
    assert plain != early
    assert early == pytest.approx(plain, rel=0.03)


def test_what_a_photo_covers_ends_after_one_sample_and_what_remains_visible_is_the_same_to_the_bit():
    ((same_ids, covered, same_visible, noise),) = in_room(("early", COVER))
    assert 10 < covered < 182
    assert same_ids
    assert same_visible
    assert noise > 2.0


def test_many_processes_may_begin_at_once(at, tmp_path):
    code = "from eval.sim.shaders import ray_tracing_shaders as f; print(f().folder)"
    children = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(4)]
    folders = {child.communicate()[0].strip() for child in children}
    assert folders == {at().folder}
    assert not list(Path(at().folder).glob("*.part"))


def test_images_on_a_cpu_need_no_table_of_reflections(monkeypatch, tmp_path):
    """The copy lacks what makes SAPIEN compute it, finds the files that it includes, and falls back to the installed one."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.cache_folder.cache_clear()
    folder = Path(shaders.raster_shaders.__wrapped__().folder)
    texts = {file.name: file.read_text() for file in folder.iterdir()}
    assert set(texts) == set(shaders._installed("default"))
    assert not any("samplerBRDFLUT" in text for text in texts.values())
    assert (folder / "../common/lights.glsl").is_file()
    monkeypatch.setattr(shaders, "KNOWN_RASTER", "0" * 40)
    assert shaders.raster_shaders.__wrapped__() == ("default", "installed", False, False)
    cache.cache_folder.cache_clear()


@pytest.mark.slow
def test_they_draw_the_same_images_to_the_bit(tmp_path):
    """In two processes, as SAPIEN keeps what it has compiled."""
    program = tmp_path / "draw.py"
    program.write_text(
        "import sys, numpy as np\n"
        "from eval.assets.resolver import Assets\n"
        "from eval.plan.suites import make_plan\n"
        "from eval.sim import ray_tracing\n"
        "from eval.sim.shaders import Shaders\n"
        "from eval.sim.world import World\n"
        "if sys.argv[1] == 'installed': ray_tracing.raster_shaders = lambda depth: Shaders('default', 'installed')\n"
        "world = World(Assets.from_option(None))\n"
        "images = []\n"
        "for task in ('google_robot_pick_coke_can', 'widowx_carrot_on_plate'):\n"
        "    world.begin(make_plan(tasks=[task], limit=1)[0])\n"
        "    images.extend(world.scene.camera.raw())\n"
        "    seen = np.empty_like(images[-2])\n"
        "    world.take_image(seen)\n"
        "    images.append(seen)\n"
        "np.savez(sys.argv[2], *images)\n"
    )
    drawn = {}
    for which in ("installed", "quick"):
        file = tmp_path / f"{which}.npz"
        subprocess.run([sys.executable, program, which, file], check=True)
        with np.load(file) as images:
            drawn[which] = [images[name] for name in images.files]
    for before, after in zip(drawn["installed"], drawn["quick"], strict=True):
        np.testing.assert_array_equal(before, after)
