"""The command starts at once: what a verb does not need is not imported, and nothing is built to be counted."""

from __future__ import annotations

import subprocess
import sys

import pytest

from eval.episode import EpisodeSpec

HEAVY = ("numpy", "cv2", "sapien", "pandas", "torch", "scipy", "rich", "pydantic")


def imported_by(*arguments: str) -> set[str]:
    code = (
        "import sys, simpler_eval\ntry:\n    simpler_eval.main()\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    return set(eval(done.stderr.splitlines()[-1]))


@pytest.mark.parametrize(
    ("arguments", "needed"),
    [
        (("--version",), set()),
        (("--help",), set()),
        (("run", "--help"), {"pydantic"}),
        (("plan", "--help"), {"pydantic"}),
        (("list",), {"pydantic", "numpy", "rich"}),
        (("plan", "--suite", "everything"), {"pydantic", "numpy", "rich", "cv2"}),
    ],
)
def test_a_verb_imports_what_it_needs(arguments, needed):
    assert imported_by(*arguments) <= needed


@pytest.mark.parametrize("arguments", [("list",), ("list", "--json"), ("plan", "--suite", "everything")])
def test_no_episode_is_built_to_be_counted(cli, monkeypatch, arguments):
    def refuse(*args, **kwargs):
        raise AssertionError("an episode was built")

    monkeypatch.setattr(EpisodeSpec, "__init__", refuse)
    assert cli(*arguments)[0] == 0
