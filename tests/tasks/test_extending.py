"""``extends``: what is written in the user's file is what is played, or it is refused with the reason."""

from __future__ import annotations

import pytest

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.tasks.loading import load_task, user_task_text

CAN, DRAWER = "extends: google_robot_pick_coke_can\n", "extends: google_robot_open_top_drawer\n"
PHOTO = "setup: {overlay: real_inpainting/mine.png}"
OFFICE = "modern_office_no_roof"


@pytest.fixture
def plan_of(tmp_path, monkeypatch):
    """Text of a task file, and more of ``make_plan`` -> its plan."""
    monkeypatch.setenv("SIMPLER_EVAL_TASKS", "")
    file = tmp_path / "mine.yaml"

    def plan(text, **options):
        file.write_text(text)
        return make_plan(tasks=[str(file)], limit=2, **options)

    return plan


@pytest.mark.parametrize(
    ("text", "setting", "field", "value"),
    [
        ("extends: widowx_carrot_on_plate\n" + PHOTO, "visual_matching", "overlay", "real_inpainting/mine.png"),
        (CAN + "setup: {urdf_version: ''}", "alt_urdf", "urdf_version", ""),
        (DRAWER + "setup: {scene: modern_office_no_roof}", "visual_matching", "scene", OFFICE),
        (DRAWER + "setup: {lighting: default}", "visual_matching", "lighting", "default"),
        (CAN + "max_steps: 7", "prepackaged", "max_steps", 7),
        (CAN + "setup: {urdf_choices: [recolor_sim]}", "prepackaged", "urdf_version", "recolor_sim"),
    ],
)  # fmt: skip
def test_the_file_wins_over_what_it_inherits(plan_of, text, setting, field, value):
    assert {getattr(spec, field) for spec in plan_of(text, setting=setting)} == {value}


def test_a_key_wins_over_what_an_inherited_setting_says_in_another_way(plan_of):
    apple = "google_robot_place_apple_in_closed_top_drawer"
    plan = plan_of(f"extends: {apple}\ntargets: [sponge]", setting="variant_aggregation")
    assert {spec.objects[0].model for spec in plan} == {"sponge"}
    pairs = "pairs: [[[-0.1, 0], [-0.2, 0]], [[-0.2, 0], [-0.1, 0]]]"
    plan = plan_of(f"extends: widowx_stack_cube\n{pairs}\nsettings: {{visual_matching: {{episodes: {{ids: 2}}}}}}")
    assert [spec.objects[0].xy for spec in plan] == [(-0.1, 0.0), (-0.2, 0.0)]


@pytest.mark.parametrize(
    ("text", "setting", "said"),
    [
        (CAN + "setup: {urdf_version: recolor_sim}", "visual_matching",
         'setup.urdf_version is fixed here, but the axis 1 ("urdf=none") of settings.visual_matching of'),
        (CAN + "setup: {urdf_version: recolor_sim}", "prepackaged", "setup.urdf_choices of"),
        (CAN + "setup: {urdf_choices: [recolor_sim]}", "visual_matching", "setup.urdf_choices is fixed"),
        (DRAWER + PHOTO, "visual_matching",
         "setup.overlay is fixed here, but episodes.robot_places of settings.visual_matching of google_robot_open_top_drawer"),
        (DRAWER + PHOTO, "prepackaged", "setup.place_choices of"),
        ("extends: google_robot_open_drawer\ndrawers: [top]", "visual_matching", "drawers is fixed here, but the axis 0"),
    ],
)  # fmt: skip
def test_a_setting_that_varies_what_the_file_fixes_is_refused_and_says_why(plan_of, text, setting, said):
    with pytest.raises(UserError) as caught:
        plan_of(text, setting=setting)
    assert said in str(caught.value)
    assert "mine.yaml" in str(caught.value)
    assert "write settings of your own" in str(caught.value)


def test_the_other_settings_of_such_a_file_can_be_played(plan_of):
    text = "extends: google_robot_pick_coke_can\nsetup: {lighting: darker}"
    assert {spec.lighting for spec in plan_of(text)} == {"darker"}
    with pytest.raises(UserError, match="lighting=slightly_darker"):
        plan_of(text, setting="variant_aggregation")
    assert "variant_aggregation" not in (user_task_text("mine") or "")


def test_a_base_may_be_named_by_its_path_from_wherever_one_stands(plan_of, tmp_path, monkeypatch):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base-of-mine.yaml").write_text("extends: widowx_carrot_on_plate\nmax_steps: 7\n")
    monkeypatch.chdir("/")
    assert plan_of("extends: sub/base-of-mine.yaml\n")[0].max_steps == 7
    (tmp_path / "sub" / "base-of-mine.yaml").write_text("extends: widowx_carrot_on_plate\nmax_steps: 8\n")
    assert load_task("mine").max_steps == 8, "a base that was edited is read again"
    (tmp_path / "sub" / "base-of-mine.yaml").write_text("extends: widowx_carrot_on_plate\nmax_step: 8\n")
    with pytest.raises(UserError, match=r"^/.*base-of-mine\.yaml: unknown key"):
        plan_of("extends: sub/base-of-mine.yaml\n")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: [a]", "extends: is no text"),
        ("extends: ../gone.yaml", "gone.yaml: there is no such task file"),
        ("extends: mine.yaml", "mine -> mine goes round in a circle"),
        ("extends: widowx_carrot_on_plate\nfamily: grasp", "is of the family put_on; leave family out"),
        ("extends: widowx_carrot_on_plate\nsetup: [a]", "setup: input should be an object"),
        ("extends: google_robot_close_top_drawer\nsetup: {robot_xy: [0.6, 0.1]}", "write settings of your own in mine.yaml"),
        ("about: a suite\nparts: []", "is a suite, no task; give it with --suite"),
    ],
)
def test_what_cannot_be_extended_is_one_line_about_the_users_file(plan_of, tmp_path, text, said):
    with pytest.raises(UserError) as caught:
        plan_of(text)
    assert str(caught.value).startswith(f"{tmp_path}/mine.yaml: ")
    assert said in str(caught.value)
