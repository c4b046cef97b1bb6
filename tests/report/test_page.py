"""What the page of a run says, and where it is written: no browser needed."""

from __future__ import annotations

import itertools
import json
import math
import re
import time
from pathlib import Path

import pytest
from made_up_runs import made_up_run
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.report import live
from eval.report.answer import answer
from eval.report.entries import entries_of
from eval.report.episodes import embedded
from eval.report.failure_map import failure_maps
from eval.report.headline import headline
from eval.report.html import breakable, moment, percent, typeset
from eval.report.layouts import layouts
from eval.report.live import LiveReport
from eval.report.map_windows import RADIUS, SHOWN
from eval.report.page import write_report
from eval.report.progress import curves, kind_of_failure, scores
from eval.report.view import camera_view, resting_place
from eval.statistics.power import smallest_difference

CAN, NEAR, APPLE, DRAWER, CARROT = (
    "google_robot_pick_coke_can", "google_robot_move_near", "google_robot_place_apple_in_closed_top_drawer",
    "google_robot_open_drawer", "widowx_carrot_on_plate",
)  # fmt: skip


def entry_of(run):
    return entries_of([run])[0]


# ---- where things lie in the picture -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "variant", "index", "pixel"),
    [(CAN, "horizontal/urdf=none", 0, (180, 184)), (CARROT, "default", 0, None)],
)
def test_an_object_lies_where_the_renderer_draws_it(task, variant, index, pixel):
    """The can's middle as it was measured in a rendered picture; the carrot somewhere on the table."""
    spec = next(s for s in make_plan(tasks=[task]) if (s.variant, s.index) == (variant, index))
    view = camera_view(spec)
    found = view.pixel(resting_place(spec.objects[0]))
    if pixel is None:
        assert view.shows(resting_place(spec.objects[0]))
    else:
        assert found == pytest.approx(pixel, abs=5)
    behind = tuple(2 * at for at in (*spec.robot_xy, 5.0))
    assert view.pixel(behind) is None


def test_a_robot_that_nobody_knows_has_no_camera(make_spec):
    assert camera_view(make_spec(0).model_copy(update={"robot": "mine"})) is None


def test_every_episode_is_in_one_mark(tmp_path):
    plan = [*make_plan(tasks=[CAN, NEAR, DRAWER, APPLE], limit=60), *make_plan(tasks=[CARROT])]
    entry = entry_of(made_up_run(tmp_path / "run", plan, filmed=False))
    maps = failure_maps(entry)
    assert {*maps.places} == {episode.key for episode in entry.episodes}
    marks = {mark.number: mark for found in maps.maps for panel in found.panels for mark in panel.marks}
    assert {*maps.places.values()} == {*marks} == {*range(len(marks))}
    for number, mark in marks.items():
        here = [entry.run.records[key] for key, place in maps.places.items() if place == number]
        assert (mark.successes, mark.n) == (sum(r.status == "success" for r in here), len(here))
    panels = {found.task: [(p.title, p.seen) for p in found.panels] for found in maps.maps}
    assert panels[DRAWER] == [(drawer, "plan") for drawer in ("top", "middle", "bottom")]
    assert panels[NEAR] == [("layout 1", "camera"), ("layout 2", "camera")]
    assert panels[APPLE] == [(f"robot position {number} of 3", "camera") for number in (1, 2, 3)]
    assert panels[CARROT] == [("", "camera")]
    filmed = made_up_run(tmp_path / "filmed", make_plan(tasks=[NEAR, APPLE], limit=9))
    pictures = [panel.picture[1] for found in failure_maps(entry_of(filmed)).maps for panel in found.panels]
    assert len({*pictures}) == len(pictures) == 5, "each panel shows its own layout or robot position"
    assert all((filmed.path / name).is_file() for name in pictures)


