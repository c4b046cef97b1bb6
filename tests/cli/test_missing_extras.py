"""Without the optional packages: what needs one says in a line which, and what installs it; bad input is told as with them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path

import pytest

from policies.registry import VLA_PACKAGES

REPO = Path(__file__).parents[2]
HIDDEN = [
    "torch", "transformers", "tokenizers", "safetensors", "huggingface_hub", "simplejpeg", "peft", "pyarrow", "ray", "wandb",
    "trackio", "websockets", "msgpack", "httpx",
]  # fmt: skip
VLA = "pip install 'simpler-eval[vla]' (in a clone: make vla)."
ONE = ["--task", "widowx_carrot_on_plate", "--limit", "1"]
TINY = ["--checkpoint", "tiny-random"]
TRACEVLA = ["run", *ONE, "--policy", "tracevla_phi3", *TINY]
CHECKPOINTS = ("checkpoints", "checkpoints", *ONE, "--policy", "openvla_phi3")
DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
INFO = {"codebase_version": "v3.0", "fps": 5, "features": {}, "total_episodes": 1, "total_frames": 1, "data_path": DATA}
NEEDED = {
    ("run", *ONE, "--policy", "openvla_phi3", *TINY): ("Policy openvla_phi3", "torch", VLA),
    tuple(TRACEVLA): ("Policy tracevla_phi3", "torch", VLA),
    ("run", *ONE, "--policy", "openpi://127.0.0.1:9"): ("openpi://127.0.0.1:9", "websockets", "remote"),
    ("run", *ONE, "--policy", "http://127.0.0.1:9/act"): ("http://127.0.0.1:9/act", "httpx", "remote"),
    ("run", *ONE, "--policy", "random", "--record", "lerobot"): ("--record lerobot", "pyarrow", "datasets"),
    ("run", *ONE, "--policy", "random", "--report-to", "wandb"): ("--report-to wandb", "wandb", "wandb"),
    ("run", *ONE, "--policy", "random", "--cluster", "local"): ("--cluster", "ray", "ray"),
    ("record", *ONE): ("--record lerobot", "pyarrow", "datasets"),
    (*CHECKPOINTS, "--record", "lerobot"): ("--record lerobot", "pyarrow", "datasets"),
    (*CHECKPOINTS, "--report-to", "wandb"): ("--report-to wandb", "wandb", "wandb"),
    ("serve", "random", "--port", "0"): ("serve", "websockets", "remote"),
    ("train", "--init", "tiny", "--dataset", "data"): ("Training openvla_phi3", "torch", "vla,train"),
    ("annotate-traces", "data"): ("Reading a LeRobot dataset", "pyarrow", "datasets"),
    ("parity", "model", "."): ("parity model", "torch", VLA),
    ("bench", "policy", "openvla_phi3", *TINY): ("Policy openvla_phi3", "torch", VLA),
    ("check-adapter", "vla-eval://127.0.0.1:9", "--against", "random"): ("vla-eval://127.0.0.1:9", "websockets", "remote"),
}  # fmt: skip
"""Command -> what needs which package, and its extra."""
BAD = [
    ("run", *ONE, "--policy", "tracevla_phi3"),
    *((*TRACEVLA, *bad) for bad in (
        ("--device", "gpu"), ("--dtype", "float8"), ("--generation", "all"), ("--inference", "slow"),
        ("--unnorm-key", "robot=x"), ("--policy-arg", "batch=0"), ("--policy-arg", "num_crops=0"), ("--tracker", "kanade"),
        ("--trace-preset", "papr"), ("--tracker-checkpoint", "gone.pth"))),
    ("run", *ONE, "--policy", "openvla_phi3", "--checkpoint", "gone"),
    ("run", *ONE, "--policy", "openvla_phi3", "--checkpoint", "."),
    ("run", *ONE, "--policy", "openpi://127.0.0.1:9", "--policy-arg", "family=cogat"),
    ("annotate-traces", "gone"),
    ("annotate-traces", "gone", "--tracker", "kanade"),
    ("annotate-traces", "gone", "--device", "gpu"),
    ("train", "--dataset", "data"),
    ("train", "--init", "tiny", "--dataset", "gone"),
    ("train", "--init", "tiny", "--dataset", "gone", "--device", "gpu"),
    ("train", "--init", "tiny", "--dataset", "gone", "--eval-every", "1", "--eval-task", "widowx_carot_on_plate"),
    ("parity", "model", "gone"),
    ("bench", "tracker", "--device", "gpu"),
    ("export", "gone", "--to", "parquet", "--out", "out"),
    ("annotate-traces", "data", "--camera", "gone"),
    ("annotate-traces", "data", "--out", "data"),
    ("train", "--checkpoint", "gone", "--dataset", "data"),
    ("train", "--checkpoint", "checkpoints", "--dataset", "data"),
    *((*asked, *bad) for asked in (
        ("run", "--report-to", "wandb"), ("run", "--record", "lerobot"), ("run", "--cluster", "local"), ("record",)
    ) for bad in (
        (*ONE, "--policy", "randm"), (*ONE, "--policy", "random", "--policy-arg", "sed=3"),
        (*ONE, "--policy", "openvla_phi3", *TINY, "--device", "gpu"), (*ONE, "--policy", "tracevla_phi3"),
        (*ONE, "--policy", "openpi://127.0.0.1:9", "--policy-arg", "family=cogat"), (*ONE, "--out", "data"))),
    *((*asked, *ONE, *bad) for asked in (("run", "--report-to", "wandb"), ("record",)) for bad in (
        ("--assets", "/gone"), ("--render-device", "foo"), ("--world", "gone"))),
    ("record", *ONE, "--disturb", "loud"),
    ("record", *ONE, "--expert", "oracl"),
    ("run", *ONE, "--policy", "random", "--cluster", "gone"),
    ("run", *ONE, "--policy", "openvla_phi3", *TINY, "--out", "data"),
    ("serve", "randm"),
    ("serve", "random", "--policy-arg", "sed=3"),
    ("serve", "openvla_phi3", *TINY, "--device", "gpu"),
    ("serve", "openvla_phi3", "--checkpoint", "gone"),
    ("bench", "policy", "openvla_phi3", *TINY, "--assets", "/gone"),
    ("bench", "end2end", "openvla_phi3", *ONE, *TINY, "--assets", "/gone"),
    ("bench", "end2end", "openvla_phi3", *ONE, *TINY, "--out", "data"),
    ("audit", "openvla_phi3", *TINY, "--assets", "/gone"),
    *(("check-adapter", name, *bad) for name in ("vla-eval://127.0.0.1:9", "tracevla_phi3") for bad in (
        ("--policy-arg", "family=cogat", "--against", "random"), ("--against", "randm"),
        ("--against", "random", "--against-arg", "sed=1"))),
    *(("check-adapter", "openvla_phi3", "--policy-arg", "checkpoint=tiny-random", "--against", "random", *bad) for bad in (
        ("--assets", "/gone"), ("--observations", "data"))),
    *((*CHECKPOINTS, *bad) for bad in (
        ("--device", "gpu"), ("--generation", "all"), ("--policy-arg", "famly=3"), ("--video", "most"), ("--assets", "/gone"),
        ("--render-device", "foo"), ("--world", "gone"))),
]  # fmt: skip
PROGRAM = """
import contextlib, importlib.machinery, io, json, sys
class Without(importlib.machinery.PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.split(".")[0] in hidden else super().find_spec(name, path, target)
hidden = json.loads(sys.argv[1])
sys.meta_path[:] = [Without if finder is importlib.machinery.PathFinder else finder for finder in sys.meta_path]
from eval.cli import main
said = []
for arguments in json.loads(sys.argv[2]):
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main(arguments)
        except SystemExit as end:
            code = end.code
    said.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(said))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The working folder: a dataset without frames, and two checkpoints that are none."""
    folder = tmp_path_factory.mktemp("without")
    (folder / "data/meta").mkdir(parents=True)
    (folder / "data/meta/info.json").write_text(json.dumps(INFO))
    (folder / "checkpoints").mkdir()
    for number in (1, 2):
        (folder / f"checkpoints/checkpoint-{number}").mkdir()
        for name in ("config.json", "model.safetensors"):
            (folder / f"checkpoints/checkpoint-{number}" / name).write_text("{}")
    return folder


@pytest.fixture(scope="module")
def without(folder: Path) -> Mapping[tuple[str, ...], tuple[int, str, str]]:
    """What every command says where the packages cannot be imported; all in one process."""
    commands = [*NEEDED, *BAD]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(HIDDEN), json.dumps(commands)],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(REPO)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return dict(zip(commands, map(tuple, json.loads(done.stdout)), strict=True))


@pytest.mark.parametrize("command", NEEDED, ids=" ".join)
def test_what_is_missing_and_what_installs_it(command, without):
    what, package, extra = NEEDED[command]
    installs = extra if extra == VLA else f"pip install 'simpler-eval[{extra}]'."
    assert without[command] == (2, "", f"simpler-eval: {what} needs the package {package}: {installs}\n")


@pytest.mark.parametrize("command", BAD, ids=" ".join)
def test_bad_input_is_told_as_with_the_packages(command, without, cli, folder, monkeypatch):
    for package in ("torch", "pyarrow", "websockets"):
        pytest.importorskip(package, reason=f"{package} is not installed: there is nothing to compare with")
    monkeypatch.chdir(folder)
    code, out, err = without[command]
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install" not in err
    assert (code, out, _anywhere(err)) == _said(cli(*command))


def _said(result: tuple[int, str, str]) -> tuple[int, str, str]:
    code, out, err = result
    return code, out, _anywhere(err)


def _anywhere(text: str) -> str:
    """Without the folders of the two runs of a command."""
    return " ".join(word.rsplit("/", 1)[-1] if word.startswith("/") else word for word in text.split())


def test_extras_that_are_named_exist():
    extras = tomllib.loads((REPO / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert {name.split(">")[0].strip() for name in extras["vla"]} == VLA_PACKAGES
    for _, package, extra in NEEDED.values():
        assert any(line.startswith(package) for name in ("vla" if extra == VLA else extra).split(",") for line in extras[name])
