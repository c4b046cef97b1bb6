"""Suite files: all built-in ones load, and a mistake is one line that names the file, the place and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.errors import UserError
from eval.plan.suites import load_suite, make_plan, read_suite, suite_names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "about: x\nparts:\n  - {task: widowx_carot_on_plate, setting: visual_matching}",
            'Did you mean "widowx_carrot',
        ),
        ("about: x\nparts:\n  - {task: widowx_carrot_on_plate, setting: visual}", "parts.0.setting: no setting"),
        ("about: x\nparts:\n  - {task: gone.yaml, setting: visual_matching}", "gone.yaml: there is no such task file"),
        (
            "about: x\nparts:\n  - {task: StackGreenCubeOnYellowCubeBakedTexInScene-v0, setting: visual_matching}",
            "is an environment id; name the task: widowx_stack_cube.",
        ),
        ("about: x\nparts: []", "parts: "),
        ("about: x\nparts:\n\t- a", "line 3, column 1: broken YAML"),
        ("about: x\nparts:\n  - {task: a, seting: b}", 'parts.0: unknown key "seting". Did you mean "setting"?'),
        ("just words", "input should be an object"),
        ("", "input should be an object"),
    ],
)
def test_a_mistake_in_a_suite_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(UserError) as caught:
        read_suite(file)
    message = str(caught.value)
    assert message.startswith((str(file), str(tmp_path / "gone.yaml")))
    assert said in message
    assert "\n" not in message


def test_every_built_in_suite_loads() -> None:
    for name in suite_names():
        assert load_suite(name).parts


def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match=r"binary\.yaml: is no UTF-8 text"):
        read_suite(tmp_path / "binary.yaml")
    with pytest.raises(UserError, match=r"absent\.yaml: cannot be read"):
        read_suite(tmp_path / "absent.yaml")


def test_a_suite_file_of_ones_own_can_be_planned(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text("about: two\nparts:\n  - {task: widowx_carrot_on_plate, setting: visual_matching, limit: 2}\n")
    assert len(make_plan(suite=str(file))) == 2
    file.write_text(file.read_text().replace("limit: 2", "variants: [nothing*]"))
    assert load_suite(str(file)).parts[0].limit is None, "an edited file is read again"
    with pytest.raises(UserError, match=r"No variant of widowx_carrot_on_plate matches 'nothing\*'"):
        make_plan(suite=str(file))


def test_a_pattern_that_matches_nothing_is_said_of_its_place(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("about: x\nparts:\n  - {task: widowx_stack_cube, setting: visual_matching, variants: [zz]}")
    with pytest.raises(UserError, match=r"mine.yaml: parts.0.variants: No variant of widowx_stack_cube matches 'zz'"):
        make_plan(suite=str(file))
