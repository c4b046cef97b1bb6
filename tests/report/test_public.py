"""``simpler_eval.report``, ``compare``, ``gate`` and ``audit``: what the verbs say, as objects."""

from __future__ import annotations

import json

import numpy as np
import pytest
from audited_policies import TASK, Deaf
from audited_world import AuditedWorld
from scripted_runs import in_this_process, scripted_run

import simpler_eval
from eval.errors import UserError

CARROT = "widowx_carrot_on_plate"


@pytest.fixture
def runs(tmp_path):
    """Folders of two policies: 2 of 6 and 5 of 6."""
    plan = simpler_eval.make_plan(tasks=CARROT, limit=6)
    parts = [scripted_run(tmp_path / f"s{k}", plan, "ssffff", shard=f"{k}/2").path for k in (1, 2)]
    return parts, scripted_run(tmp_path / "b", plan, "sssssf", "oracle").path


def test_compare_returns_what_the_verb_prints(cli, runs, tmp_path):
    parts, other = runs
    compared = simpler_eval.compare(parts, other, out=tmp_path / "out", real="oracle=RT-1-X")
    assert compared.page == tmp_path / "out/index.html"
    assert json.loads((tmp_path / "out/compare.json").read_text())["comparisons"][0]["sentence"] == compared.sentences[0]
    assert (compared.comparison.others[0].whole.only_other, compared.ranking.models) == (3, {"oracle": "RT-1-X"})
    code, out, _ = cli("compare", *parts, other)
    assert (code, " ".join(out.split())[: len(compared.sentences[0])]) == (0, compared.sentences[0])
    assert simpler_eval.compare(parts, str(other)).page is None
    judge = simpler_eval.gate(other, baseline=parts, margin=3)
    assert judge.line == cli("gate", other, "--baseline", ",".join(map(str, parts)), "--margin", 3)[1].strip()
    for arguments in ((other,), (), (parts, []), (other, other)):
        with pytest.raises(UserError):
            simpler_eval.compare(*arguments)
    with pytest.raises(TypeError, match='no keyword "comon"'):
        simpler_eval.compare(parts, other, comon=True)
    with pytest.raises(UserError, match="margin is '3'"):
        simpler_eval.gate(other, parts, margin="3")
    assert simpler_eval.gate(other, parts, margin=np.float32(3)).line == judge.line


def test_what_is_no_run_is_one_line(runs):
    for given in ([], ()):
        with pytest.raises(UserError, match="No run is named; give the folder of one at least"):
            simpler_eval.load_runs(given)
    with pytest.raises(UserError, match=r"is no run; give what run\(\) or load_run\(\) returns"):
        simpler_eval.write_tables(runs[1])
    with pytest.raises(UserError, match='Environment "None" is not built'):
        simpler_eval.make(None)


def test_report_writes_what_the_verb_writes(runs, tmp_path):
    parts, other = runs
    done = simpler_eval.report(other)
    assert (done.page, done.tables) == (other / "report/index.html", other / "tables")
    assert done.entries[0].tables.summary.iloc[-1]["successes"] == 5
    assert done.sentences[0].startswith("oracle solved 83.3 %")
    both = simpler_eval.report(parts, other, out=tmp_path / "both", partial=True)
    assert [entry.label for entry in both.entries] == ["random", "oracle"]
    assert (both.page, both.tables) == (tmp_path / "both/report/index.html", tmp_path / "both")
    assert {"cells.csv", "report"} <= {path.name for path in both.tables.iterdir()}
    assert simpler_eval.report(parts).page == tmp_path / "report/index.html"
    for wrong in ({"layout": "simple"}, {"success": "once"}, {"real": "oracle=RT-1-X"}, {"out": other}):
        with pytest.raises(UserError):
            simpler_eval.report(other, **({"out": parts[0]} if "out" in wrong else wrong))
    with pytest.raises(UserError, match="no run to report"):
        simpler_eval.report()


def test_audit_takes_an_object_and_finds_that_it_does_not_listen(tmp_path):
    policy, told = Deaf(), []
    with in_this_process(AuditedWorld):
        done = simpler_eval.audit(
            policy, tasks=TASK, max_steps=2, count=6, out=tmp_path / "out", tell=told.append, world="audited_world", workers=1
        )
    assert {f.condition.name: f.verdict for f in done.audit.findings}["other_instruction"] == "failed"
    assert any("It does not use the instruction" in sentence for sentence in done.sentences)
    assert done.page == tmp_path / "out/audit.html"
    assert done.page.is_file()
    assert told[0] == "unmodified: 6 episodes"
    assert done.errored == 0
    again = {"tasks": TASK, "max_steps": 2, "count": np.int64(6), "out": tmp_path / "out", "world": "audited_world"}
    assert simpler_eval.audit(Deaf(), **again, margin=np.float32(10), workers=1).sentences == done.sentences
    damaged = min((tmp_path / "out").rglob("actions/*.npy"))
    damaged.write_text("half of it")
    with pytest.raises(UserError, match=r"Cannot read the actions .*: it is no \.npy file; remove the file to judge without"):
        simpler_eval.audit(Deaf(), **again, workers=1)
    np.save(damaged, np.zeros(3))
    with pytest.raises(UserError, match=r"holds float64 \(3,\), not the actions of an episode; remove it"):
        simpler_eval.audit(Deaf(), **again, workers=1)
    for wrong in ({"count": 1}, {"margin": 0}, {"workerz": 1}, {"variants": "x", "suite": "demo"}, {"video": "all"}):
        with pytest.raises(UserError):
            simpler_eval.audit("oracle", **wrong)
