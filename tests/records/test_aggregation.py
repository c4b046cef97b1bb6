"""Cells of published tables: means of means, cameras left out, every convention of average under its own name."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.aggregation import aggregate
from eval.records.cell_tables import cell_table, cells_markdown, conventions
from eval.records.header import RenderingRecord, WorldRecord
from eval.records.latex import cells_latex
from eval.records.results import EpisodeRecord, RecordKey
from eval.records.states import state_of
from eval.records.tables import summary
from eval.records.tallies import Tally, macro_mean
from eval.records.titles import title
from eval.statistics.intervals import wilson

CAN = "google_robot_pick_coke_can"
DRAWERS = [f"google_robot_{do}_{which}_drawer" for do in ("open", "close") for which in ("top", "middle", "bottom")]
FOUR = [CAN, "google_robot_move_near", *DRAWERS, "google_robot_place_apple_in_closed_top_drawer"]


def played(plan, success=lambda spec: True, stats=None):
    return {
        RecordKey(spec.id): EpisodeRecord(
            id=spec.id, task=spec.task, setting=spec.setting, variant=spec.variant,
            status="success" if success(spec) else "failure", episode_stats=stats or {},
        )
        for spec in plan
    }  # fmt: skip


@pytest.fixture
def headed(tmp_path, make_spec):
    """A run's header, with the world that its workers tell of: ``headed(world)``."""
    return lambda world=None: scripted_run(tmp_path / "run", [make_spec(0)], recorded=world).header


@pytest.fixture
def specs(make_spec):
    """Two episodes of each variant of the Google robot's tasks, in both settings."""

    def specs(tasks=FOUR, setting="visual_matching"):
        orientations = ["horizontal", "standing", "vertical"]
        return [
            make_spec(index, task=task, variant=variant).model_copy(update={"setting": setting})
            for task in tasks
            for variant in ([f"{o}/urdf=none" for o in orientations] if task == CAN else ["urdf=none"])
            for index in range(2)
        ]

    return specs


def rates(rows):
    return {row.name: row.rate for row in rows}


def test_a_mean_of_means_gives_every_variant_the_same_weight():
    small, large = Tally(2, 2, 2, 0), Tally(100, 100, 0, 0)
    assert macro_mean([small, large]) == 0.5
    assert macro_mean([small, Tally(2, 1, 1, 1)]) is None
    assert macro_mean([small, Tally(2, 1, 0, 1), Tally(3, 0, 0, 0)], partial=True) == 0.5
    assert macro_mean([], partial=True) is None


def test_the_three_conventions_and_the_overall_mean_have_names_of_their_own(specs):
    # coke 1/3 (horizontal only), near 1, drawer 1/2 (open only), apple 0
    plan = specs() + specs(setting="variant_aggregation")
    good = {CAN, "google_robot_move_near", *DRAWERS[:3]}
    records = played(plan, lambda s: s.task in good and (s.task != CAN or s.variant.startswith("horizontal")))
    by_name = {(row.name, row.setting): row.rate for row in aggregate(plan, records)}
    vm = "visual_matching"
    assert by_name[CAN, vm] == pytest.approx(1 / 3)
    assert by_name["google_robot_open_close_drawer", vm] == 0.5
    assert by_name["google_four_tasks", vm] == pytest.approx((1 / 3 + 1 + 0.5) / 4)
    assert by_name["google_three_tasks", vm] == pytest.approx((1 / 3 + 1 + 0.5) / 3)
    assert by_name["google_six_sub_cells", vm] == pytest.approx((1 + 0 + 0 + 1 + 1 + 0) / 6)
    both = "visual_matching+variant_aggregation"
    assert by_name["google_both_settings", both] == pytest.approx((1 / 3 + 1 + 0.5) / 3)
    *about, intervals = conventions(cell_table(plan, records))
    assert len(about) == 4
    assert (
        intervals
        == "Intervals of averages: stratified bootstrap over initial states; all others: Wilson, with a design effect."
    )