@pytest.mark.parametrize("task", [CAN, NEAR, APPLE, DRAWER, CARROT, "widowx_put_eggplant_in_basket"])
def test_marks_of_a_task_are_of_one_size_and_hide_neither_themselves_nor_each_other(tmp_path, task):
    entry = entry_of(made_up_run(tmp_path / "run", make_plan(tasks=[task]), filmed=False))
    (found,) = failure_maps(entry).maps
    assert len({panel.scale for panel in found.panels}) == 1
    assert len({panel.window[2:] for panel in found.panels}) == 1, "what they show is as large"
    for panel in found.panels:
        on_page = SHOWN / panel.window[2]  # pixels of the page for one of the picture
        assert 2 * RADIUS * panel.scale * on_page >= 14, "readable"
        for a, b in itertools.combinations([mark.at for mark in panel.marks], 2):
            assert math.dist(a, b) >= 1.8 * RADIUS * panel.scale
        x, y, wide, high = panel.window
        assert all(x <= mark.at[0] <= x + wide and y <= mark.at[1] <= y + high for mark in panel.marks)
        assert x >= 0 <= y
        assert x + wide <= panel.width + 0.1
        assert y + high <= panel.height + 0.1


# ---- what is said -------------------------------------------------------------------------------------------------------


def said(folder, plan, *rates):
    """The sentence where each task is solved at a rate of its own: its first episodes succeed."""
    tasks = list(dict.fromkeys(spec.task for spec in plan))
    letters = ""
    for task, rate in zip(tasks, rates, strict=True):
        n = sum(spec.task == task for spec in plan)
        letters += "s" * round(rate * n) + "f" * (n - round(rate * n))
    run = scripted_run(folder, plan, letters)
    return answer(entries_of([run]), running=False)[0]


def test_the_answer_gives_every_task_the_same_weight(tmp_path):
    one = make_plan(tasks=[CARROT])
    assert said(tmp_path / "one", one, 0.5).startswith(
        "random solved 50.0 %: 12 of 24 episodes of widowx_carrot_on_plate, 95 %"
    )
    plan = [*one, *make_plan(tasks=["widowx_stack_cube"], limit=4)]
    line = said(tmp_path / "two", plan, 1.0, 0.0)
    assert line.startswith(
        "random solved 50.0 % on average, the mean of Carrot on Plate and Stack Cube (WidowX, Visual Matching): "
        "24 of 28 episodes, 95 % interval "
    ), "24 of 28 are 86 %, which no table has"
    four = make_plan("widowx_visual_matching")
    run = scripted_run(tmp_path / "four", four, "".join("s" if spec.index % 3 == 0 else "f" for spec in four))
    (entry,) = entries_of([run])
    (average,) = entry.tables.cells.query("name == 'widowx_four_tasks'").to_dict("records")
    low, high = 100 * average["low"], 100 * average["high"]
    assert f"solved {100 * average['rate']:.1f} % on average" in answer([entry], running=False)[0]
    assert f"95 % interval {low:.1f} to {high:.1f} %; no episode is missing." in answer([entry], running=False)[0]


def test_the_answer_puts_no_robots_and_settings_together(tmp_path):
    plan = [*make_plan(tasks=[CARROT], limit=4), *make_plan(tasks=[CAN, NEAR], limit=12)]
    line = said(tmp_path / "both", plan, 0.5, 0.25, 0.75)
    assert line.startswith(
        "random solved 50.0 % on WidowX, Visual Matching (Carrot on Plate; 95 % interval 15.0 to 85.0 %) and "
    )
    assert " 50.0 % on Google Robot, Visual Matching (mean of Pick Coke Can and Move Near; 95 % interval " in line
    assert line.endswith("): 14 of 28 episodes in all; no episode is missing.")
    drawers = make_plan(tasks=[NEAR, DRAWER], limit=4)
    assert "the mean of Move Near and Open Drawer (" in said(tmp_path / "part", drawers, 0.5, 0.5), "no column is named in part"


