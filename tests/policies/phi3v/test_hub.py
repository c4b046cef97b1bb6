"""Checkpoints from a hub: a server on loopback that gives, refuses and breaks off."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed (make vla)")

from fake_hub import COMMIT, Hub, serve

from eval.errors import UserError
from policies.phi3v.checkpoint import find_checkpoint
from policies.phi3v.hub import without_secrets

REPO = Path(__file__).parents[3]
CHUNK = 10 * 2**20
"""What the client writes at a time; it takes a broken connection up at such a border."""
FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 5, "modeling.py": b"import os", "pytorch_model.bin": b"pickle"}
ASK = """
import sys, time
time.sleep = lambda seconds: None  # between two tries
from eval.errors import UserError
from policies.phi3v.checkpoint import find_checkpoint
for text in sys.argv[1].split():
    try:
        print(find_checkpoint(text))
    except UserError as error:
        print("error:", error)
"""

Ask = Callable[..., str]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """A line for each ``--checkpoint TEXT``, from a process of its own, since the client reads the environment once."""

    def asked(text: str, url: str, **environment: str) -> str:
        known = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
        hub = {"HF_ENDPOINT": url, "HF_HOME": str(tmp_path / "home"), "HF_HUB_DISABLE_XET": "1", "PYTHONPATH": str(REPO)}
        child = subprocess.run(
            [sys.executable, "-c", ASK, text], env=known | hub | environment, cwd=tmp_path,
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        for token in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
            assert environment.get(token, "no token") not in child.stdout + child.stderr
        return child.stdout.removesuffix("\n")

    return asked


def test_only_what_is_data_is_fetched_and_only_once_and_then_no_hub_is_needed(ask: Ask) -> None:
    with serve(Hub(FILES)) as hub:
        folder = Path(ask("someone/some_vla@v1.2", hub.url))
        assert folder.name == COMMIT
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
            name: FILES[name] for name in ("config.json", "model.safetensors")
        }
        hub.requests.clear()
        assert ask("someone/some_vla@v1.2", hub.url) == str(folder)
        assert not [path for _, path, *_ in hub.requests if "/resolve/" in path]
        hub.requests.clear()
        assert ask("someone/some_vla@v1.2", hub.url, HF_HUB_OFFLINE="1") == str(folder)
        assert hub.requests == []


def test_a_connection_that_breaks_is_taken_up_where_it_broke(ask: Ask) -> None:
    weights = os.urandom(CHUNK) + os.urandom(2**20)
    with serve(Hub({"model.safetensors": weights}, cut_after=CHUNK + 1000)) as hub:
        folder = Path(ask("someone/some_vla", hub.url))
        assert (folder / "model.safetensors").read_bytes() == weights
        ranges = [given for method, path, given, _ in hub.requests if method == "GET" and "/resolve/" in path]
        assert ranges[0] == ""
        assert ranges[1].startswith(f"bytes={CHUNK}-")


def test_a_download_that_broke_off_keeps_the_files_that_came_whole(ask: Ask) -> None:
    with serve(Hub(FILES | {"model.safetensors": b"w" * 5000}, cut_after=1000)) as hub:
        said = ask("someone/some_vla", hub.url)
        assert "the hub did not give someone/some_vla" in said
        assert "the same command goes on from there" in said
        said = ask("someone/some_vla", hub.url, HF_HUB_OFFLINE="1")
        assert "HF_HUB_OFFLINE is set" in said
        assert "only a part of it is in" in said
        hub.cut_after = 0
        hub.requests.clear()
        assert Path(ask("someone/some_vla", hub.url)).name == COMMIT
        fetched = {path.rpartition("/")[2] for method, path, *_ in hub.requests if method == "GET" and "/resolve/" in path}
        assert fetched == {"model.safetensors"}


def test_without_a_hub_the_way_out_is_said(ask: Ask) -> None:
    with serve(Hub(FILES)) as hub:
        said = ask("someone/some_vla", hub.url, HF_HUB_OFFLINE="1")
        assert said.startswith('error: There is no folder "someone/some_vla", and HF_HUB_OFFLINE is set')
        assert "Unset it for once" in said
        assert hub.requests == []
    assert "cannot be reached" in ask("someone/some_vla", hub.url)


def test_a_token_comes_from_the_environment_alone_and_is_in_no_message(ask: Ask) -> None:
    with serve(Hub(FILES, gated="hf_right_token")) as hub:
        said = ask("someone/some_vla", hub.url)
        assert f"Accept its terms at {hub.url}/someone/some_vla" in said
        assert "reading it needs a token" in said
        assert "the token in HF_TOKEN may not" in ask("someone/some_vla", hub.url, HF_TOKEN="hf_wrong_token")
        assert Path(ask("someone/some_vla", hub.url, HF_TOKEN="hf_right_token")).name == COMMIT


def test_a_name_or_a_revision_that_is_not_there_gets_the_nearest(ask: Ask) -> None:
    with serve(Hub(FILES)) as hub:
        said, revision = ask("someone/some_vlm someone/some_vla@v1.3", hub.url).splitlines()
        assert 'the hub has no someone/some_vlm. Did you mean "someone/some_vla"?' in said
        assert "private" in said
        assert 'has no revision "v1.3". Did you mean "v1.2"?' in revision


def test_secrets_are_blotted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "odd secret")
    said = without_secrets("odd secret at https://me:pass@host/x with hf_abcdefgh1 for someone@v1")
    assert said == "*** at https://***host/x with *** for someone@v1"
    with pytest.raises(UserError, match="write --checkpoint someone/some_vla@v1 instead") as error:
        find_checkpoint("https://me:pass@hub.example/someone/some_vla/tree/v1")
    assert "pass" not in str(error.value)
