"""A world of a user's own: the documented example plays, and a module without one is refused in one line."""

from __future__ import annotations

import textwrap
from pathlib import Path

import numpy as np
import pytest
from fake_policies import Still

import eval.backends.base
from eval.backends.base import WorldOptions, load_simulation
from eval.errors import UserError
from eval.rollout.play import play_episode
from eval.rollout.run import run
from policies.base import Action


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Write a module that can be imported, here and in spawned processes; returns its name."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(text: str) -> str:
        name = tmp_path.name  # another one in every test: modules stay imported
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def test_the_documented_example_is_a_world(module, make_spec, tmp_path):
    doc = eval.backends.base.__doc__ or ""
    name = module(textwrap.dedent(doc.partition("::\n")[2].rpartition("H, W pixels")[0]))
    data = run([make_spec(0)], Still(), world=name, out=tmp_path / "run", workers=1, video="all")
    (record,) = data.records.values()
    assert (record.status, record.steps, record.video_error) == ("failure", 5, None)
    assert data.header.world is not None
    assert data.header.world.name == "a world in which nothing happens"
    assert play_episode(load_simulation(name)(WorldOptions()), Still(), make_spec(0)).record.steps == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "has no class derived from"),
        ("def make_world(spec, assets, render): pass", "has functions of an earlier version"),
        ("from eval.backends.base import Simulation\nclass A(Simulation): pass\nclass B(A): pass", "has several classes"),
    ],
)
def test_a_module_without_one_world_is_told_what_to_do(module, text, words):
    with pytest.raises(UserError, match=rf"{words}.*eval/backends/base\.py"):
        load_simulation(module(text))


def test_a_world_that_cannot_change_its_subtask_ends_the_run_in_one_line(module, make_spec, tmp_path):
    doc = textwrap.dedent((eval.backends.base.__doc__ or "").partition("::\n")[2].rpartition("H, W pixels")[0])
    name = module(doc.replace("success=False,", "success=False, is_final_subtask=False,"))

    class Done(Still):
        def act(self, observations):
            return [Action(np.zeros(7), terminate=True) for _ in observations]

    with pytest.raises(UserError, match="The world Nothing reports subtasks but cannot change them; give it a method"):
        run([make_spec(0)], Done(), world=name, out=tmp_path / "run", workers=1)
