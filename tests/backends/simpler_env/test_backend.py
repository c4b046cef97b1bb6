"""The original as a second world behind the runner, with a stand-in for its packages (tests/support/simpler_env_fakes)."""

from __future__ import annotations

import pytest
from fake_policies import Still
from original_interpreter import FAKES, interpreter

from eval.backends.simpler_env.interpreter import find_original
from eval.cli import main
from eval.diagnostics.checks import check_original
from eval.errors import UserError
from eval.plan.suites import make_plan
from eval.records.folder import load_run
from eval.rollout.run import run

TASK = "widowx_carrot_on_plate"


class Watcher(Still):
    """Keeps the images and states it saw."""

    needs_image = True

    def __init__(self):
        self.seen = []

    def act(self, observations):
        self.seen += [(o.step, None if o.image is None else int(o.image.mean()), o) for o in observations]
        return super().act(observations)


class Blind(Watcher):
    needs_image = False


@pytest.fixture
def plan():
    return make_plan(tasks=[TASK], max_steps=5)[:4]


def test_episodes_of_the_plan_are_played_in_the_other_interpreter(tmp_path, plan):
    watcher = Watcher()
    data = run(
        plan, watcher, out=tmp_path / "run", world="simpler-env", world_python=interpreter(tmp_path), workers=2, video="all"
    )
    records = [data.record(spec.id) for spec in plan]
    assert [r.status for r in records] == ["success", "failure", "success", "failure"]
    assert {r.instruction for r in records} == {"put the PutCarrotOnPlateInScene-v0"}
    assert records[0].episode_stats == {"n": True}
    assert all((tmp_path / "run" / r.video).is_file() for r in records)
    first = {o.episode: o for step, _, o in watcher.seen if step == 0}
    assert sorted(mean for step, mean, _ in watcher.seen if step == 4) == [4, 14, 24, 34]  # the image of each step
    proprio = first[plan[0].id].proprio
    assert proprio.tcp_position == pytest.approx([0.4, 0, 1])  # in the robot's frame
    assert proprio.gripper_opening == pytest.approx(0.75)


def test_record_and_title_say_which_world_it_was(tmp_path, plan):
    data = run(plan, Blind(), out=tmp_path / "run", world="simpler-env", world_python=interpreter(tmp_path), workers=1)
    assert data.header.world.name == "simpler_env on SAPIEN 2.2.2"
    assert data.header.rendered == "nothing"
    assert data.header.world.versions["simpler_env"]["path"] == str(FAKES / "simpler_env")
    title = (data.path / "tables/summary.md").read_text().splitlines()[0]
    assert "simpler_env on SAPIEN 2.2.2 (STAND-INS for" in title  # the fake folder holds none of the original files


def test_run_is_not_continued_in_another_world(tmp_path, plan, capsys):
    python = interpreter(tmp_path)
    out = tmp_path / "run"
    run(plan[:2], "random", out=out, world="simpler-env", world_python=python, workers=1)
    with pytest.raises(UserError, match="start a new run in another --out"):
        run(plan[:2], "random", out=out, workers=1)
    with pytest.raises(SystemExit) as end:  # and goes on in its own without the option
        main(["run", "--resume", str(out), "--workers", "1"])
    assert end.value.code == 0
    assert load_run(out).header.options.world_python == python


@pytest.mark.parametrize("trouble", ["die", "crash", "raise", "hang"])
def test_trouble_once_costs_one_retry(tmp_path, plan, trouble):
    (tmp_path / "once").mkdir()
    python = interpreter(tmp_path, FAKE_TROUBLE=f"{trouble}:2:{tmp_path / 'once'}")
    watchdog = 3.0 if trouble == "hang" else 60.0
    data = run(plan, Blind(), out=tmp_path / "run", world="simpler-env", world_python=python, workers=2, watchdog=watchdog)
    assert [data.record(s.id).attempts for s in plan] == [1, 1, 2, 1]
    assert [data.record(s.id).status for s in plan] == ["success", "failure", "success", "failure"]


@pytest.mark.parametrize(
    ("trouble", "words"),
    [("die", "killed by signal 9"), ("crash", "killed by signal 6"), ("raise", "RuntimeError: the simulator broke")],
)
def test_trouble_every_time_is_recorded_and_the_run_goes_on(tmp_path, plan, trouble, words):
    (tmp_path / "always").mkdir()
    python = interpreter(tmp_path, FAKE_TROUBLE=f"{trouble}:2:{tmp_path / 'always'}")
    data = run(plan, Blind(), out=tmp_path / "run", world="simpler-env", world_python=python, workers=1)
    assert [data.record(s.id).status for s in plan] == ["success", "failure", "errored", "failure"]
    assert words in (data.record(plan[2].id).error or "")


