"""The page of tasks says what the data say, and every image shows the episode that its index names."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest
from PIL import Image

from eval.plan.listing import describe_tasks

REPO = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("tasks_page", REPO / "tools" / "tasks_page.py")
assert spec is not None
assert spec.loader is not None
tool = importlib.util.module_from_spec(spec)
spec.loader.exec_module(tool)

SETTINGS = describe_tasks()
PAGE = (REPO / "docs" / "tasks.md").read_text(encoding="utf-8")
IMAGES = REPO / "docs" / "images"


def test_the_table_on_the_page_is_the_one_that_the_data_give():
    fix = "run tools/tasks_page.py"
    assert tool.with_table(PAGE, tool.table(SETTINGS)) == PAGE, fix
    rows = [line for line in PAGE.splitlines() if line.startswith("| `")]
    assert len(rows) == len({info.task for info in SETTINGS}) == 25
    can = next(row for row in rows if "`google_robot_pick_coke_can`" in row)
    assert "300 episodes, 12 variants" in can
    assert "825 episodes, 33 variants" in can


def test_every_setting_has_a_small_image_of_the_right_episode():
    names = {tool.image_name(info.task, info.setting): info for info in SETTINGS}
    assert {path.name for path in IMAGES.glob("*.jpg")} == set(names)
    assert {Path(src).name for src in re.findall(r'src="(images/[^"]+)"', PAGE)} == set(names)
    index = json.loads((IMAGES / "index.json").read_text())
    assert index == {name: tool.episode_shown(info.task, info.setting).id for name, info in names.items()}


@pytest.mark.parametrize("image", sorted(IMAGES.glob("*.jpg")), ids=lambda path: path.stem)
def test_an_image_is_small(image):
    assert image.stat().st_size <= 25_000
    assert Image.open(image).size in ((320, 256), (320, 240))


def test_images_are_rendered_once_and_anew_where_the_episode_changed(tmp_path):
    name = "widowx_stack_cube.visual_matching.jpg"
    assert tool.render(tmp_path, None, name) == [name]
    assert Image.open(tmp_path / name).size == (320, 240)
    assert tool.render(tmp_path, None, name) == []
    index = json.loads((tmp_path / "index.json").read_text())
    assert list(index) == [name]
    (tmp_path / "index.json").write_text(json.dumps({name: "another episode"}))
    assert tool.render(tmp_path, None, name) == [name]
