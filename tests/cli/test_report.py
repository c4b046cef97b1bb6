"""The verb ``report``: one run, runs that are one, and runs side by side."""

from __future__ import annotations

import csv
import json
import shutil

import pytest
from fake_policies import Still
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.records.header import AssetsRecord, WorldRecord
from policies.base import PolicyDescription

CARROT, CAN = "widowx_carrot_on_plate", "google_robot_pick_coke_can"


@pytest.fixture
def carrot():
    return make_plan(tasks=[CARROT], limit=4)


@pytest.fixture
def play(tmp_path):
    """A run, its folder: ``play(name, plan, ...)``."""
    return lambda name, *arguments, **options: scripted_run(tmp_path / name, *arguments, **options).path


def change(path, **fields):
    """Other fields in every successful record of a run."""
    file = path / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    file.write_text("".join(json.dumps(line | (fields if line["status"] != "errored" else {})) + "\n" for line in lines))


def test_policies_and_seeds_become_rows(cli, play, carrot):
    runs = [play("r1", carrot, "sfff", policy_args={"seed": "1"}), play("r2", carrot, "ssff", policy_args={"seed": "2"}),
            play("o", carrot, "sss-", policy="oracle")]  # fmt: skip
    code, out, err = cli("report", *runs)
    assert (code, err) == (0, "")
    lines = [line.split("  ") for line in out.splitlines()]
    numbers = {line[0]: line[-1].strip() for line in lines if len(line) > 1 and line[0] != "policy"}
    assert numbers == {"random, seed 1": "25.0 [4.6-69.9]", "random, seed 2": "50.0 [15.0-85.0]", "oracle": "1 not played"}
    assert "oracle: oracle in a scripted world (original assets; 4 of 24 episodes)" in out
    content = json.loads(cli("report", *runs, "--json")[1])
    assert [(run["run"], run["rows"][-1]["n"]) for run in content["runs"]] == [
        ("random, seed 1", 4), ("random, seed 2", 4), ("oracle", 3),
    ]  # fmt: skip