def _refusal(arguments, capsys) -> str:
    with pytest.raises(SystemExit) as end:
        main(["run", "--world", "simpler-env", "--task", TASK, "--limit", "1", *arguments])
    assert end.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_bad_interpreters_get_one_line_each(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SIMPLER_ENV_PYTHON", raising=False)
    missing = _refusal(["--world-python", str(tmp_path / "nowhere")], capsys)
    assert "nowhere is no executable file" in missing
    old = tmp_path / "old"
    old.write_text("#!/bin/sh\necho 3 6 15\n")
    old.chmod(0o755)
    assert "is Python 3.6.15; the original needs 3.8 or newer" in _refusal(["--world-python", str(old)], capsys)
    assert "is no Python" in _refusal(["--world-python", "/bin/true"], capsys)
    empty = tmp_path / "empty"
    (empty / "sapien").mkdir(parents=True)
    (empty / "sapien" / "__init__.py").write_text('__version__ = "2.2.2"')
    lacking = _refusal(["--world-python", interpreter(tmp_path, empty)], capsys)
    assert "No module named 'mani_skill2_real2sim'" in lacking
    assert "install SAPIEN 2.2.2" in lacking
    other = _refusal(["--world-python", interpreter(tmp_path, FAKE_SAPIEN="3.0.3")], capsys)
    assert "SAPIEN 3.0.3" in other
    assert "install sapien==2.2.2" in other
    bare = _refusal(["--world-python", interpreter(tmp_path, MS2_REAL2SIM_ASSET_DIR="/nowhere")], capsys)
    assert "set MS2_REAL2SIM_ASSET_DIR" in bare
    for how, words in (("absent", "failed to find a rendering device"), ("crash", "dies of signal 6")):
        blind = _refusal(["--world-python", interpreter(tmp_path, FAKE_VULKAN=how)], capsys)
        assert words in blind
        assert "install a Vulkan driver" in blind


def test_the_original_renders_where_it_is_told(tmp_path, plan, capsys):
    python = interpreter(tmp_path)
    options = {"world": "simpler-env", "world_python": python, "workers": 1}
    data = run(plan[:1], Blind(), out=tmp_path / "run", render_device="cuda:1", **options)
    assert data.record(plan[0].id).episode_stats["device"] == data.header.world.render_device == "cuda:1"
    absent = _refusal(["--world-python", python, "--render-device", "cuda:5"], capsys)
    assert 'physical device "cuda:5"): give --render-device another device' in absent
    assert 'cannot render on "cpu"' in _refusal(["--world-python", python, "--render-device", "cpu"], capsys)


def test_without_an_interpreter_our_own_is_looked_at(tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("SIMPLER_ENV_PYTHON", raising=False)
    assert "not installed in our own interpreter" in _refusal([], capsys)
    monkeypatch.setenv("SIMPLER_ENV_PYTHON", interpreter(tmp_path))
    assert find_original().name == "simpler_env on SAPIEN 2.2.2"


def test_options_that_do_not_go_together_are_refused(tmp_path, capsys):
    assert "names packs of our own world" in _refusal(["--assets", str(tmp_path)], capsys)
    with pytest.raises(SystemExit) as end:
        main(["run", "--world-python", "python3", "--task", TASK, "--limit", "1"])
    assert end.value.code == 2
    assert "Only --world simpler-env has" in capsys.readouterr().err


def test_an_own_task_is_refused_before_anything_is_played(tmp_path, make_spec):
    with pytest.raises(UserError, match="has no task fake_task"):
        run([make_spec(0)], Blind(), out=tmp_path / "run", world="simpler-env", world_python=interpreter(tmp_path))
    assert not (tmp_path / "run").exists()


def test_doctor_tells_of_the_original(tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLER_ENV_PYTHON", interpreter(tmp_path))
    check = check_original()
    assert check.ok
    assert "simpler_env on SAPIEN 2.2.2" in check.detail
    monkeypatch.setenv("SIMPLER_ENV_PYTHON", interpreter(tmp_path, FAKE_VULKAN="absent"))
    check = check_original()
    assert not check.ok
    assert not check.required  # only that world needs it
    assert "install a Vulkan driver" in check.fix