def test_the_answer_says_what_is_missing(tmp_path):
    plan = make_plan(tasks=[CARROT])
    run = made_up_run(tmp_path / "run", plan, rate=1.0, filmed=False, missing=4, errors=("a", "b"))
    assert answer(entries_of([run]), running=False) == [
        "made_up solved 100.0 %: 18 of 18 episodes of widowx_carrot_on_plate, 95 % interval 82.4 to 100.0 %; "
        "2 lost to errors and 4 not played, so the rates may still change."
    ]
    whole = made_up_run(tmp_path / "whole", plan, rate=0.0, filmed=False)
    assert answer(entries_of([whole]), running=False)[0].endswith("95 % interval 0.0 to 13.8 %; no episode is missing.")
    none = made_up_run(tmp_path / "none", plan, filmed=False, missing=24)
    assert answer(entries_of([none]), running=True) == ["made_up: none of 24 episodes has a verdict (24 not played yet)."]


def test_a_table_has_the_columns_of_its_layout_and_published_rows(tmp_path):
    plan = make_plan("google_robot_visual_matching")
    run = made_up_run(tmp_path / "run", plan, filmed=False, policy="tracevla_phi3")
    entry = entry_of(run)
    table = headline([entry], "tracevla").tables[0]
    assert table.columns[:3] == ("Move Near", "Pick Coke Can", "Open/Close Drawer")
    cells = table.rows[0].cells
    assert all(0 <= cell.low < cell.rate < cell.high <= 1 for cell in cells), "averages have an interval, too"
    assert [cell.n for cell in cells] == [240, 300, 216, 756, 108, 864]
    (alone,) = entry.tables.cells.query("title == 'Pick Coke Can' and kind == 'cell'")["independent"]
    assert 75 <= alone <= 300
    assert cells[1].smallest == smallest_difference(round(alone)), "75 initial states in 4 arm colours are not 300"
    own = [row for row in table.published if row.same_policy]
    assert (50.4, 52.2, 31.0) in [row.numbers[:3] for row in own], "the paper"
    assert (70.8, 69.7, 35.4) in [row.numbers[:3] for row in own], "the model card"
    assert table.published[: len(own)] == tuple(own), "its own come first"
    simpler = headline([entry_of(run)], "simpler").tables[0]
    assert dict(zip(simpler.columns, simpler.published[-1].numbers, strict=True))["Pick Coke Can"] == 17.0
    assert {*layouts()} == {"simpler", "tracevla"}


def test_no_column_is_empty_and_no_sentence_is_about_what_is_not_shown(tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CARROT], limit=8), filmed=False)
    shown = headline([entry_of(run)], "simpler")
    (table,) = shown.tables
    assert table.columns == ("Spoon on Towel", "Carrot on Plate", "Stack Cube", "Eggplant in Basket"), "no average is known"
    assert shown.conventions == ()
    assert table.disputes
    heldout = made_up_run(tmp_path / "heldout", make_plan(tasks=[CARROT], placements="heldout", count=4), filmed=False)
    shown = headline([entry_of(heldout)], "simpler")
    (table,) = shown.tables
    assert (table.title, table.columns) == ("WidowX, Visual Matching, held-out placements", ("Carrot on Plate",))
    assert (table.published, table.disputes, shown.sources) == ((), (), ()), "no published number stands beside"
    variants = made_up_run(tmp_path / "va", make_plan("google_robot_variant_aggregation", limit=4), filmed=False)
    rows = headline([entry_of(variants)], "simpler").tables[0].published
    assert len({(row.model, row.set) for row in rows}) == len(rows) > 1, "two rows of one model say which is which"


def test_curves_and_scores_are_of_the_episodes_that_the_tables_count(tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CAN], setting="variant_aggregation"), filmed=False)
    entry = entry_of(run)
    (counted,) = entry.tables.cells.query("name == 'google_robot_pick_coke_can'").to_dict("records")
    (curve,) = curves(entry)
    assert (curve.n, round(curve.last, 9)) == (675, round(counted["successes"] / 675, 9)), "without the other cameras"
    assert {score.n for score in scores(entry)[0].scores} == {675}
    cameras = [spec for spec in run.plan if "camera=" in spec.variant]
    (alone,) = curves(entry_of(made_up_run(tmp_path / "cameras", cameras, filmed=False)))
    assert alone.n == len(cameras) == 150, "where none counts, all are shown"


