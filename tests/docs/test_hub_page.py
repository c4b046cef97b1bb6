"""The lines of pages that name a checkpoint of the hub, with a server on loopback in its place, and tiny weights."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_shell import REPO, Shell, line, program

pytest.importorskip("torch", reason="torch is not installed (make vla)")
pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed (make vla)")

from fake_hub import COMMIT, Hub, serve

from policies.phi3v.checkpoint import find_checkpoint

FEW = "--task widowx_carrot_on_plate --limit 1 --max-steps 2 --world playful_world --workers 1 --device cpu"


@pytest.fixture
def released() -> Iterator[Hub]:
    """The repository that docs/phi3v.md names, with files of another make beside ours."""
    files = {path.name: path.read_bytes() for path in find_checkpoint("tiny-random").iterdir() if path.is_file()}
    repo = re.search(r"--checkpoint (\S+/\S+) +--suite", (REPO / "docs/phi3v.md").read_text(encoding="utf-8"))[1]
    with serve(Hub({**files, "modeling.py": b"import os", "pytorch_model.bin": b"pickle"}, repo=repo)) as hub:
        yield hub


def weights(folder: Path) -> object:
    """What the run is recorded to have played."""
    return json.loads((folder / "run.json").read_text())["identity"]["policy"]["weights"]


def test_a_checkpoint_of_the_hub_is_fetched_once_and_played(released: Hub, tmp_path: Path) -> None:
    shell = Shell(tmp_path, HF_ENDPOINT=released.url, HF_HOME=tmp_path / "home", HF_HUB_DISABLE_XET="1", HF_TOKEN="")
    command = line("docs/phi3v.md", released.repo).replace("--suite ...", FEW)
    shell.run(f"{command} --out one")
    asked = {path for _, path, _, _ in released.requests}
    assert f"/{released.repo}/resolve/{COMMIT}/config.json" in asked
    assert not [path for path in asked if path.endswith((".py", ".bin"))]
    revision = command.replace(released.repo, f"{released.repo}@v1.2")
    shell.run(f"{revision} --out two")
    assert weights(tmp_path / "one") == weights(tmp_path / "two")
    said = shell.run(f"{command.replace(released.repo, released.repo + '@v9')} --out three", code=2)
    assert len(said.splitlines()) == 1
    assert "v9" in said


def test_what_was_downloaded_before_a_job_needs_no_network_in_it(released: Hub, tmp_path: Path) -> None:
    page = (REPO / "docs/clusters.md").read_text(encoding="utf-8")
    download, offline = re.search(
        r"`(hf download OWNER/NAME)` once where there is one, then set\s+`(\w+=1)` in the job", page
    ).groups()
    shell = Shell(tmp_path, HF_ENDPOINT=released.url, HF_HOME=tmp_path / "home", HF_HUB_DISABLE_XET="1", HF_TOKEN="")
    program(shell.bin, "hf", f'exec "{Path(sys.executable).parent / "hf"}" "$@"')
    shell.run(download.replace("OWNER/NAME", released.repo))
    before = len(released.requests)
    command = line("docs/phi3v.md", released.repo).replace("--suite ...", FEW)
    shell.run(f"{offline} {command} --out one")
    assert len(released.requests) == before
