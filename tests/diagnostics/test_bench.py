"""Measurements of speed: what is counted, not how fast this machine is."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

import eval.diagnostics.bench.policy as module
import eval.diagnostics.bench.tracker as trackers
from eval.cli import main
from eval.diagnostics.bench.end2end import EndToEndReport
from eval.diagnostics.bench.instant import InstantPolicy
from eval.diagnostics.bench.played import play_timed
from eval.diagnostics.bench.plot import plot
from eval.diagnostics.bench.policy import measure_policy
from eval.diagnostics.bench.sim import SimReport
from eval.diagnostics.bench.timed_policy import Batch, TimedPolicy, pace_of
from eval.plan.suites import make_plan
from eval.records.options import RunOptions
from eval.records.provenance import provenance
from eval.rollout.run import run
from policies.base import Action, EpisodeInfo, PolicyDescription


class Slow:
    """Takes 20 ms an answer."""

    needs_image = False
    needs_privileged = False

    def __init__(self) -> None:
        self.closed = False

    def reset(self, episodes: list[EpisodeInfo]) -> None:
        self.episodes = episodes

    def act(self, observations: list) -> list[Action]:
        time.sleep(0.02)
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self) -> PolicyDescription:
        return PolicyDescription(name="slow", settings={"milliseconds": 20})

    def close(self) -> None:
        self.closed = True


@pytest.fixture
def slow(monkeypatch):
    """``measure_policy`` with this policy in a world without physics."""
    policy = Slow()
    monkeypatch.setattr("eval.rollout.checks.check_policy", lambda *_, **__: None)  # no policy of that name is installed
    monkeypatch.setattr(module, "load_policy", lambda name, args: policy)
    monkeypatch.setattr(module, "run", lambda *args, **options: run(*args, world="fake_world", **options))
    return policy


def test_a_timed_policy_is_the_policy_with_a_clock():
    policy = TimedPolicy(Slow())
    policy.reset(["episode"])
    assert len(policy.act([1, 2, 3])) == 3
    ((_, seconds, size),) = policy.batches
    assert size == 3
    assert 0.02 <= seconds < 2
    assert policy.describe().name == "slow"
    assert (policy.needs_image, policy.needs_privileged) == (False, False)


def test_what_is_measured(slow):
    speed = measure_policy("slow", {}, episodes=2, workers=1, max_steps=4).speed
    assert (speed.policy, speed.workers, speed.errored) == ("slow", 1, 0)
    assert speed.batches == 7, "eight steps of two episodes, the first of which is counted apart"
    assert speed.mean_batch == 1
    assert speed.first_batch_ms >= 20
    assert speed.ms_per_batch >= 20
    assert speed.ms_per_observation >= 20
    assert 0 < speed.policy_share <= 1
    assert 0 < speed.steps_per_second < 50
    assert speed.description.settings == {"milliseconds": 20}
    assert slow.closed


def test_the_verb_prints_both_ways(slow, capsys):
    for arguments in (["--json"], []):
        with pytest.raises(SystemExit) as end:
            main(["bench", "policy", "slow", "--episodes", "2", "--workers", "1", "--max-steps", "3", *arguments])
        assert end.value.code == 0
        out = capsys.readouterr().out
        if arguments:
            content = json.loads(out)
            speed = content["speed"]
            assert (speed["description"]["name"], speed["batches"]) == ("slow", 5)
        else:
            assert "slow: loaded in" in out
            assert "5 batches of 1.0" in out


def test_the_simulator_is_measured_with_one_worker_and_more(capsys):
    """Our own world, small: a row a task and number of workers, and a share of time that is one."""
    with pytest.raises(SystemExit) as end:
        main(["bench", "sim", "--workers", "1", "--steps", "2", "--repeats", "2", "--json"])
    assert end.value.code == 0
    report = json.loads(capsys.readouterr().out)
    assert [(row["task"], row["workers"]) for row in report["rows"]] == [(task, 1) for task in module.TASKS]
    assert all(row["steps_per_second"] > 0 and 0 < row["inside_sapien"] < 1 for row in report["rows"])
    assert all(len(row["repeats"]) == 2 and row["ours_ms"] > 0 for row in report["rows"])
    assert report["device"], "what rendered"
    assert report["measured"]["machine"]["cores"] >= 1


POLICY = (
    "import numpy as np\nfrom policies.base import Action, PolicyDescription\n\n"
    + """
class Thinks:
    needs_image = True
    needs_privileged = False

    def __init__(self, inference: str = "fast"):
        self.inference = inference

    def reset(self, episodes): ...

    def act(self, observations):
        return [Action(np.zeros(7)) for _ in observations]

    def describe(self):
        return PolicyDescription(name="thinks", inference=self.inference, details={"timings": {"thinking": 1e-6}})

    def close(self): ...