def test_the_runs_of_a_policy_are_one_row_and_cells_the_columns(cli, play, carrot, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    can = make_plan(tasks=[CAN], limit=3, variants=["horizontal/*"])
    runs = [play("r1", carrot), play("r2", can), play("o1", carrot, "ffff", policy="oracle")]
    out = cli("report", *runs)[1].splitlines()
    assert [cell.strip() for cell in out[1].split("  ") if cell] == ["policy", "Carrot on Plate", "Horizontal Coke Can"]
    assert out[3].startswith("random  100.0 [51.0-100.0]  100.0 [")
    assert out[4].split("  ", 1) == ["oracle", "0.0 [0.0-49.0]      not planned"]


def test_common_tables_name_their_runs(cli, play, carrot, tmp_path):
    runs = [play("r", carrot), play("o", carrot, policy="oracle")]
    _, out, _ = cli("report", *runs, "--out", tmp_path / "both")
    assert out.splitlines()[-2:] == [f"{tmp_path}/both/cells.md", f"{tmp_path}/both/report/index.html"]
    with (tmp_path / "both/cells.csv").open() as file:
        assert {row["run"] for row in csv.DictReader(file)} == {"random", "oracle"}
    assert "| oracle | 100.0 [51.0-100.0] |" in (tmp_path / "both/cells.md").read_text()
    assert r"oracle & Visual Matching & $100.0_{51.0}^{100.0}$" in (tmp_path / "both/cells.tex").read_text()
    assert "## oracle in" in (tmp_path / "both/summary.md").read_text()


def test_a_latex_table_names_its_policy_and_is_valid(play, carrot, tmp_path):
    run = play("run", carrot, policy=Still(), called=r"my_policy#1.py:A&B")
    text = (run / "tables/cells.tex").read_text()
    assert r"my\_policy\#1.py:A\&B & Visual Matching & $100.0_{51.0}^{100.0}$ \\" in text
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {line.replace(r"\&", "").count("&") for line in rows} == {2}
    assert text.startswith("% my_policy#1.py:A&B in a scripted world")


def test_other_worlds_and_plans_are_rows_that_say_so(cli, play, carrot):
    blocks = WorldRecord(name="w", assets=AssetsRecord(stand_ins=("plate.glb",)))
    short = make_plan(tasks=[CARROT], limit=4, max_steps=7)
    runs = [play("a", carrot), play("b", carrot, world="shutil"), play("c", short), play("d", short, recorded=blocks)]
    _, out, _ = cli("report", *runs)
    names = [line.split("  ")[0] for line in out.splitlines()[3:7]]
    assert names[:2] == [f"random, {world}, original assets, max_steps 60" for world in ("fake_world", "shutil")]
    assert names[2:] == ["random, fake_world, original assets, max_steps 7", "random, fake_world, stand-ins, max_steps 7"]


def test_tasks_of_no_published_cell_are_columns(cli, play, make_spec):
    runs = [play(name, [make_spec(0)], letter, policy=name) for name, letter in (("random", "s"), ("oracle", "e"))]
    _, out, _ = cli("report", *runs)
    assert "fake_task" in out.splitlines()[1]
    assert "1 errored" in out.splitlines()[4]


def test_a_shard_beside_the_whole_run_counts_nothing_twice(cli, play, carrot):
    whole, part = play("whole", carrot), play("part", carrot, shard="1/2")
    for order in ([whole, part], [part, whole]):
        code, out, err = cli("report", *order, "--json")
        assert code == 0
        assert json.loads(out)["rows"][-1]["n"] == 4
        assert "runs together" not in json.loads(out)["title"]
        assert err == f"simpler-eval: {part}: {whole} holds all of its 2 episodes, too; they are counted once\n"


def test_shards_of_another_division_make_the_plan_whole(cli, play, carrot):
    runs = [play("half", carrot, shard="1/2"), play("second", carrot, shard="2/4"), play("last", carrot, shard="4/4")]
    _, out, err = cli("report", *runs, "--json")
    assert (json.loads(out)["rows"][-1]["n"], err) == (4, "")


def test_a_copied_folder_is_no_second_run(cli, play, carrot, tmp_path):
    run = play("run", carrot)
    shutil.copytree(run, tmp_path / "copy")
    _, out, err = cli("report", run, tmp_path / "copy", "--json")
    assert json.loads(out)["rows"][-1]["n"] == 4
    assert "runs together" not in json.loads(out)["title"]
    assert "they are counted once" in err


def test_a_run_that_cannot_be_written_is_shown_with_a_warning(cli, play, carrot, tmp_path):
    run = play("run", carrot)
    shutil.rmtree(run / "tables")
    (run / "tables").write_text("in the way")
    code, out, err = cli("report", run)
    assert code == 1
    assert "Carrot on Plate" in out
    assert err.startswith("simpler-eval: the tables are not kept: Cannot write the results folder")
    assert err.count("\n") == 1
    code, out, err = cli("report", run, "--out", run / "tables/deeper")
    assert (code, out) == (2, "")


def test_success_at_any_step_stands_in_every_table(cli, play, carrot):
    run = play("run", carrot, "sfff")
    change(run, success_any=True, first_success_step=7, steps=9)
    title = "SUCCESS AT ANY STEP"
    row = json.loads(cli("report", run, "--json")[1])["rows"][-1]
    assert (row["successes"], row["steps_to_success"], row["success"]) == (1, 7, "last")
    content = json.loads(cli("report", run, "--success", "any", "--json")[1])
    assert (content["rows"][-1]["successes"], content["cells"][0]["rate"], content["success"]) == (4, 1.0, "any")
    assert title in content["title"]
    assert title in cli("report", run, "--success", "any")[1]
    for file in ("summary.md", "cells.md", "cells.tex"):
        assert title in (run / "tables" / file).read_text()
    assert "any" in (run / "tables/summary.csv").read_text()
    assert title not in cli("report", run)[1]
    code, out, err = cli("report", run, "--success", "anny")
    assert (code, out) == (2, "")
    assert "success" in err


def test_what_went_wrong_is_counted(cli, play, carrot):
    run = play("run", carrot, "seef")
    content = json.loads(cli("report", run, "--json")[1])
    assert content["errors"] == [{"error": "the script says so", "count": 2}]
    assert "- 2 x the script says so" in (run / "tables/summary.md").read_text()
    out = cli("report", run)[1]
    assert "- 2 x the script says so" in out
    assert "2 errored" in out


def test_a_blank_cell_says_what_is_missing(cli, play):
    plan = make_plan(tasks=[CAN], variants=["horizontal/*"], limit=4)
    run = play("run", plan, "ss--")
    assert "other orientations not planned; 2 not played" in cli("report", run)[1]
    assert "other orientations" in cli("reproduce", "random", CAN, "--from", run)[1].split("memoryvla_readme")[-1]


def test_reproduce_ends_with_the_own_number(cli, play):
    run = play("run", make_plan(tasks=[CARROT]))
    last = cli("reproduce", "random", CARROT, "--from", run)[1].split("\n")[-3].split("  ")
    assert [cell.strip() for cell in last if cell] == ["random", "100.0 [86.2-100.0]", "this run", "24 of 24 episodes"]


def repeated(record, repeat, good):
    """The result of another repeat."""
    flags = {"success_last": good, "success_any": good, "first_success_step": None}
    return record.model_copy(update={"repeat": repeat, "status": "success" if good else "failure", **flags})


def test_repeats_have_a_mean_and_a_spread(cli, play, carrot):
    run = play("run", carrot, "ssff")
    records = list(load_run(run).records.values())
    lines = (run / "episodes.jsonl").read_text()
    for repeat, good in ((1, "sfff"), (2, "s")):
        for record, letter in zip(records, good, strict=False):
            lines += repeated(record, repeat, letter == "s").model_dump_json() + "\n"
    (run / "episodes.jsonl").write_text(lines)
    header = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps(header | {"repeats": 3}))
    row = json.loads(cli("report", run, "--json")[1])["rows"][-1]
    assert (row["n"], row["missing"], row["rate"], row["repeats"]) == (9, 3, None, 3)
    (run / "episodes.jsonl").write_text(lines + "".join(
        repeated(record, 2, False).model_dump_json() + "\n" for record in records[1:]
    ))  # fmt: skip
    content = json.loads(cli("report", run, "--json")[1])
    row, cell = content["rows"][-1], content["cells"][0]
    assert (row["n"], row["missing"]) == (12, 0)
    for numbers in (row, cell):
        assert numbers["rate"] == pytest.approx(4 / 12)
        assert numbers["spread"] == pytest.approx(0.1443, abs=1e-4)  # of 2/4, 1/4, 1/4
        assert [numbers["low"], numbers["high"]] == pytest.approx([0.0751, 0.7549], abs=1e-4)  # four scenes, not twelve
    assert "mean of 3 repeats" in content["title"]
    assert "spread" in cli("report", run)[1]
    other = play("once", carrot, "ssff")
    labels = [entry["run"] for entry in json.loads(cli("report", run, other, "--json")[1])["runs"]]
    assert labels == ["random, 3 repeats", "random, one repeat"]


