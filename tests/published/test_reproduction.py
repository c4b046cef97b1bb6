"""A published cell is played with its own settings, and the number stands beside the published ones."""

from __future__ import annotations

import json

import pytest
from fake_policies import Still
from scripted_runs import scripted_run

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.published.cells import cell_plan
from eval.published.reproduce import compare_with_published, reproduce
from eval.records.aggregation import counts

CAN, CARROT = "google_robot_pick_coke_can", "widowx_carrot_on_plate"


def test_a_cell_is_the_sweep_of_its_tasks() -> None:
    assert cell_plan(CAN) == [s for o in ("horizontal", "vertical", "standing") for s in make_plan(tasks=[CAN])
                              if s.variant.startswith(o)]  # fmt: skip
    assert len(cell_plan("google_robot_pick_standing_coke_can")) == 100
    assert cell_plan(CARROT) == make_plan(tasks=[CARROT])


def test_a_cell_of_the_variants_has_no_other_cameras() -> None:
    plan = cell_plan(CAN, "variant_aggregation")
    assert len(plan) == 675
    assert all(counts((spec.task, spec.setting, spec.variant)) for spec in plan)


def test_move_near_is_the_baked_v0_class() -> None:
    plan = cell_plan("google_robot_move_near")
    assert len(plan) == 240
    models = {o.model for spec in plan for o in spec.objects}
    assert "baked_opened_coke_can" in models
    assert not any(model.endswith("_v2") for model in models)


def test_a_sample_is_even_and_says_so() -> None:
    plan = cell_plan(CAN, sample=0.1, max_steps=7)
    assert len(plan) == 30
    assert {spec.max_steps for spec in plan} == {7}
    assert len({spec.variant for spec in plan}) == 12


@pytest.mark.parametrize(
    ("cell", "options", "said"),
    [
        ("google_robot_pick_coke", {}, 'Did you mean "google_robot_pick_coke_can"?'),
        (CARROT, {"setting": "variant_aggregation"}, "was not published in a setting"),
        (CAN, {"setting": "visual_maching"}, 'Did you mean "visual_matching"?'),
        (CAN, {"sample": 0}, "more than 0"),
        (CAN, {"max_steps": 0}, "at least 1"),
    ],
)
def test_a_wish_that_cannot_be_met_is_one_line(cell, options, said) -> None:
    with pytest.raises(UserError) as caught:
        cell_plan(cell, **options)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.fixture
def played(tmp_path):
    """A finished run of a cell: ``played(policy, plan)``."""

    def played(policy, plan, name="run"):
        ends = "".join("s" if spec.index % 2 else "f" for spec in plan)
        return scripted_run(tmp_path / name, plan, ends, Still(), called=policy).path

    return played


def test_our_number_stands_beside_both_published_sets(cli, played) -> None:
    run = played("tracevla_phi3", cell_plan(CARROT))
    printed = json.loads(cli("reproduce", "tracevla_phi3", CARROT, "--from", run, "--json")[1])
    assert (printed["ours"]["rate"], printed["ours"]["n"], printed["ours"]["of"]) == (0.5, 24, 24)
    assert [(n["model"], n["percent"]) for n in printed["published"]] == [("TraceVLA-Phi3V", 0.0)]
    code, out, _ = cli("reproduce", "tracevla_phi3", CAN, "--from", played("tracevla_phi3", cell_plan(CAN), "b"))
    assert code == 0
    for text in ("TraceVLA-Phi3V", "69.7", "TraceVLA-Phi3 ", "52.2", "48.0", "300 of 300", "Sources", "arXiv:2412.10345",
                 "Known disagreements", "no whole number of 300 episodes gives it"):  # fmt: skip
        assert text in out


def test_any_policy_sees_the_numbers_of_all(cli, played) -> None:
    printed = json.loads(cli("reproduce", "oracle", CARROT, "--from", played("oracle", cell_plan(CARROT)), "--json")[1])
    assert not printed["published_are_of_this_policy"]
    models = {number["model"] for number in printed["published"]}
    assert {"OpenVLA-7B", "TraceVLA-Phi3V", "RT-1-X", "Octo-Base"} <= models


def test_shards_are_put_together(cli, played) -> None:
    plan = cell_plan(CARROT)
    runs = [played("oracle", plan[k::2], f"r{k}") for k in (0, 1)]
    printed = json.loads(cli("reproduce", "oracle", CARROT, "--from", runs[0], "--from", runs[1], "--json")[1])
    assert printed["ours"]["n"] == 24


def test_a_run_of_something_else_is_refused(cli, played) -> None:
    run = played("oracle", cell_plan(CARROT))
    for arguments, said in ((("random", CARROT), "not random"), (("oracle", CAN), "holds no episodes of")):
        code, out, err = cli("reproduce", *arguments, "--from", run)
        assert (code, out) == (2, "")
        assert said in err
    assert "Name a policy and a task" in cli("reproduce")[2]


def test_what_is_missing_has_no_rate(played) -> None:
    from eval.records.folder import load_run

    data = load_run(played("oracle", cell_plan(CARROT)))
    data.records.popitem()
    assert compare_with_published(data, CARROT, "visual_matching").ours.rate is None
    assert compare_with_published(data, CARROT, "visual_matching", partial=True).ours.rate is not None


def test_the_list_of_cells(cli) -> None:
    entries = json.loads(cli("reproduce", "--list", "--json")[1])["cells"]
    by_cell = {(entry["cell"], entry["setting"]): entry for entry in entries}
    assert by_cell[CAN, "variant_aggregation"]["episodes"] == 675
    assert by_cell[CAN, "visual_matching"]["TraceVLA-Phi3V"] == 69.7


def test_the_list_of_cells_at_80_columns_says_of_every_number_what_it_is_of(cli, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = cli("reproduce", "--list")[1]
    assert "google_robot_open_close_drawer" in out
    assert max(map(len, out.splitlines())) <= 80
    for table in out.split("\n\n"):
        names = [line[:45].strip() for line in table.partition("---\n")[2].splitlines()]
        assert len(names) == len(set(names)), "a cell twice, once a setting, in a table that does not say the setting"


def test_a_cell_is_played(tmp_path) -> None:
    done = reproduce(
        "random", CARROT, sample=0.1, max_steps=4, out=tmp_path / "run", world="fake_world", workers=1
    )  # fmt: skip
    assert done.ours.tally.n == 2
    assert "max_steps 4 instead of 60" in done.title
    assert "2 of 24 episodes" in done.title
