"""The verb ``run``."""

from __future__ import annotations

import json

from scripted_runs import scripted_run

import eval.cli.progress
from eval.records.folder import load_run


def test_a_run_without_packs_goes_on_without_packs_whatever_the_environment_says(cli, tmp_path, make_spec, monkeypatch):
    header = scripted_run(tmp_path / "run", [make_spec(0)]).header
    options = header.options.model_copy(update={"world": "simpler-eval"})
    (tmp_path / "run/run.json").write_text(header.model_copy(update={"options": options}).model_dump_json())
    asked = []

    def play(plan, options, path, show):
        asked.append(options)
        return eval.cli.progress.Played(load_run(path), kept=True)

    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", "elsewhere")
    monkeypatch.setattr(eval.cli.progress, "play_with_progress", play)
    assert cli("run", "--resume", tmp_path / "run")[0] == 0
    assert [(options.assets, options.packs) for options in asked] == [("", "")]


def test_what_a_policy_prints_is_no_part_of_the_json(cli, tmp_path):
    (tmp_path / "talks.py").write_text(
        "from fake_policies import Still\n"
        "class Talks(Still):\n"
        "    def act(self, observations):\n"
        "        print('a word')\n"
        "        return super().act(observations)\n"
    )
    options = ["--task", "widowx_carrot_on_plate", "--limit", 1, "--max-steps", 1, "--world", "fake_world", "--workers", 1]
    code, out, err = cli("run", "--policy", f"{tmp_path}/talks.py:Talks", *options, "--out", tmp_path / "run", "--json")
    assert code == 0
    assert json.loads(out)["rows"]
    assert "a word" in err
