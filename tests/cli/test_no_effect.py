"""An option that was given is used or refused, in every verb: which situation leaves which option without effect."""

from __future__ import annotations

import pytest

CARROT = ("--task", "widowx_carrot_on_plate")
REPRODUCED = ("reproduce", "oracle", "google_robot_pick_coke_can")
NONE = "has no effect"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        # an empty text is no default
        (("run", "--policy", ""), "--policy is empty"),
        (("run", "--policy="), "--policy is empty"),
        (("run", "--out", " "), "--out is empty"),
        (("run", "--assets", ""), "--assets is empty"),
        (("run", "--assets", ","), '--assets "," names no folder'),
        (("doctor", "--assets", "a,,b"), '--assets "a,,b" names no folder'),
        (("plan", "--task", ""), "--task is empty"),
        (("plan", "--suite", ""), "--suite is empty"),
        (("report", ""), "an argument is empty"),
        (("parity", "world", "x", "--only", ""), "--only is empty"),
        (("assets", "fetch", "--to", ""), "--to is empty"),
        (("run", "--policy", "caf\udce9.py:Mine"), "is no UTF-8 text"),
        # two values for one option
        (("plan", "--seed", "1", "--seed", "2"), "--seed is given 2 times"),
        (("bench", "sim", "--steps", "1", "--steps", "2"), "--steps is given 2 times"),
        # which episodes
        (("plan", "--setting", "visual_matching"), f"--setting {NONE} without --task"),
        (("plan", "--setting", "prepackaged", "--suite", "demo"), f"--setting {NONE} without --task"),
        (("run", "--variant", "*"), f"--variant {NONE} without --task"),
        (("run", *CARROT, "--suite", "demo"), f"--task {NONE} with --suite"),
        (("run", "--seed", "3"), f"--seed 3 {NONE}"),
        (("plan", *CARROT, "--seed", "3"), f"--seed 3 {NONE}"),
        (("plan", *CARROT, "--sample", "nan"), "--sample is nan; it must be a finite number"),
        (("plan", "--video", "first:0"), '--video "first:0" films nothing'),
        # how they are played
        (("run", "--rt", "maybe"), '--rt cannot be "maybe"; use auto, trace, fast or raster.'),
        (("run", *CARROT, "--rt", "raster"), f"--rt raster {NONE}"),
        (("run", "--watchdog", "0"), "--watchdog is 0; it must be more than 0"),
        (("run", "--watchdog", "nan"), "--watchdog is nan"),
        (("run", "--assets-fallback"), f"--assets-fallback {NONE} without --assets"),
        (("run", "--retry-errored"), f"--retry-errored {NONE} without --resume or --out"),
        (("run", "--fail-on-error", "--stop-after", "3"), f"--stop-after {NONE} with --fail-on-error"),
        (("run", "--world-python", "python3", *CARROT), "leave --world-python out"),
        (("run", "--resume", "gone", "--seed", "3"), f"--seed {NONE} with --resume"),
        (("run", "--resume", "gone", "--setting", "visual_matching"), f"--setting {NONE} with --resume"),
        (("run", "--resume", "gone", "--policy", "oracle"), f"--policy {NONE} with --resume"),
        (("run", "--resume", "gone", "--out", "x", "--dtype", "float32"), "--dtype, --out have no effect with --resume"),
        # other verbs
        (("reproduce", "--list", "--sample", "0.5"), f"--sample {NONE} with --list"),
        (("reproduce", "oracle", "--list"), f"POLICY {NONE} with --list"),
        ((*REPRODUCED, "--from", "x", "--workers", "2"), f"--workers {NONE} with --from"),
        ((*REPRODUCED, "--from", "x", "--checkpoint", "c"), f"--checkpoint {NONE} with --from"),
        ((*REPRODUCED, "--retry-errored"), f"--retry-errored {NONE} without --out"),
        (("parity", "policies", "--world", "simpler-eval", "--world-python", "p"), f"--world-python {NONE}"),
        (("parity", "policies", "--setting", "visual_matching"), f"--setting {NONE} without --task"),
        (("demo", "--workers", "0"), "--workers"),
        (("parity", "actions", "x", "--policy", "p", "--only", ","), '--only "," names nothing'),
        (("bench", "end2end", "random", "--baseline-episodes", "3"), f"--baseline-episodes {NONE} without --with-baseline"),
        (("bench", "end2end", "random", *CARROT, "--episodes", "3"), f"--episodes {NONE} with --task"),
        (("bench", "end2end", "random", "--gpus", "2"), "No such option: --gpus"),
        (("bench", "tracker", "--device", "gpu"), '--device "gpu" is unknown'),
        (("bench", "tracker", "--device", "cpu", "--episodes", "1"), f"--device {NONE}"),
        (("bench", "plot", "x.json", "--out", "x.pdf"), "--out x.pdf is no PNG"),
        # absurd sizes
        (("plan", *CARROT, "--setting", "prepackaged", "--limit", "1000000000"), "1,000,000,000 episodes are too many"),
        (("plan", *CARROT, "--setting", "prepackaged", "--seed", "4294967295", "--limit", "3"), "leave the range"),
        (("plan", *CARROT, "--setting", "prepackaged", "--seed", "4294967296"), "must be at most 4294967295"),
        (("plan", "--max-steps", "1000000000000"), "must be at most 100000"),
        (("plan", "--repeat", "1000000000"), "must be at most 10000"),
        (("plan", "--repeat", "10000", "--suite", "everything"), "too many for one run"),
        (("plan", "--task", "a" * 400 + ".yaml"), "File name too long"),
    ],
)
def test_what_has_no_effect_is_refused_in_one_line(cli, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    code, out, err = cli(*arguments)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert words in err
    assert not list(tmp_path.iterdir())


def test_assets_of_the_environment_are_enough_for_the_fallback(cli, tmp_path, monkeypatch):
    monkeypatch.setenv("SIMPLER_EVAL_ASSETS", "gone")
    monkeypatch.chdir(tmp_path)
    assert NONE not in cli("run", "--assets-fallback")[2]


def test_what_has_an_effect_is_used(cli):
    assert cli("plan", *CARROT, "--seed", "3", "--sample", "0.1")[0] == 0
    assert cli("plan", *CARROT, "--limit", "1000000000")[1].startswith("24 episodes")
    assert cli("plan", *CARROT, "--setting", "prepackaged", "--seed", "4294967295", "--limit", "1")[0] == 0