def test_only_a_length_is_given_in_metres(tmp_path):
    def score(task, **stats):
        run = made_up_run(tmp_path / task, make_plan(tasks=[task], limit=3), filmed=False, episode_stats=stats)
        return scores(entry_of(run))[0].scores[0]

    assert score(DRAWER, qpos="0.1234").unit == "m"
    assert (score(CARROT, my_reward=0.5).quartiles, score(CARROT, my_reward=0.5).unit) == ((0.5, 0.5, 0.5), "")


@pytest.mark.parametrize(
    ("task", "stats", "kind"),
    [
        (CAN, {"grasped": False}, "never grasped"),
        (CAN, {"grasped": True, "consec_grasp": True}, "held, not lifted enough"),
        (NEAR, {"moved_correct_obj": False, "moved_wrong_obj": True}, "moved a wrong object"),
        (DRAWER, {"qpos": "0.004"}, "did not move the drawer"),
        (DRAWER, {"qpos": "0.120"}, "moved the drawer, but not far enough"),
        ("google_robot_close_drawer", {"qpos": "0.200"}, "did not move the drawer"),
        (APPLE, {"is_drawer_open": True, "qpos": 0.2}, "opened the drawer, but the object did not get in"),
        (CARROT, {"is_src_obj_grasped": True, "moved_correct_obj": True}, "grasped and moved, not on the goal"),
        (CARROT, {}, "no statistics were recorded"),
    ],
)
def test_a_failure_is_called_by_the_stage_it_did_not_reach(tmp_path, task, stats, kind):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[task], limit=1), rate=0, filmed=False, episode_stats=stats,
                      success_any=False)  # fmt: skip
    episode = entry_of(run).episodes[0]
    assert kind_of_failure(episode, episode.record) == kind


def test_embedded_data_cannot_leave_its_script():
    text = {"</script><!--": "\u2028\u2029 & \ud800 <b>"}
    shown = str(embedded(text))
    assert not re.search("[<>&\u2028\u2029]|[^\x00-\x7f]", shown)
    assert json.loads(shown) == text


# ---- where it is written ------------------------------------------------------------------------------------------------


def test_no_text_turns_the_direction_of_what_stands_around_it(tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CARROT], limit=2), filmed=False, policy="a\u202eb\x1b\u2028c")
    page = write_report([run], run.path / "report").read_text()
    assert "\u202e" not in page
    assert "\x1b" not in page
    assert r"a\u202eb\x1b\u2028c solved" in page


def test_report_writes_the_page_where_it_says(cli, tmp_path):
    plan = make_plan(tasks=[CARROT], limit=3)
    one, two = (made_up_run(tmp_path / name, plan, policy=name).path for name in ("one", "two"))
    code, out, err = cli("report", one)
    assert (code, out.splitlines()[-1], err) == (0, f"{one}/report/index.html", "")
    assert 'src="../' not in (one / "report/index.html").read_text(), "what it needs is in the data"
    assert "../videos/" in (one / "report/index.html").read_text()
    code, out, _ = cli("report", one, two, "--json")
    assert json.loads(out)["page"] == f"{tmp_path}/report/index.html"
    assert (tmp_path / "report/index.html").read_text().count("../one/videos/") > 3
    code, out, _ = cli("report", one, "--out", tmp_path / "alone", "--layout", "tracevla")
    page = tmp_path / "alone/report/index.html"
    assert (code, out.splitlines()[-1]) == (0, str(page))
    assert "../" not in re.search(r'id="data">(.*?)</script>', page.read_text(), re.DOTALL)[1]
    assert len(list((tmp_path / "alone/report/media").rglob("*.mp4"))) == 3
    assert cli("report", one, "--layout", "mine")[0] == 2
    assert cli("report", one, "--out", one / "report")[0] == 2, "not among the run's own files"


