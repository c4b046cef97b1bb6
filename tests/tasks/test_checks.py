"""A task file whose episodes would be the same, or of which something would have no effect, is refused with the place."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.errors import UserError
from eval.tasks.loading import read_task
from eval.tasks.user_tasks import BUILT_IN

CAN, CARROT, DRAWER = "google_robot_pick_coke_can", "widowx_carrot_on_plate", "google_robot_open_top_drawer"
NEAR, PLACE = "google_robot_move_near", "google_robot_place_in_closed_drawer"
PLACES = "robot_places: [a0, a1, a2, b0, b1, b2, c0, c1, c2]"
AXES = "episodes: {ids: 24}", "axes: [%s]\n    episodes: {ids: 24}"
GRID = "{x: [-0.35, -0.12, 5], y: [-0.02, 0.42, 5]}"


@pytest.mark.parametrize(
    ("base", "right", "wrong", "said"),
    [
        (CARROT, "ids: 24", "ids: 30", "visual_matching.episodes.ids: is 30, but there are 24 different placements"),
        (CARROT, "ids: 24", "x: [0, 1, 3], y: [0, 1, 2]", "x and y have no effect in the family put_on; give ids"),
        (DRAWER, PLACES, "x: [0, 1, 3], y: [0, 1, 2]", "x and y have no effect in the family drawer"),
        (DRAWER, PLACES, "ids: 3", "ids has no effect in the family drawer"),
        (CAN, GRID, "{ids: 3}", "ids has no effect in the family grasp; give x and y"),
        (CAN, GRID, "{x: [0.1, 0.1, 5], y: [0, 1, 2]}", "x is 5 times 0.1: the same episodes again and again"),
        (CAN, GRID, "{x: [0, 1, 1000000000], y: [0, 1, 2]}", "episodes; at most 200000 are possible"),
        (DRAWER, "[a0, a1,", "[a0, a0,", "robot_places: a0 is there twice"),
        (DRAWER, PLACES, f"seeds: 10, {PLACES}", "seeds sample the place of the robot, too"),
        (DRAWER, PLACES, f"robot_x: [0, 1, 2], robot_y: [0, 1, 2], {PLACES}", "give either robot_x and robot_y or"),
        (DRAWER, "scene: dummy_drawer", "robot_xy: [1, 0]", "setup.robot_xy: has no effect, as episodes.robot_places"),
        (DRAWER, "scene: dummy_drawer", "place_choices: [a0]", "robot_places has no effect, as place_choices"),
        (CARROT, AXES[0], AXES[1] % "{a: {}, b: {lighting: default, max_steps: 60}}", "a and b are the same; their"),
        (CARROT, AXES[0], AXES[1] % "{a: {}, b: {robot_quat: [0, 0, 0, -1]}}", "a and b are the same; their"),
        (CARROT, AXES[0], AXES[1] % "{a: {}, all: {max_steps: 2}}", 'a variant is called "all", as tables call their total'),
        (CARROT, AXES[0], AXES[1] % "{}", "axes.0: is empty"),
        (CARROT, AXES[0], AXES[1] % "{a/b: {}, a: {max_steps: 2}}, {c: {}, b/c: {max_steps: 3}}", "two variants are called"),
        (CARROT, AXES[0], AXES[1] % ", ".join(["{a: {}, b: {}}"] * 40), "variants; at most 10000 are possible"),
        (CARROT, AXES[0], AXES[1] % "{a: {target_density: 5}}", "(a).target_density: has no effect in the family put_on"),
        (CARROT, "robot: widowx", "robot: widowx\n  urdf_choices: [a]", "setup.urdf_choices: has no effect in the family"),
        (CARROT, "robot: widowx", "robot: widowx\n  control_freq: 7", "setup.sim_freq: 500 Hz is no multiple of the"),
        (CARROT, "robot: widowx", "robot: widowx\n  overlay: /my/photo.png", 'overlay: "/my/photo.png" is in no asset pack'),
        (CARROT, "half_sizes: [0.075]", "half_sizes: [0]", "half_sizes.0: input should be greater than 0"),
        (CARROT, "half_sizes: [0.075]", "half_sizes: [0.1, 0.1]", "is there twice"),
        (CARROT, "lights: tabletop", "lights: tabeltop", 'lights: no family "tabeltop" of lights. Did you mean "tabletop"?'),
        (CARROT, "[0.147, 0.028]", "[1e300, 0]", "robot_xy.0: input should be less than or equal to 1000"),
        (CARROT, "[0.147, 0.028]", "[14.7, 2.8]", "14.7 m is out of every scene (at most 10); lengths are in m, so"),
        (CARROT, "half_sizes: [0.075]", "half_sizes: [7.5]", "half_sizes.0: input should be less than or equal to 2, got 7.5"),
        (CARROT, "height_margin: 0.02", "height_margin: -0.02", "height_margin: input should be greater than or equal to 0"),
        (CARROT, "height_margin: 0.02", "height_margin: 20", "height_margin: input should be less than or equal to 1, got 20"),
        (CARROT, "instruction: ", "instruction: 12 #", "instruction: input should be a valid string, got 12; put it in quotes"),
        (CARROT, "instruction: ", 'instruction: "{name}" #', "instruction: nothing replaces {name}"),
        (CAN, "pick {name}", "pick {nmae}", "instruction: nothing replaces {nmae}. Known: {name}."),
        (CAN, "pick {name}", "'pick {name'", "instruction: expected '}' before end of string"),
        (CAN, "base: {}", "base: {targets: [aple]}", 'object: no "aple" here. Did you mean "apple"?'),
        (CAN, "targets: [opened_coke_can]", "targets: [apple]", "distractors: apple is the target, too"),
        (NEAR, "roles:", "roles: [[1, 1]] #", "roles: [1, 1] makes one object both source and target"),
        (NEAR, "roles:", "roles: [[0, 3]] #", "roles.0.1: input should be 0, 1 or 2"),
        (PLACE, "place {name}", "place {item}", "place_instruction: nothing replaces {item}. Known: {drawer}, {name}."),
    ],
)  # fmt: skip
def test_what_would_be_ignored_or_counted_twice_is_refused(
    tmp_path: Path, base: str, right: str, wrong: str, said: str
) -> None:
    text = (BUILT_IN / f"{base}.yaml").read_text()
    assert right in text
    file = tmp_path / "mine.yaml"
    file.write_text(text.replace(right, wrong, 1))
    with pytest.raises(UserError) as caught:
        read_task(file)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("quat", "said"),
    [
        ("[0, 0, 0, 0]", "is no rotation (w x y z); the unturned one is [1, 0, 0, 0]"),
        ("[1, 1, 0, 0]", "its length is 1.414, not 1; write [0.7071068, 0.7071068, 0, 0]"),
        ("[0, 0, 0, -2]", "its length is 2, not 1; write [0, 0, 0, -1]"),
        ("[.nan, 0, 0, 1]", "holds a number that is not finite"),
    ],
)
@pytest.mark.parametrize("place", ["setup: {robot_quat: %s}", "quats: [[%s, [1, 0, 0, 0]]]"])
def test_a_rotation_has_the_length_one(tmp_path: Path, place: str, quat: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {CARROT}\n{place % quat}\nsettings: {{a: {{episodes: {{ids: 1}}}}}}\n")
    with pytest.raises(UserError) as caught:
        read_task(file)
    assert said in str(caught.value)
    file.write_text(file.read_text().replace(quat, "[0.707, 0, 0, 0.707]"))
    assert read_task(file).settings


@pytest.mark.parametrize(
    ("base", "rotations"),
    [
        (CARROT, "quats: [[[1, 0, 0, 0], [1, 0, 0, 0]], [[1, 0, 0, 0], [-1, 0, 0, 0]]]"),
        (CAN, "orientations: {lying: [0.6, 0, 0.8, 0], fallen: [-0.6, 0, -0.8, 0]}"),
        (CAN, "orientations: {lying: [0, 0, 0.8, 0.6], fallen: [0, 0, 0.8, 0.6]}"),
    ],
)
def test_one_rotation_written_twice_is_one(tmp_path: Path, base: str, rotations: str) -> None:
    """q and -q turn alike: what starts with either is the same episode."""
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {base}\n{rotations}\nsettings: {{a: {{episodes: {{seeds: 1}}}}}}\n")
    with pytest.raises(UserError, match="is there twice; name each once"):
        read_task(file)


def test_random_scenes_in_which_nothing_is_random_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {DRAWER}\nsettings: {{a: {{setup: {{robot_xy: [0.65, 0]}}, episodes: {{seeds: 50}}}}}}\n")
    with pytest.raises(UserError, match=r"settings\.a\.episodes\.seeds: nothing of default is random"):
        read_task(file)
    file.write_text(file.read_text().replace("robot_xy: [0.65, 0]", "urdf_choices: ['', recolor_sim]"))
    assert read_task(file).settings["a"].episodes.count == 50