def test_what_is_missing_or_errored_takes_the_rate_away(specs):
    plan = specs()
    records = played(plan)
    lost = next(spec for spec in plan if spec.task == DRAWERS[0])
    records[RecordKey(lost.id)] = records[RecordKey(lost.id)].model_copy(update={"status": "errored"})
    by_name = rates(aggregate(plan, records))
    assert by_name["google_robot_open_drawer"] is None
    assert by_name["google_robot_open_close_drawer"] is None
    assert by_name["google_robot_close_drawer"] == 1.0
    assert by_name["google_four_tasks"] is None
    assert rates(aggregate(plan, records, partial=True))["google_four_tasks"] == 1.0
    assert rates(aggregate(plan, {}))[CAN] is None


def test_half_a_cell_is_not_the_cell(specs):
    plan = specs(DRAWERS[:3])
    by_name = rates(aggregate(plan, played(plan)))
    assert by_name == {"google_robot_open_drawer": 1.0, "google_robot_open_close_drawer": None}
    plan = specs(DRAWERS[:1])
    assert rates(aggregate(plan, played(plan)))["google_robot_open_drawer"] is None


def test_an_average_is_there_only_with_all_its_cells(specs):
    plan = specs([*FOUR[:-1]])
    names = {row.name for row in aggregate(plan, played(plan))}
    assert {"google_three_tasks", "google_six_sub_cells"} <= names
    assert "google_four_tasks" not in names


def test_an_average_has_the_interval_of_a_bootstrap_over_initial_states():
    """Not of Wilson over all episodes: 4 arm colours show each initial state again, and every cell counts the same."""
    plan = make_plan(suite="google_robot_visual_matching")
    lucky = {state_of(spec) for number, spec in enumerate(plan) if number % 3}
    records = played(plan, lambda spec: state_of(spec) in lucky)
    (average,) = [row for row in aggregate(plan, records) if row.name == "google_four_tasks"]
    low, high = average.interval
    assert low < average.rate < high
    states = {state_of(spec): (spec.task, state_of(spec) in lucky) for spec in plan}
    members: dict[str, list[bool]] = {}
    for task, good in states.values():
        members.setdefault(task, []).append(good)
    weights = {"google_robot_open_drawer": 0.5, "google_robot_close_drawer": 0.5}
    variance = sum((weights.get(t, 1) / 4) ** 2 * np.var(good, ddof=1) / len(good) for t, good in members.items())
    assert high - low == pytest.approx(2 * 1.96 * variance**0.5, rel=0.1)
    assert high - low > 1.5 * np.diff(wilson(average.rate * 864, 864))[0]


def test_cameras_are_played_and_left_out_of_the_mean():
    plan = make_plan(tasks=[CAN], setting="variant_aggregation")
    records = played(plan, lambda spec: "camera" not in spec.variant)
    (cell,) = [row for row in aggregate(plan, records) if row.kind == "cell"]
    assert (cell.rate, cell.tally.n, cell.of) == (1.0, 675, 675)
    table = summary(plan, records).set_index("variant")
    assert not table.loc["standing/camera=alt_1", "counted"]
    assert table.loc["standing/camera=alt_1", ["n", "rate"]].tolist() == [25, 0.0]
    assert table.loc["all", ["n", "rate"]].tolist() == [675, 1.0]


def test_the_grasp_of_the_widowx_tasks_is_a_cell_of_its_own(make_spec):
    plan = [make_spec(i, task="widowx_carrot_on_plate", variant="default") for i in range(4)]
    rows = aggregate(plan, played(plan, lambda spec: spec.index == 0, {"is_src_obj_grasped": True}))
    assert rates(rows) == {"widowx_carrot_on_plate": 0.25, "widowx_carrot_on_plate.partial": 1.0}


def test_a_sample_says_so(headed):
    plan = make_plan(tasks=[CAN], sample=0.1, max_steps=5)
    text = title(headed(), plan)
    assert "max_steps 5 instead of 80" in text
    assert "30 of 300 episodes" in text
    assert title(headed(), make_plan(tasks=[CAN])).endswith("(assets not recorded)")
    (cell,) = [row for row in aggregate(plan, played(plan)) if row.kind == "cell"]
    assert (cell.tally.n, cell.of) == (30, 300)


