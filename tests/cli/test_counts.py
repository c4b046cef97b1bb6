"""One of a thing is called by its singular, whoever speaks of it."""

from __future__ import annotations

import re
from importlib.util import find_spec

import pytest

THINGS = "episodes steps frames files images videos workers actions tasks runs cells states cores samples policies successes"
ONE_OF_MANY = re.compile(rf"(?<![\d.,/:-])1 (?:[a-z]+ )?({'|'.join(THINGS.split())})\b")
PLAYED = ["--task", "widowx_carrot_on_plate", "--world", "fake_world", "--limit", 1, "--max-steps", 1, "--workers", 1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("one")


def test_what_is_said_and_written_of_a_run_of_one_episode_of_one_step(cli, folder):
    pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
    a, b = folder / "a", folder / "b"
    traced = [["annotate-traces", a / "dataset/widowx", "--out", folder / "traced"]] if find_spec("simplejpeg") else []
    said = []
    for arguments in (
        ["plan", *PLAYED[:2], "--limit", 1, "--max-steps", 1],
        ["run", *PLAYED, "--policy", "random", "--video", "all", "--record", "lerobot", "--out", a],
        ["run", "--resume", a],
        ["run", *PLAYED, "--policy", "random", "--policy-arg", "seed=3", "--out", b],
        ["report", a],
        ["report", a, b, "--out", folder / "both"],
        ["compare", a, b, "--out", folder / "compared"],
        ["gate", b, "--baseline", a, "--margin", 3],
        ["export", a, "--to", "csv,md,latex,lerobot", "--out", folder / "exported"],
        ["replay", a, 0],
        *traced,
    ):
        code, out, err = cli(*arguments)
        assert code in (0, 3), err
        said.append(out + err)
    files = [path for path in folder.rglob("*") if path.suffix in (".md", ".html", ".csv", ".tex", ".txt")]
    assert {path.suffix for path in files} == {".md", ".html", ".csv", ".tex"}
    texts = [*said, *(re.sub(r"<[^>]+>", "", path.read_text()) for path in files)]
    found = [text[max(0, match.start() - 40) : match.end() + 20] for text in texts for match in ONE_OF_MANY.finditer(text)]
    assert found == []
