"""A policy whose ``close()`` fails: a line on stderr, whoever called it, and no result is lost."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from fake_policies import Still

import eval.diagnostics.bench.policy as bench
from eval.rollout import policy_closing
from eval.rollout.policy_closing import close_object
from eval.rollout.run import run
from eval.serving.options import ServingOptions
from eval.serving.serve import serving

HERE = Path(__file__)


class FailsToClose(Still):
    def close(self):
        raise RuntimeError("cannot free\nit")


class HangsInClose(Still):
    def close(self):
        time.sleep(60)


class FailsToBegin(Still):
    def reset(self, episodes):
        raise RuntimeError("no model")


FAILED = "policy raised RuntimeError: cannot free it"


def test_one_that_raises_or_hangs_is_a_line(monkeypatch):
    monkeypatch.setattr(policy_closing, "SECONDS", 0.5)
    said = []
    for policy in (Still(), FailsToClose(), HangsInClose()):
        close_object(policy, "mine", said.append)
    assert said == [
        f"simpler-eval: close() of mine failed: {FAILED}",
        "simpler-eval: close() of mine failed: policy was silent for 0.5 s in close (call 1)",
    ]


def test_a_server_says_so_when_it_ends(capsys):
    policy = f"{HERE}:FailsToClose"
    with serving(policy, {}, ServingOptions(port=0)) as server:
        assert server.policy.name == "still"
    assert capsys.readouterr().err == f"simpler-eval: close() of {policy} failed: {FAILED}\n"


@pytest.fixture
def measured(monkeypatch):
    """``bench policy`` in a world without physics."""
    monkeypatch.setattr(bench, "run", lambda *args, **options: run(*args, world="fake_world", **options))

    def arguments(policy):
        return ["bench", "policy", f"{HERE}:{policy}", "--episodes", "2", "--workers", "1", "--max-steps", "3"]

    return arguments


def test_a_measurement_says_so_and_shows_what_it_measured(cli, measured):
    code, out, err = cli(*measured("FailsToClose"))
    assert code == 0
    assert "steps/s" in out
    assert err.splitlines()[-1] == f"simpler-eval: close() of {HERE}:FailsToClose failed: {FAILED}"


def test_a_measurement_of_a_policy_that_cannot_begin_says_why_there_is_none(cli, measured):
    code, out, err = cli(*measured("FailsToBegin"))
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].endswith("the first episode errored: policy raised RuntimeError: no model.")


def test_images_that_a_policy_cannot_be_asked_about_are_a_line(cli, tmp_path):
    import cv2

    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((8, 8, 3), np.uint8))
    (tmp_path / "exact.py").write_text(
        "from fake_policies import Still\n"
        "class Exact(Still):\n"
        "    def reset(self, episodes):\n"
        "        raise RuntimeError('no model')\n"
        "    def exactness(self, observations, batch):\n"
        "        raise AssertionError\n"
    )
    code, _, err = cli("bench", "exact", f"{tmp_path}/exact.py:Exact", "--images", tmp_path)
    assert code == 2
    assert err.splitlines()[-1].endswith("cannot be compared with its reference: policy raised RuntimeError: no model.")
