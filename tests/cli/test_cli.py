"""The command line: what is typed and what is printed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from scripted_runs import scripted_run


def refused(answer):
    code, out, err = answer
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err
    return err


def test_plan_as_json_has_ids(cli):
    code, out, _ = cli("plan", "--task", "widowx_carrot_on_plate", "--limit", 3, "--json")
    episodes = json.loads(out)["episodes"]
    assert code == 0
    assert len({e["id"] for e in episodes}) == 3
    assert all(e["id"].startswith("v2-") and e["task"] == "widowx_carrot_on_plate" for e in episodes)


def test_list_names_what_can_be_chosen(cli):
    _, out, _ = cli("list", "--json")
    content = json.loads(out)
    assert {"oracle", "random", "replay"} <= set(content["policies"])
    grids = {(t["task"], t["setting"]): t["episodes"] for t in content["tasks"]}
    assert grids["google_robot_pick_coke_can", "visual_matching"] == 300
    assert grids["widowx_carrot_on_plate", "visual_matching"] == 24


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run", "--task", "widowx_carot_on_plate"], 'Did you mean "widowx_carrot_on_plate"?'),
        (["run", "--suite", "demoo"], 'No suite "demoo". Did you mean "demo"?'),
        (["run", "--suite", "google_robot_visual_maching"], 'Did you mean "google_robot_visual_matching"?'),
        (["run", "--task", "google_robot_pick_coke_can", "--variant", "standin/*"], "Did you mean"),
        (["run", "--task", "widowx_stack_cube", "--setting", "prepacked"], 'Did you mean "prepackaged"?'),
        (["run", "--suite", "gone.yaml"], "gone.yaml: cannot be read"),
        (["plan", "--task", "gone.yaml"], "gone.yaml: there is no such task file"),
        (["run", "--policy", "orakle"], 'Unknown policy "orakle". Did you mean "oracle"?'),
        (["run", "--policy", "no/such/file.py:Mine"], "does not exist"),
        (["run", "--policy", "random", "--policy-arg", "sead=3"], "It takes: seed, scale"),
        (["run", "--policy", "random", "--policy-arg", "seed"], "is not NAME=VALUE"),
        (["run", "--policy", "random", "--checkpoint", "somewhere"], "It takes: seed, scale"),
        (["run", "--policy", "openvla_phi3"], "needs --checkpoint"),
        (["run", "--policy", "openvla_phi3", "--checkpoint", "a", "--tracker", "auto"], "It takes: checkpoint, device, dtype"),
        (["run", "--resume", "gone", "--device", "cpu"], "has no effect with --resume"),
        (["run", "--resume", "gone", "--assets", "elsewhere"], "has no effect with --resume"),
        (["run", "--resume", "gone", "--assets-fallback"], "has no effect with --resume"),
        (["run", "--resume", "gone", "--seed", "3"], "has no effect with --resume"),
        (["run", "--resume", "gone", "--setting", "visual_matching"], "has no effect with --resume"),
        (["run", "--policy", "replay", "--policy-arg", "path=gone.npz"], "Cannot read actions from gone.npz"),
        (["run", "--policy", "random", "--video", "some"], "use all, failures, first:N"),
        (["run", "--policy", "random", "--workers", "0"], "at least 1"),
        (["run", "--policy", "random", "--workers", "two"], '--workers is "two"'),
        (["run", "--policy", "random", "--assets", "gone"], "gone"),
        (["run", "--resume", "gone"], "gone is not a folder"),
        (["report", "."], "holds no run.json"),
        (["plan", "--task", "widowx_carrot_on_plate", "--limit", "-1"], "at least 1"),
        (["run", "--shard", "9/8"], "shard 9/8 is out of range"),
        (["plan", "--shard", "2of8"], "is not NUMBER/OF"),
        (["reproduce", "oracle", "google_robot_pick_coke"], 'Did you mean "google_robot_pick_coke_can"?'),
        (["reproduce", "orakle", "widowx_carrot_on_plate"], 'Did you mean "oracle"?'),
        (["assets", "check", "--suite", "dem"], 'Did you mean "demo"?'),
        (["rum"], "rum"),
    ],
)
def test_bad_input_is_one_line(cli, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    assert words in refused(cli(*arguments))
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize(
    ("typo", "words"),
    [
        ("seting: visual_matching", 'mine.yaml: parts.0: unknown key "seting". Did you mean "setting"?'),
        ("setting: visual_maching", 'mine.yaml: parts.0.setting: no setting "visual_maching". Did you mean "visual_matching"?'),
        ("setting: visual_matching, variants: [defualt]", 'Did you mean "default"?'),
        ("setting: visual_matching, limit: many", "mine.yaml: parts.0.limit: input should be a valid integer"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run"])
def test_a_typo_in_a_suite_file_is_one_line(cli, tmp_path, monkeypatch, verb, typo, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(f"about: mine\nparts:\n  - {{task: widowx_carrot_on_plate, {typo}}}\n")
    assert words in refused(cli(verb, "--suite", "mine.yaml"))
    assert not (tmp_path / "results").exists()


def test_help_of_every_verb(cli):
    for verb in ("run", "list", "plan", "report", "smoke", "doctor", "parity", "bench", "demo", "reproduce", "assets"):
        code, out, _ = cli(verb, "--help")
        assert code == 0
        assert len(out.splitlines()) > 5


def test_version_and_bare_command(cli):
    code, out, _ = cli("--version")
    assert (code, out.count(".")) == (0, 2)
    assert "doctor" in "".join(cli()[1:])


def test_report_of_a_run(cli, tmp_path, make_spec):
    scripted_run(tmp_path / "run", [make_spec(i) for i in range(2)], "s-")
    rows = json.loads(cli("report", tmp_path / "run", "--json")[1])["rows"]
    assert [(r["variant"], r["n"], r["missing"], r["rate"]) for r in rows] == [("base", 1, 1, 1.0), ("all", 1, 1, None)]
    rows = json.loads(cli("report", tmp_path / "run", "--json", "--partial")[1])["rows"]
    assert rows[1]["rate"] == 1.0


def test_tables_need_no_simulator():
    code = "import sys, eval.cli, eval.records.tables, eval.records.folder; print('sapien' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_public_functions_are_found_by_name():
    import eval as package

    assert all(callable(getattr(package, name)) for name in package.__all__)
    with pytest.raises(AttributeError, match="no attribute 'ran'"):
        _ = package.ran
