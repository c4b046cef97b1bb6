"""The lines of docs/remote.md and docs/elsewhere.md that need the real vla-eval, which is fetched."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from page_shell import REPO, Shell, free_port, line, program

FEW = "--limit 1 --max-steps 4 --workers 1 --out run"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """In a folder with the page's environment ``other`` and what of this checkout the lines name."""
    folder = tmp_path_factory.mktemp("here")
    (folder / "tests").symlink_to(REPO / "tests")
    shell = Shell(folder)
    shell.install(line("docs/remote.md", "python -m venv other"))
    return shell


def played(folder: Path) -> list[str]:
    """How the episodes of its run ended, which is then forgotten."""
    records = [json.loads(each) for each in (folder / "run/episodes.jsonl").read_text().splitlines()]
    (folder / "run").rename(folder / f"run-{len([*folder.glob('run-*')])}")
    return [record["status"] for record in records]


def test_a_server_on_the_classes_of_vla_eval_is_played(shell: Shell) -> None:
    port = free_port()
    serve, play = line("docs/remote.md", "other/bin/python"), line("docs/remote.md", "8000 --task", "--max-steps 6")
    with shell.listening(serve.replace("8000", str(port)), port):
        shell.run(f"{play.replace('8000', str(port))} --workers 1 --out run")
    assert played(shell.folder) == ["failure"]


UV = """
[ "$1" = run ] && grep -q '^# /// script' "$2" && shift && exec other/bin/python "$@"
"""
"""Stands for uv, which would fetch CogACT from GitHub: vla-eval's script is as it is, its weights are stand-ins."""


def test_a_server_of_another_family_is_played(shell: Shell) -> None:
    port = free_port()
    program(shell.bin, "uv", UV)
    shell.run("ln -s other/lib/python*/site-packages/vla_eval vla_eval")
    serve, play = line("docs/remote.md", "uv run"), line("docs/remote.md", "family=cogact")
    weightless = f"env PYTHONPATH={REPO / 'tools/interop/without_weights'}"
    with shell.listening(f"{weightless} {serve.replace('8000', str(port))}", port):
        shell.run(f"{play.replace('8000', str(port))} {FEW}")
    assert played(shell.folder) == ["failure"] * 4


def test_vla_eval_plays_our_world(shell: Shell) -> None:
    """Both packages side by side."""
    shell.environment_here("side")
    shell.install("side/bin/python -m pip install vla-eval==0.8.0")
    shell.environment["PATH"] = f"{shell.folder / 'side/bin'}:{shell.environment['PATH']}"
    port = free_port()
    serve = f"side/bin/python -m simpler_eval serve random --protocol vla-eval --port {port}"
    config, play = line("docs/elsewhere.md", "vla-eval-config"), line("docs/elsewhere.md", "vla-eval run")
    shell.run(
        config.replace("--suite tracevla_table1", "--task widowx_carrot_on_plate --max-steps 3").replace("8000", str(port))
    )
    text = (shell.folder / "simpler.yaml").read_text()
    assert "episodes_per_task: 24" in text
    (shell.folder / "simpler.yaml").write_text(text.replace("episodes_per_task: 24", "episodes_per_task: 2"))
    with shell.listening(serve, port):
        shell.run(play)
    told = [json.loads(file.read_text()) for file in shell.folder.glob("results/**/*.json")]
    (counted,) = [each for each in told if "num_episodes_total" in each]
    assert (counted["num_episodes_total"], counted["num_errors"]) == (2, 0)