def test_rendering_otherwise_than_the_task_says_so(headed):
    plan = [spec.model_copy(update={"shader": "rt"}) for spec in make_plan(tasks=[CAN])]
    assert "rendered with rt instead of default" in title(headed(), plan)


@pytest.mark.parametrize(
    ("rendering", "words"),
    [
        (RenderingRecord(rt="raster"), "RASTER images where the original traces rays"),
        (RenderingRecord(rt="trace", samples=32, path_depth=8, denoiser="oidn"), "rays traced with 32 samples, denoiser oidn"),
        (
            RenderingRecord(rt="trace", samples=32, denoiser="none", light="installed"),
            "denoiser none, in the light of the installed SAPIEN, which is not the original's",
        ),
        (
            RenderingRecord(rt="fast", samples=8, denoiser="oidn", light="sapien-2.2.2", early_end=True),
            "rays traced FAST with 8 samples, denoiser oidn, dim paths ended early",
        ),
        (None, None),  # nothing was rendered
    ],
)
def test_a_table_says_where_ray_tracing_is_missing(headed, rendering, words):
    header = headed(WorldRecord(name="w", rendering=rendering))
    text = title(header, make_plan(tasks=["google_robot_open_drawer"]))
    assert words in text if words else "rays" not in text
    assert "rays" not in title(header, make_plan(tasks=[CAN]))


def test_the_files_of_a_run(tmp_path, specs):
    plan = specs()
    scripted_run(tmp_path, plan, "".join("s" if spec.index == 0 else "f" for spec in plan))
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {
        "summary.csv", "summary.md", "summary.tex", "cells.csv", "cells.md", "cells.tex",
    }  # fmt: skip
    text = (tmp_path / "tables/cells.md").read_text()
    assert "| visual_matching | Average of four tasks | 50.0 [" in text
    assert "- Average of four tasks: plain mean of four tasks" in text
    latex = (tmp_path / "tables/cells.tex").read_text()
    assert r"Success (\%) & Pick Coke Can & Move Near & Open/Close Drawer & Place Apple in Drawer" in latex
    assert r"Visual Matching & $50.0_{5.5}^{94.5}$" in latex  # 3 of 6, but 2 states that end alike: n = 1, by hand
    assert latex.count(r"\begin{tabular}") == 1
    assert latex.count("{") == latex.count("}")


def test_a_run_without_published_cells_has_no_such_files(tmp_path, make_spec):
    plan = [make_spec(0)]
    scripted_run(tmp_path, plan)
    assert {path.name for path in (tmp_path / "tables").iterdir()} == {"summary.csv", "summary.md", "summary.tex"}
    assert cells_markdown(cell_table(plan, {}), "x").startswith("# x")
    assert "tabular" not in cells_latex(cell_table(plan, {}), "x")


def test_drawers_may_be_one_task_or_three(make_spec):
    plan = [make_spec(0, task=f"google_robot_{do}_drawer", variant="top/urdf=none") for do in ("open", "close")]
    by_name = rates(aggregate(plan, played(plan)))
    assert by_name["google_robot_open_close_drawer"] == 1.0


@pytest.mark.parametrize(
    ("suite", "counted"),
    [
        ("google_robot_visual_matching", 864),
        ("google_robot_variant_aggregation", 1722),
        ("widowx_visual_matching", 96),
        ("alt_urdf", 1533),
        ("tracevla_table1", 756 + 1533),
    ],
)
def test_a_suite_is_all_of_its_cells(headed, suite, counted):
    plan = make_plan(suite=suite)
    rows = aggregate(plan, played(plan))
    cells = [row for row in rows if row.kind == "cell"]
    assert sum(row.tally.n for row in cells) == sum(row.of for row in cells) == counted
    assert {row.rate for row in rows} == {1.0}
    assert title(headed(), plan).endswith("(assets not recorded)")  # nothing else departs from the protocol
