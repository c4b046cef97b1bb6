"""Hashes over code of ours: what counts, and what decides nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scripted_runs import scripted_run

from eval.backends.simpler_env.backend import worker_code
from eval.records.code import POLICIES, code_hash, shipped_code_hash
from policies.registry import load_policy

CODE = '''"""What it does."""
LIMIT = 3  # m


def far(x):
    """Whether it is."""
    text = f"{x:.3f} m" "!"
    if x > LIMIT:
        return text
    return None
'''


def hash_of(tmp_path: Path, text: str) -> str:
    file = tmp_path / "code.py"
    file.write_text(text)
    return code_hash([file])


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ('"""What it does."""', '"""What it did,\nat length."""', False),
        ("  # m", "", False),
        ('    """Whether it is."""\n', "", False),
        ("\n\n\ndef", "\n\n\n# here\n\ndef", False),
        ("LIMIT = 3", "LIMIT = 4", True),
        ("{x:.3f}", "{x:.2f}", True),
        ('"!"', '"?"', True),
        ("    return None", "        return None", True),
    ],
)
def test_comments_and_docstrings_do_not_count_all_else_does(tmp_path: Path, old: str, new: str, counts: bool) -> None:
    changed = CODE.replace(old, new)
    assert changed != CODE
    assert (hash_of(tmp_path, changed) != hash_of(tmp_path, CODE)) == counts


def test_the_hash_is_the_same_in_every_version_of_python(tmp_path: Path) -> None:
    assert hash_of(tmp_path, CODE) == "d7e7ec83294bdded"


def test_a_shipped_policy_has_one_over_its_package_and_a_users_own_has_none(tmp_path: Path) -> None:
    oracle = [*(POLICIES / "oracle").glob("*.py"), POLICIES / "disturbance.py", POLICIES / "motion.py", POLICIES / "numbers.py"]
    assert shipped_code_hash(load_policy("oracle")) == code_hash(oracle)
    assert shipped_code_hash(load_policy("random")) == code_hash([POLICIES / "random.py", POLICIES / "numbers.py"])
    (tmp_path / "mine.py").write_text((POLICIES / "random.py").read_text())
    assert shipped_code_hash(load_policy(f"{tmp_path}/mine.py:RandomPolicy")) is None


def test_a_run_records_which_code_decided_it(tmp_path: Path, make_spec: Any) -> None:
    (session,) = scripted_run(tmp_path / "run", [make_spec(0)], policy="oracle").header.sessions
    assert session.code is not None
    assert session.code.policy == shipped_code_hash(load_policy("oracle"))
    assert session.code.worker is None
    assert len(worker_code()) == 16
