"""A side of a comparison that was played in parts: the same numbers as if it had been played as one."""

from __future__ import annotations

import json
import shutil

import pytest
from scripted_runs import scripted_run

from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.merging import load_runs

CARROT, CUBE = "widowx_carrot_on_plate", "widowx_stack_cube"
ENDS = {"reference": "sfsf" * 3, "candidate": "ssff" * 3}


@pytest.fixture(scope="module")
def plan():
    return make_plan(tasks=[CARROT, CUBE], limit=6)


@pytest.fixture
def played(tmp_path, plan):
    """``played(name, policy)``: the folder of a whole run; with ``of`` those of its shards, below one folder."""

    def play(name, policy="random", of=None, ends=None, **options):
        ends = ends or ENDS[name]
        if of is None:
            return scripted_run(tmp_path / name, plan, ends, policy, **options).path
        folders = [tmp_path / name / f"s{k}" for k in range(1, of + 1)]
        for k, folder in enumerate(folders, 1):
            scripted_run(folder, plan, ends, policy, shard=f"{k}/{of}", **options)
        return folders

    return play


def numbers(cli, *sides):
    """What a comparison says but for where its runs lie."""
    code, out, err = cli("compare", *sides, "--json")
    assert (code, err) == (0, "")
    content = json.loads(out)
    for side in (content["reference"], *content["comparisons"]):
        side.pop("run"), side.pop("parts"), side.pop("title")
    for change in content["comparisons"][0]["changed"]:
        change["reference"].pop("video"), change["other"].pop("video")
    return content


def test_a_side_in_parts_is_compared_as_if_it_were_one(cli, played, tmp_path):
    whole = numbers(cli, played("reference"), other := played("candidate", "oracle"))
    shutil.rmtree(tmp_path / "reference")
    parts = played("reference", of=4)
    assert whole["comparisons"][0]["all"]["only_other"] == 3
    assert numbers(cli, ",".join(map(str, parts)), other) == whole
    assert numbers(cli, tmp_path / "reference", other) == whole, "the folder that holds them"
    assert numbers(cli, *parts, other) == whole, "all of them, each by itself"
    shutil.rmtree(other)
    assert numbers(cli, *parts, *played("candidate", "oracle", of=4)) == whole
    code, line, _ = cli("gate", tmp_path / "candidate", "--baseline", ",".join(map(str, parts)), "--margin", 3)
    assert (code, line.split(":")[0]) == (3, "CANNOT TELL whether oracle is worse than random by 3 points")


def test_videos_are_found_in_the_folders_of_the_parts(cli, played, tmp_path):
    parts = played("reference", of=2)
    for part in parts:
        lines = [json.loads(line) for line in (part / "episodes.jsonl").read_text().splitlines()]
        for number, line in enumerate(lines):
            line["video"] = f"videos/{number}.mp4"
            (part / "videos").mkdir(exist_ok=True)
            (part / line["video"]).write_text(f"{part.name} {line['id']}")
        (part / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    other = played("candidate", "oracle")
    code, _, err = cli("compare", tmp_path / "reference", other, "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    shown = {file.read_text() for file in (tmp_path / "out" / "videos").rglob("*-reference.mp4")}
    ids = {change["id"] for change in json.loads((tmp_path / "out/compare.json").read_text())["comparisons"][0]["changed"]}
    assert {text.split()[1] for text in shown} == ids
    assert {text.split()[0] for text in shown} == {"s1", "s2"}


def refused(cli, *arguments):
    code, _, err = cli("compare", *arguments)
    assert code == 2
    assert err.count("\n") == 1
    return err


def test_parts_that_do_not_belong_together_are_refused(cli, played, tmp_path, plan):
    parts, other = played("reference", of=3), played("candidate", "oracle")
    lacking = refused(cli, f"{parts[0]},{parts[2]}", other)
    assert "Shard 2/3 of the plan of 12 episodes is not among the runs; add its folder, or take" in lacking
    assert lacking.endswith("what there is with --common.\n")
    assert "is shard 1/3: name the other shards, too, with commas" in refused(cli, parts[0], other)
    assert cli("compare", f"{parts[0]},{parts[2]}", other, "--common")[0] == 0
    assert "The same run is given twice" in refused(cli, f"{parts[0]},{parts[0]}", other)
    assert "names no folder beside a comma" in refused(cli, f"{parts[0]},", other)
    again = [scripted_run(tmp_path / f"again{k}", plan, "f" * 12, shard=f"{k}/3").path for k in (1, 2, 3)]
    assert "are both shard 1/3 of one plan by the same policy" in refused(cli, *parts, *again)
    line = cli("compare", ",".join(map(str, parts)), ",".join(map(str, again)))[1].splitlines()[0]
    assert line.startswith("random, again1+again2+again3 is worse than random, s1+s2+s3: -50.0 points")
    assert "are the shards of one run; name what it is compared with" in refused(cli, *parts)
    assert "policy" in refused(cli, f"{parts[0]},{parts[1]},{other}", again[0])
    few = make_plan(tasks=[CARROT], limit=4)
    foreign = scripted_run(tmp_path / "foreign", few, shard="2/3").path
    assert "Shard 2/3 of the plan of 12 episodes" in refused(cli, f"{parts[0]},{foreign},{parts[2]}", other)


def test_the_union_of_shards_is_the_plan_again(played, plan):
    merged = load_runs(played("reference", of=4))
    assert [spec.id for spec in merged.plan] == [spec.id for spec in plan]
    whole = load_runs(played("candidate"))
    assert merged.header.plan_hash == whole.header.plan_hash
    assert merged.header.identity == whole.header.identity


def test_a_folder_that_holds_runs_stands_for_them(cli, played, tmp_path):
    played("reference", of=2)
    code, out, err = cli("report", tmp_path / "reference", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["rows"][-1]["n"] == 6
    with pytest.raises(UserError, match="or one that holds runs"):
        load_runs(tmp_path)
