"""The policy that the documentation shows works as it stands there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from observations import episode_info, observation

import simpler_eval
from policies.registry import describe, load_policy

REPO = Path(__file__).parents[2]


def test_the_class_in_the_documentation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(simpler_eval.USER_FOLDERS, "{}")
    blocks = re.findall(r"```python\n(.*?)```", (REPO / "docs/own_policy.md").read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "down.py").write_text(blocks[0])
    policy = load_policy(f"{tmp_path}/down.py:Down", {"speed": "0.02"})
    policy.reset([episode_info()])
    assert policy.act([observation(0)])[0].command.tolist() == [0, 0, -0.02, 0, 0, 0, 1]
    described = describe(policy)
    assert (described.name, described.settings) == ("down", {"speed": 0.02})
    assert described.code is not None
