"""The policy that the README shows runs as it stands there, by the command that stands below it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from eval.records.folder import load_run

REPO = Path(__file__).parents[2]
README = (REPO / "README.md").read_text(encoding="utf-8")
POLICY = re.search(r"```python\n(.*?)```", README, re.DOTALL)
COMMAND = re.search(r"^simpler-eval (run --policy my_policy\.py.*)$", README, re.MULTILINE)


def test_the_policy_of_the_readme_plays(cli, tmp_path, monkeypatch):
    assert POLICY is not None
    assert COMMAND is not None
    monkeypatch.chdir(tmp_path)
    Path("my_policy.py").write_text(POLICY[1], encoding="utf-8")
    code, out, err = cli(*shlex.split(COMMAND[1]), "--max-steps", 2, "--workers", 1, "--out", "run")
    assert code == 0, err
    assert "widowx_carrot_on_plate" in out
    data = load_run(Path("run"))
    assert [record.status for record in data.records.values()] == ["failure", "failure"]
    assert data.header.policy.name == "my_policy"
    assert data.header.identity.policy.code is not None
