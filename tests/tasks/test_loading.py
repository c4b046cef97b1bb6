"""Task files: all built-in ones load, and a mistake is one line that names the file, the place and the way out."""

from __future__ import annotations

from pathlib import Path

import pytest

from eval.errors import UserError
from eval.tasks.loading import load_task, read_task, task_names
from eval.tasks.user_tasks import BUILT_IN as TASKS

CAN = TASKS / "google_robot_pick_coke_can.yaml"
CARROT = TASKS / "widowx_carrot_on_plate.yaml"
NEAR = TASKS / "google_robot_move_near.yaml"
DRAWER = TASKS / "google_robot_open_drawer.yaml"
CLOSING = TASKS / "google_robot_close_drawer.yaml"


def test_every_built_in_file_loads() -> None:
    for name in task_names():
        assert load_task(name).settings


@pytest.mark.parametrize(
    ("file", "right", "wrong", "said"),
    [
        (CAN, "max_steps: 80", "max_step: 80", 'unknown key "max_step". Did you mean "max_steps"?'),
        (CAN, "max_steps: 80", 'max_steps: "80"', 'max_steps: input should be a valid integer, got "80".'),
        (CAN, "max_steps: 80", "max_steps: 0", "max_steps: input should be greater than or equal to 1, got 0."),
        (CAN, "max_steps: 80\n", "", "max_steps: is missing"),
        (CAN, "family: grasp", "family: grabs", 'no family "grabs". Did you mean "grasp"?'),
        (
            CAN,
            "{orientation: upright}",
            "{orientaton: upright}",
            'standing: unknown key "orientaton". Did you mean "ori',
        ),
        (CAN, "{orientation: upright}", "{orientation: uprigt}", 'Did you mean "upright"?'),
        (CAN, "{view: alt_1}", "{view: alt_7}", "envs.GraspSingleOpenedCokeCanAltGoogleCameraInScene-v0.view"),
        (CAN, "targets: [opened_coke_can]", "targets: [open_coke_can]", 'Did you mean "opened_coke_can"?'),
        (CAN, "{lighting: slightly_darker}", "{lighting: dark}", '.lighting: no "dark" here. Did you mean "darker"?'),
        (CAN, "y: [-0.02, 0.42, 5]}", "y: [-0.02, 0.42]}", "episodes.y"),
        (CAN, "y: [-0.02, 0.42, 5]}", "ids: 3}", "a grid needs both x and y"),
        (CARROT, "robot: widowx", "robot: widow", 'setup.robot: no "widow" here. Did you mean "widowx"?'),
        (CARROT, "scene: bridge_table_1_v1", "scene: bridge_table", 'Did you mean "bridge_table_1_v2"?'),
        (CARROT, "half_sizes: [0.075]", "half_sizes: 0.075", "squares.half_sizes"),
        (
            CARROT,
            "object_table: bridge_custom_v0",
            "object_table: bridge",
            'no table "bridge". Did you mean "bridge_cust',
        ),
        (CARROT, "squares: {center: [-0.16, 0.0], half_sizes: [0.075]}\n", "", "give either squares or pairs"),
        (NEAR, "object_set: baked_v0", "object_set: baked_v3", '.object_set: no "baked_v3" here. Did you mean "baked_v'),
        (NEAR, "  orange: &turned", "  oranges: &turned", "quats lacks orange"),
        (DRAWER, "{drawer: bottom}", "{drawer: botom}", 'Did you mean "bottom"?'),
        (DRAWER, "  station: mk_station\n", "", "setup.station: is missing"),
        (DRAWER, "{station: mk_station3}", "{station: mk_sation3}", 'Did you mean "mk_station3"?'),
        (DRAWER, "robot_places: [a0,", "robot_places: [a9,", "episodes.robot_places: no"),
        (DRAWER, ", robot_y: [-0.2, 0.2, 3]", "", "a grid of the robot needs both"),
        (CLOSING, "extends: google_robot_open_drawer", "extends: google_robot_open_drawr", "extends: no task"),
        (CLOSING, "verb: close", "verb: shut", "verb: input should be 'open' or 'close'"),
        (CARROT, "settings:", "settings: [", "broken YAML"),
        (CARROT, "max_steps: 60", "max_steps: .nan", "holds a number that is not finite"),
    ],
)
def test_a_mistake_in_a_task_is_one_line(tmp_path: Path, file: Path, right: str, wrong: str, said: str) -> None:
    text = file.read_text()
    assert right in text
    broken = tmp_path / "mine.yaml"
    broken.write_text(text.replace(right, wrong))
    with pytest.raises(UserError) as caught:
        read_task(broken)
    message = str(caught.value)
    assert "mine.yaml" in message or "objects.yaml" in message
    assert said in message
    assert "\n" not in message
