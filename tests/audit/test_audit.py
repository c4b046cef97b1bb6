"""An audit finds who does not look, who does not listen and who knows the grid by heart, and passes who does none of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from audited_policies import TASK, Attentive, Blind, ByHeart, Deaf, Drawing, Helpless, Moody, Seer
from audited_world import AuditedWorld
from scripted_runs import in_this_process, scripted_run

from eval.audit.findings import Audit, Finding, find
from eval.audit.instructions import other_instructions
from eval.audit.plans import audit_plans
from eval.audit.playing import Played, play_conditions
from eval.audit.published_rows import published_pairs
from eval.errors import UserError
from eval.plan.options import PlanOptions
from eval.plan.suites import make_plan
from eval.records.header import OBSERVATION_CHANGE
from eval.records.identity import require_poolable
from eval.records.options import RunOptions
from eval.records.titles import title
from eval.report.audit_page import write_audit

COUNT = 24
LOOKS = ("blank_picture", "other_picture")


def audited(folder: Path, policy: object, count: int = COUNT, margin: float = 0.1) -> Audit:
    plans = audit_plans(PlanOptions(tasks=(TASK,), max_steps=2), count)
    options = RunOptions(policy=f"audited_policies:{type(policy).__name__}", world="audited_world", workers=1)
    with in_this_process(AuditedWorld):
        return find(play_conditions(plans, options, folder, policy), margin)


def by_name(audit: Audit) -> dict[str, Finding]:
    return {finding.condition.name: finding for finding in audit.findings}


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    policies = (Attentive(), Deaf(), Blind(), ByHeart(), Helpless(), Seer())
    return {type(p).__name__: audited(tmp_path_factory.mktemp("audit") / "out", p) for p in policies}


def test_who_looks_and_listens_passes(audits: dict[str, Audit]) -> None:
    found = by_name(audits["Attentive"])
    assert [found[name].verdict for name in (*LOOKS, "other_instruction")] == ["passed"] * 3
    assert (found["blank_picture"].successes, found["blank_picture"].changed) == (24, 0)
    assert (
        "It uses the instruction: with the instruction of another task it solves fewer (24 of 24 solved unmodified, 0 of 24"
        in (found["other_instruction"].sentence)
    )
    assert found["heldout"].verdict in ("passed", "unsure")
    assert found["heldout"].fall == 0
    assert audits["Attentive"].repeats_itself is True


@pytest.mark.parametrize(("policy", "repeats"), [(Drawing, True), (Moody, False)])
def test_whether_a_policy_repeats_itself_is_asked_in_the_very_same_episode(policy: type, repeats: bool, tmp_path: Path) -> None:
    audit = audited(tmp_path / "out", policy(), 6)
    assert audit.repeats_itself is repeats
    again = audit.played.runs["again"]
    assert [spec.id for spec in again.plan] == [spec.id for spec in audit.played.runs["published"].plan[:4]]
    assert {record.steps for record in again.records.values()} == {1}


def test_who_does_not_listen_is_found(audits: dict[str, Audit]) -> None:
    found = by_name(audits["Deaf"])
    assert found["other_instruction"].verdict == "failed"
    assert "its actions are the same to the last one in all 24 episodes" in found["other_instruction"].sentence
    assert [found[name].verdict for name in LOOKS] == ["passed"] * 2


def test_who_does_not_look_is_found(audits: dict[str, Audit]) -> None:
    found = by_name(audits["Blind"])
    assert [found[name].verdict for name in LOOKS] == ["failed"] * 2
    assert (found["other_instruction"].successes, found["other_instruction"].changed) == (6, 0)
    assert found["blank_picture"].reaction is not None
    assert found["blank_picture"].reaction.any == 0


def test_who_knows_the_grid_by_heart_is_found(audits: dict[str, Audit]) -> None:
    found = by_name(audits["ByHeart"])
    assert found["heldout"].verdict == "failed"
    assert (found["heldout"].successes, found["heldout"].changed) == (24, 0)
    assert "It has memorised the grid, at least in part" in found["heldout"].sentence


def test_success_of_nothing_says_nothing_but_reactions_do(audits: dict[str, Audit]) -> None:
    found = by_name(audits["Helpless"])
    assert {finding.verdict for finding in found.values()} == {"unsure"}
    assert "it solves none of the 24 episodes as they are. It does react" in found["blank_picture"].sentence
    assert "It does not look" not in " ".join(finding.sentence for finding in found.values())


def test_what_a_policy_does_not_use_is_not_asked(audits: dict[str, Audit]) -> None:
    found = by_name(audits["Seer"])
    assert [found[name].verdict for name in (*LOOKS, "other_instruction")] == ["not applicable"] * 3
    assert (found["heldout"].successes, found["heldout"].changed) == (24, 24)
    assert found["heldout"].verdict != "failed"


def test_at_a_small_n_it_says_how_many_would_do(tmp_path: Path) -> None:
    found = by_name(audited(tmp_path / "out", Attentive(), 3))
    assert found["heldout"].verdict == "unsure"
    assert "Cannot tell at 3 and 3 episodes" in found["heldout"].sentence
    assert "would detect a fall of 10 points with 80 % power" in found["heldout"].sentence
    assert found["blank_picture"].verdict == "unsure", "three lost episodes of three are no proof"


def test_such_runs_say_what_they_are_and_are_pooled_with_none(audits: dict[str, Audit]) -> None:
    runs = audits["Attentive"].played.runs
    assert OBSERVATION_CHANGE not in runs["published"].header.identity.policy.settings
    for name in (*LOOKS, "other_instruction"):
        assert runs[name].header.identity.policy.settings[OBSERVATION_CHANGE] == name
        assert "no result" in title(runs[name].header, runs[name].plan)
        with pytest.raises(UserError, match="report them apart"):
            require_poolable(runs["published"], runs[name])
    assert "HELD-OUT PLACEMENTS" in title(runs["heldout"].header, runs["heldout"].plan)


def test_what_was_played_is_not_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = audited(tmp_path / "out", Attentive(), 4)
    shutil.rmtree(tmp_path / "out" / "other_instruction")

    class Counting(Attentive):
        resets = 0

        def reset(self, episodes):
            Counting.resets += len(episodes)

        def describe(self):
            return {"name": "attentive"}

    plans = audit_plans(PlanOptions(tasks=(TASK,), max_steps=2), 4)
    options = RunOptions(policy="audited_policies:Attentive", world="audited_world", workers=1)
    policy = Counting()
    policy.__class__.__module__ = Attentive.__module__
    with in_this_process(AuditedWorld):
        again = find(play_conditions(plans, options, tmp_path / "out", policy), 0.1)
    assert Counting.resets == 4, "one condition of four episodes"
    assert [f.sentence for f in again.findings] == [f.sentence for f in first.findings]


def test_the_page_says_what_was_found(audits: dict[str, Audit], tmp_path: Path) -> None:
    audit = audits["Deaf"]
    folder = audit.played.runs["published"].path.parent
    page = write_audit(folder, audit, published_pairs(audit.played.runs["published"].plan)).read_text()
    assert "It does not use the instruction" in page
    assert page.count("<img ") >= 6
    assert 'src="http' not in page
    assert "put eggplant into yellow basket" in page
    content = json.loads((folder / "audit.json").read_text())
    assert {f["condition"]: f["verdict"] for f in content["findings"]}["other_instruction"] == "failed"
    assert "| Does it use the instruction? | failed | 24/24 | 24/24 | 0.0 |" in (folder / "audit.md").read_text()


@pytest.mark.parametrize(
    "task",
    ["google_robot_pick_coke_can", "google_robot_move_near", "google_robot_open_drawer", "widowx_stack_cube", TASK,
     "google_robot_place_apple_in_closed_top_drawer", "widowx_put_eggplant_in_basket"],
)  # fmt: skip
def test_the_other_instruction_is_another_one_of_the_same_robot(task: str) -> None:
    specs = make_plan(tasks=[task], limit=6)
    others = other_instructions(specs)
    for spec in specs:
        for text in (spec.instruction, *spec.later_instructions):
            assert others[spec.id, text] != text
    own = {
        spec.instruction for name in ("google_robot_open_drawer", "google_robot_move_near") for spec in make_plan(tasks=[name])
    }
    if ("drawer" in task and "place" not in task) or "near" in task:
        assert {others[s.id, s.instruction] for s in specs} <= own


def test_published_numbers_are_told_apart_at_their_number_of_episodes() -> None:
    (carrot,) = published_pairs(make_plan(tasks=[TASK], limit=1))
    (can,) = published_pairs(make_plan(tasks=["google_robot_pick_coke_can"], limit=1))
    assert (carrot.n, can.n) == (24, 300)
    assert carrot.told_apart / len(carrot.pairs) < 0.3 < can.told_apart / len(can.pairs)
    assert carrot.smallest_told is not None
    assert carrot.smallest_told > 25, "24 episodes cannot rank what is closer"
    assert carrot.leaders[0] == carrot.pairs[0].higher


def test_the_command_audits_a_policy(tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    given = ("audited_policies:Seer", "--task", TASK, "--max-steps", 2, "--count", 2, "--workers", 1)
    code, out, err = cli("audit", *given, "--world", "audited_world", "--out", tmp_path / "out")
    assert code == 0, err
    assert "Not applicable: it needs no picture" in " ".join(out.split())
    assert (tmp_path / "out" / "audit.html").exists()
    code, _, err = cli("audit", "audited_policies:Deaf", "--task", "widowx_carot_on_plate")
    assert (code, err.count("\n")) == (2, 1)


def test_looks_of_an_initial_state_are_one_unit(tmp_path: Path) -> None:
    can = [spec for spec in make_plan(tasks=["google_robot_pick_coke_can"], variants=["standing/*"]) if spec.index < 3]
    assert len(can) == 12, "3 places of the can in 4 arm colours"
    runs = {name: scripted_run(tmp_path / name, can, ends * 12) for name, ends in (("published", "s"), ("blank_picture", "f"))}
    others = dict.fromkeys(("other_picture", "other_instruction", "heldout"), "it was not played")
    (finding, *_) = find(Played("random", runs, others, {}), 0.1).findings
    assert (finding.successes, finding.changed, finding.verdict) == (12, 0, "unsure")
    assert finding.p == pytest.approx(2 / 2**3), "three signs, not twelve"


def test_the_command_says_what_it_played_and_how_to_go_on(tmp_path: Path, cli) -> None:  # type: ignore[no-untyped-def]
    given = ("--task", TASK, "--max-steps", 2, "--workers", 1, "--world", "audited_world")
    code, out, err = cli("audit", "audited_policies:Careless", *given, "--count", 99, "--out", tmp_path / "audit")
    assert code == 0, err
    assert f"{TASK} has 24 published episodes, fewer than --count 99" in err
    assert "simpler-eval: close() of audited_policies:Careless failed: policy raised RuntimeError: not today" in err
    assert "were measured with: original assets; max_steps 2 instead of 60." in " ".join(out.split())

    code, out, err = cli("audit", "audited_policies:Sick", *given, "--count", 2, "--out", tmp_path / "sick")
    assert code == 1
    assert "the same command with --out" in err
    assert "eval.run(" not in err

    run = tmp_path / "audit" / "published"
    files = sorted(run.rglob("*"))
    code, _, err = cli("audit", "audited_policies:Deaf", *given, "--count", 2, "--out", run)
    assert (code, err.count("\n")) == (2, 1)
    assert "belongs to the run in" in err
    assert sorted(run.rglob("*")) == files