"""
)


@pytest.fixture
def thinks(tmp_path):
    """A policy file with an option of the released loop, which tells where its time goes."""
    file = tmp_path / "thinks.py"
    file.write_text(POLICY)
    return f"{file}:Thinks"


FEW = ("--episodes", "2", "--max-steps", "4", "--world", "fake_world")


def test_a_run_is_measured_end_to_end_beside_the_released_loop(cli, thinks):
    arguments = ("bench", "end2end", thinks, *FEW, "--workers", "1", "--with-baseline", "--json")
    code, out, _ = cli(*arguments)
    assert code == 0
    report = json.loads(out)
    speed, loop = report["speed"], report["baseline"]
    assert (speed["episodes"], speed["steps"], speed["errored"]) == (2, 8, 0)
    assert 3600 / speed["episodes_per_hour"] * 2 == pytest.approx(speed["wall_seconds"])
    assert speed["wall_seconds"] > speed["load_seconds"] + speed["start_seconds"]
    assert speed["stages"]["policy"]["thinking"] == 1e-6
    assert len(speed["repeats"]) == 3
    assert (loop["episodes"], loop["steps"], loop["errored"]) == (2, 8, 0)
    assert loop["policy_args"] == {"inference": "eager"}, "what was released had no fast path"


def test_a_page_gets_command_machine_and_a_table(cli, thinks):
    code, out, _ = cli(
        "bench", "baseline", thinks, "--episodes", "2", "--max-steps", "3", "--world", "fake_world", "--markdown"
    )
    assert code == 0
    command, machine, drivers, table = out.strip().split("\n\n")
    assert command.startswith("`")
    assert "cores" in machine
    assert drivers
    head, rule, row = table.splitlines()
    assert head.startswith("| policy | episodes | steps | steps/s |")
    assert set(rule) <= set("|- ")
    assert row.split("|")[2:4] == [" 2 ", " 6 "]


def test_ray_traced_scenes_are_played_by_a_policy_that_answers_at_once(cli):
    code, out, _ = cli("bench", "rt", "--world", "fake_world", "--workers", "2", "--steps", "3", "--json")
    assert code == 0
    rows = json.loads(out)["rows"]
    assert [(row["scene"], row["workers"], row["episodes"]) for row in rows] == [
        ("visual-matching", 2, 2),
        ("closed-room", 2, 2),
    ]
    assert all(row["steps_per_second"] > 0 and not row["errored"] for row in rows)
    code, _, err = cli("bench", "rt", "--scene", "closed-rom")
    assert code == 2
    assert "closed-room" in err


def test_where_a_worker_spends_its_time_adds_up(tmp_path):
    """Our own world: every second of a simulator process is in one stage."""
    plan = make_plan(tasks=["widowx_carrot_on_plate"], limit=1, max_steps=2)
    options = RunOptions(policy="instant", workers=1)
    played = play_timed(plan, options, InstantPolicy(), tmp_path / "run")
    assert played.worker_steps == 2
    assert set(played.stages) == {"build", "simulate", "draw", "read-back", "picture", "python", "wait"}
    assert all(seconds > 0 for seconds in played.stages.values())
    assert sum(played.stages.values()) < played.wall_seconds
    assert [record.steps for record in played.data.records.values()] == [2]


def test_a_tracker_is_measured_by_its_own_package(cli, monkeypatch):
    asked = []

    def measure(tracker, checkpoint, device, episodes, repeats):
        asked.append((tracker, checkpoint, device, episodes, repeats))
        return "cotracker", "cuda:0", {"points": [3.0, 1.0, 2.0]}

    point = SimpleNamespace(load=lambda: measure)
    monkeypatch.setattr(trackers, "entry_points", lambda **_: [point])
    code, out, _ = cli("bench", "tracker", "--episodes", "4", "--repeats", "3", "--json")
    assert code == 0
    assert asked == [("auto", None, "auto", 4, 3)]
    assert [json.loads(out)[name] for name in ("tracker", "device")] == ["cotracker", "cotracker on cuda:0"]
    (row,) = json.loads(out)["rows"]
    assert (row["call"], row["ms"], row["repeats"]) == ("points", 2.0, [3.0, 1.0, 2.0])


def test_reports_become_a_plot(cli, thinks, tmp_path):
    code, out, _ = cli("bench", "end2end", thinks, *FEW, "--workers", "8", "--batch", "3", "--json")
    assert code == 0
    speed = json.loads(out)["speed"]
    assert (speed["workers"], speed["per_worker"], speed["batch"]) == (2, 1, 3), "as it was played: two episodes"
    report, picture = tmp_path / "report.json", tmp_path / "bench.png"
    report.write_text(out)
    assert cli("bench", "plot", report, "--out", picture)[0] == 0
    assert cv2.imread(str(picture)).shape[1] > 500
    (tmp_path / "no.json").write_text("{}")
    code, _, err = cli("bench", "plot", tmp_path / "no.json")
    assert code == 2
    assert "no.json is no report" in err
    for right, wrong in (('"repeats": [', '"repeats": [NaN, '), ('"workers": 2', '"workers": 0')):
        assert right in out
        (tmp_path / "no.json").write_text(out.replace(right, wrong, 1))
        assert "no.json is no report" in cli("bench", "plot", tmp_path / "no.json")[2]
    (tmp_path / "folder.png").mkdir()
    assert "is a folder" in cli("bench", "plot", report, "--out", tmp_path / "folder.png")[2]
    assert cli("bench", "plot", report, "--out", tmp_path / "new" / "bench.png")[0] == 0  # its folder is made


def test_a_policy_has_one_colour_in_a_plot_and_its_runs_stand_in_order(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kw: (drawn.append(figure), save(figure, *args, **kw)))
    about = {"device": "a card", "drivers": [], "measured": provenance()}
    row = {"task": "a_task", "workers": 4, "steps_per_second": 40.0, "repeats": [40.0], "inside_sapien": 0.9, "ours_ms": 3.0}
    reports = [SimReport.model_validate({"bench": "sim", **about, "rows": [row]})]
    for policy, workers, batch in (("b", 16, 16), ("b", 4, 4), ("a", 8, None)):
        stages = SimpleNamespace(simulators={"draw": 1.0}, policy={"decode": 1.0}, steps=10)
        speed = SimpleNamespace(policy=policy, workers=workers, batch=batch, steps=10, steady_steps_per_second=10.0,
                                repeats=[9.0, 11.0], stages=stages)  # fmt: skip
        reports.append(EndToEndReport.model_construct(**about, speed=speed))
    plot(reports, tmp_path / "bench.png")
    over_workers, over_batch, bars, _ = drawn[0].axes
    colours = [
        {label: line.get_color() for line, label in zip((h[0] for h in axes.get_legend_handles_labels()[0]),
         axes.get_legend_handles_labels()[1], strict=True)} for axes in (over_workers, over_batch)
    ]  # fmt: skip
    assert len({*colours[0].values()}) == 3
    assert colours[1].items() <= colours[0].items() != set()
    assert [text.get_text().split(",")[1].strip() for text in bars.get_yticklabels()] == [
        "8 workers",
        "4 workers",
        "16 workers",
    ]


def test_runs_of_other_conditions_are_no_parts_of_one_run(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    drawn, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *args, **kw: (drawn.append(figure), save(figure, *args, **kw)))
    reports = []
    whole = "simpler-eval bench end2end a --suite google_robot_variant_aggregation --sample 0.1 --rt fast --out here --json"
    for command, pace in ((whole, 35.0), (whole, 36.0), ("simpler-eval bench end2end a --episodes=160 --json", 56.0)):
        stages = SimpleNamespace(simulators={"draw": 1.0}, policy={"decode": 20 / pace}, steps=20)
        speed = SimpleNamespace(
            policy="a", workers=16, batch=32, steps=20, steady_steps_per_second=pace, repeats=[pace], stages=stages
        )
        measured = provenance().model_copy(update={"command": command})
        reports.append(EndToEndReport.model_construct(device="a card", drivers=[], measured=measured, speed=speed))
    plot(reports, tmp_path / "bench.png")
    over_workers, _, _, policy = drawn[0].axes
    assert [label.replace("\N{NO-BREAK SPACE}", " ") for label in over_workers.get_legend_handles_labels()[1]] == [
        "a --sample 0.1 --rt fast, end to end",
        "a --episodes 160, end to end",
    ]
    labels = [" ".join(text.get_text().replace("\N{NO-BREAK SPACE}", " ").split()) for text in policy.get_yticklabels()]
    assert labels == [
        "a --episodes 160, 16 workers, batch 32",
        "a --sample 0.1 --rt fast, 16 workers, batch 32",
    ]
    ms = [bar.get_width() for bar in policy.patches]
    assert ms == pytest.approx([1e3 / 56, (1e3 / 35 + 1e3 / 36) / 2]), "the calls of the first command together"


def test_the_steady_part_leaves_out_the_ends():
    """Ten steps a second, but slow ends: half a second a step in the first tenth and in the last."""
    batches, now = [], 0.0
    for step in range(101):
        seconds = 0.5 if step <= 10 or step > 90 else 0.1
        batches.append(Batch(now, seconds, 1))
        now += seconds
    pace = pace_of(batches)
    assert pace.steady.median == pytest.approx(10.0)
    assert pace.steps_per_second == pytest.approx(100 / (now - 0.5))
    assert pace.policy_share == pytest.approx(1.0)
