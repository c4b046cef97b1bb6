"""The published numbers as data: whole, with their sources, and consistent with what is said about them."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from recordings import golden

from eval.published.cells import cell_names, published_settings
from eval.published.models import Published
from eval.published.numbers import (
    disagreements,
    known_disagreements,
    number_rows,
    policy_models,
    published_numbers,
    references,
)
from eval.published.reproduce import remarks, source_line
from eval.published.scripts import FOLDER, scripts
from eval.records.cells import cells

COKE, NEAR, DRAWER = "google_robot_pick_coke_can", "google_robot_move_near", "google_robot_open_close_drawer"
VM, VA = "visual_matching", "variant_aggregation"


def test_every_collected_number_is_carried_over() -> None:
    collected = json.loads(golden("research/published_numbers.json").read_text())["results"]
    ours = [(row.source, row.model, row.setting, row.scores) for row in number_rows()]
    assert ours == [(r["source"], r["model"], r["setting"], r["scores_percent"]) for r in collected]


def test_every_name_in_the_data_exists() -> None:
    known = {*cell_names(), "google_robot_pick_object", "google_robot_place_in_closed_drawer"}
    for row in number_rows():
        assert row.source in references()
        assert {name.removesuffix(".partial") for name in row.scores} <= known
        assert row.average_over in {"", "other tasks", *cells().averages}
    models = {row.model for row in number_rows()}
    for entry in disagreements().values():
        assert set(entry.sources) <= set(references())
        assert set(entry.cells) <= known
        assert set(entry.settings) <= {VM, VA}
    assert {model for names in policy_models().values() for model in names} <= models


# From the model cards and the paper's Table 1, typed in by hand: coke can, move near, drawer.
SETS = {
    ("OpenVLA-Phi3V", VM): (56.7, 53.3, 38.4),
    ("OpenVLA-Phi3V", VA): (55.4, 57.7, 19.3),
    ("TraceVLA-Phi3V", VM): (69.7, 70.8, 35.4),
    ("TraceVLA-Phi3V", VA): (75.4, 67.8, 37.5),
    ("OpenVLA-Phi3", VM): (46.7, 46.1, 22.5),
    ("OpenVLA-Phi3", VA): (49.7, 51.9, 22.2),
    ("TraceVLA-Phi3", VM): (52.2, 50.4, 31.0),
    ("TraceVLA-Phi3", VA): (52.4, 55.0, 23.2),
}


@pytest.mark.parametrize(("model", "setting"), SETS)
def test_both_sets_of_the_phi3_models_are_there(model: str, setting: str) -> None:
    for cell, percent in zip((COKE, NEAR, DRAWER), SETS[model, setting], strict=True):
        (number,) = published_numbers(cell, setting, (model,))
        assert number.percent == percent
        assert number.set.startswith("card" if model.endswith("V") else "paper")


@pytest.mark.parametrize(("policy", "models"), policy_models().items())
def test_a_policy_sees_both_of_its_sets_and_their_disagreement(policy: str, models: tuple[str, ...]) -> None:
    numbers = published_numbers(NEAR, VM, models)
    assert len({number.set for number in numbers}) == 2
    said = " ".join(entry.line for entry in known_disagreements(NEAR, VM, numbers))
    assert "the paper table and the model cards of the released weights disagree" in said
    assert "WidowX" not in " ".join(entry.what for entry in known_disagreements(NEAR, VM, numbers))


def test_the_conventions_of_average_give_what_was_printed() -> None:
    """Plain means on the model cards, six sub-cells in SpatialVLA's table of visual matching."""

    def mean(scores: dict[str, float], names: tuple[str, ...]) -> float:
        # A sub-cell that was not printed has its cell's value: that leaves the mean of all of them as it is.
        whole = {part: scores[cell] for cell, config in cells().cells.items() if cell in scores for part in config.sub_cells}
        return sum((whole | scores)[name] for name in names) / len(names)

    seen: set[str] = set()
    for row in number_rows():
        convention = row.average_over
        if row.source == "spatialvla_readme" and row.setting == VM and DRAWER in row.scores:
            convention = "google_six_sub_cells"
        elif not row.source.startswith(("hf_", "memoryvla")) or row.average is None:
            continue
        assert row.average is not None
        seen.add(convention)
        tolerance = 0.14 if convention == "google_six_sub_cells" else 0.1  # of cells that were rounded themselves
        assert mean(row.scores, cells().averages[convention].of) == pytest.approx(row.average, abs=tolerance)
    assert {"google_four_tasks", "google_six_sub_cells", "widowx_four_tasks"} <= seen


def test_the_overall_mean_of_the_papers_table() -> None:
    rows = [row for row in number_rows() if row.source == "tracevla_paper_t1"]
    for model in ("OpenVLA-Phi3", "TraceVLA-Phi3", "OpenVLA-7B", "TraceVLA-7B"):
        mine = [row for row in rows if row.model == model]
        mean = sum(score for row in mine for score in row.scores.values()) / 6
        assert mean == pytest.approx(mine[0].overall_of_both_settings, abs=0.051)


@pytest.mark.parametrize(
    ("percent", "episodes", "fits"),
    [(56.7, 300, True), (35.4, 216, False), (63.1, 216, False), (67.8, 480, False), (66.7, 24, True), (16.6, 24, True),
     (65.0, 24, False), (60.1, 108, True), (0.0, 24, True), (3.125, 480, True), (52.2, 300, False)],
)  # fmt: skip
def test_which_percentages_a_number_of_episodes_can_give(percent: float, episodes: int, fits: bool) -> None:
    number = Published("x", percent, ("hf_tracevla_phi3v",), "", "", "", False)
    assert number.fits(episodes) is fits
    assert ("no whole number" in remarks(number, episodes)) is not fits


def test_second_hand_numbers_come_only_when_asked_for() -> None:
    plain, all_of_them = (published_numbers(COKE, VM, secondary=with_secondary) for with_secondary in (False, True))
    assert len(plain) < len(all_of_them)
    assert not any(number.secondary for number in plain)
    assert "machine extracted" in source_line("vla_eval_leaderboard")


def test_where_a_cell_was_published() -> None:
    assert published_settings(COKE) == [VM, VA]
    assert published_settings("widowx_stack_cube") == [VM]


def test_the_scripts_are_in_step_with_the_data() -> None:
    files = {str(path.relative_to(FOLDER)): path.read_text() for path in FOLDER.rglob("*") if path.is_file()}
    assert files == scripts()
    assert len(files) == 16
    assert all(os.access(FOLDER / name, os.X_OK) for name in files)


def test_a_script_says_what_it_is_and_hands_its_options_on(tmp_path: Path) -> None:
    fake = tmp_path / "simpler-eval"
    fake.write_text('#!/bin/sh\necho "$@"\n')
    fake.chmod(0o755)
    script = FOLDER / "tracevla_phi3" / "google_robot_move_near.sh"
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    command = [str(script), "--setting", VA]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"reproduce tracevla_phi3 google_robot_move_near --setting {VA}\n"