def test_tables_never_replace_those_of_another_run(cli, play, carrot, tmp_path):
    runs = [play("r", carrot), play("o", carrot, policy="oracle")]
    for arguments in ([*runs, "--out", runs[0]], [*runs, "--out", runs[0] / "tables"], [runs[0], "--out", runs[1] / "tables"]):
        code, out, err = cli("report", *arguments)
        assert (code, out) == (2, "")
        assert "belongs to the run in" in err
    assert cli("report", runs[0], "--out", runs[0] / "tables")[0] == 0
    for verb in ("demo", "smoke"):
        assert "belongs to the run in" in cli(verb, "--out", runs[0])[2]


def test_runs_that_count_success_in_two_ways_are_counted_in_one_and_say_so(cli, play, carrot):
    last, other = play("last", carrot[:2], "ff"), play("any", carrot[2:], "ff")
    for path in (last, other):
        change(path, success_any=True, first_success_step=1, steps=2)
    header = json.loads((other / "run.json").read_text())
    header["options"]["success"] = "any"
    (other / "run.json").write_text(json.dumps(header))
    for runs in ([last, other], [other, last]):
        code, out, err = cli("report", *runs)
        assert code == 0, err
        assert "0.0 [" in out
        assert "counted is the last; choose with --success any or last" in err
    code, out, err = cli("report", last, other, "--success", "any")
    assert (code, err) == (0, "")
    assert "100.0 [" in out
    assert cli("report", last, "--success", "maybe")[2] == 'simpler-eval: --success cannot be "maybe"; use last or any.\n'


def test_videos_that_were_removed_are_not_named(cli, play, carrot):
    """To save room on disk: the line would lead nowhere."""
    folder = play("r", carrot, "sfff")
    change(folder, video="videos/one.mp4")
    (folder / "videos").mkdir()
    (folder / "videos/one.mp4").write_bytes(b"film")
    assert f"{folder}/videos" in cli("report", folder)[1].splitlines()
    shutil.rmtree(folder / "videos")
    code, out, _ = cli("report", folder)
    assert (code, f"{folder}/videos" in out) == (0, False)


def test_a_checkpoint_that_a_policy_says_nothing_of_tells_runs_apart_without_anybodys_folders(cli, play, carrot, tmp_path):
    """As policy.settings have it where no weights are known."""

    class Silent(Still):
        def __init__(self, place):
            self.place = place

        def describe(self):
            return PolicyDescription(name="silent", settings={"checkpoint": self.place})

    runs = [play(name, carrot, "sfff", policy=Silent(f"/home/me/{name}/step-5")) for name in "ab"]
    out = cli("report", *runs)[1]
    assert "checkpoint=a/step-5" in out
    assert "checkpoint=b/step-5" in out
    assert "/home/me" not in out