def test_a_page_that_cannot_be_kept_is_a_warning_and_a_foreign_folder_an_error(cli, tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CARROT], limit=2), filmed=False).path
    (run / "report").write_text("in the way")
    code, out, err = cli("report", run)
    assert code == 1
    assert "simpler-eval: the page is not kept" in err
    assert len(err.splitlines()) == 1
    (tmp_path / "foreign").mkdir()
    code, out, err = cli("report", tmp_path / "foreign")
    assert (code, out, len(err.splitlines())) == (2, "", 1)


def test_a_video_that_is_gone_or_not_the_runs_own_is_not_linked(tmp_path):
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CARROT], limit=2), filmed=False, video="../../secret.mp4")
    (tmp_path / "secret.mp4").write_bytes(b"")
    from eval.report.page import write_report

    assert "secret" not in write_report([run], run.path / "report").read_text()


# ---- while a run goes on ------------------------------------------------------------------------------------------------


def wait_for(said, seconds=150.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if said():
            return True
        time.sleep(0.2)
    return False


def test_names_break_between_words_and_stay_escaped():
    assert str(breakable("urdf=recolor_<b>")) == "urdf=<wbr>recolor_<wbr>&lt;b&gt;"
    assert str(breakable("")) == ""
    assert moment("2026-11-28T13:47:23+00:00") == "2026-11-28 13:47 UTC"
    assert moment("yesterday <b>") == "yesterday <b>"


def test_numbers_are_set_as_in_print():
    assert str(typeset("a-1 (noise=-0.3): -6.2 points (-28 to +14) at 80 %; p < 0.0001; <b>")) == (
        "a-1 (noise=-0.3): −6.2 points (−28 to +14) at 80&nbsp;%; p&nbsp;&lt;&nbsp;0.0001; &lt;b&gt;"
    )
    assert "\u202e" not in str(typeset("a\u202eb"))
    assert [percent(k / 24, 0) for k in (0, 3, 9, 24)] == ["0", "13", "38", "100"], "halves are rounded up"
    assert [percent(0.125), percent(None)] == ["12.5", "–"]


def test_a_running_run_has_a_page_and_one_that_was_left_has_a_last_one(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "AFTER", 0.0)
    plan = make_plan(tasks=[CARROT], limit=4)
    run = made_up_run(tmp_path / "run", plan, filmed=False, missing=2, outcome=None)
    page = run.path / "report/index.html"
    told: list[Path] = []
    report = LiveReport(4, lambda: "about 3 min", told.append)
    report.begin(run.path, [])
    for record in run.records.values():
        report.episode(record)
    assert wait_for(page.exists)
    report.waits(None)
    report.waits(None)
    assert told == [page], "said once, when there is something to open"
    text = page.read_text()
    assert "Still running" in text
    assert "about 3 min" in text
    assert "solved" in text
    report.leave()
    assert wait_for(lambda: "Still running" not in page.read_text()), "whatever ends the run"
    assert "2 not played" in page.read_text()


def test_a_page_that_cannot_be_written_is_no_concern_of_the_run(tmp_path, monkeypatch):
    monkeypatch.setattr(live, "AFTER", 0.0)
    run = made_up_run(tmp_path / "run", make_plan(tasks=[CARROT], limit=2), filmed=False)
    report = LiveReport(2)
    report.begin(run.path, [])
    monkeypatch.setattr(live, "start_own", lambda *arguments: (_ for _ in ()).throw(OSError("no more processes")))
    began = time.monotonic()
    report.episode(next(iter(run.records.values())))
    report.close()
    assert time.monotonic() - began < 1
    assert report.problem == "OSError: no more processes"
    assert len(load_run(run.path).records) == 2
