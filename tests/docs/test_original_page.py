"""docs/original.md typed line by line: its packages are fetched, its clones are stand-ins, and so is SAPIEN 2 once it is there,
since it starts on few machines.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from original_interpreter import FAKES
from page_shell import Shell, line
from pages import blocks_of

PAGE = "docs/original.md"
SETUP = "from setuptools import find_packages, setup\nsetup(name={!r}, version='2.2.2', packages=find_packages())\n"
PARTS = {"SimplerEnv": "simpler_env", "ManiSkill2_real2sim": "mani_skill2_real2sim", "sapien": "sapien"}
"""A repository -> the package in it."""


def repository(shell: Shell, folder: Path, package: str) -> None:
    """One commit with a stand-in's package."""
    shutil.copytree(FAKES / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "setup.py").write_text(SETUP.format(package))
    (folder / "data/custom").mkdir(parents=True)
    (folder / "data/custom/none").touch()
    who = "-c user.name=somebody -c user.email=somebody@example.org"
    shell.run(f"cd {folder} && git init -q && git add -A && git {who} commit -qm all")


@pytest.mark.slow
def test_the_original_is_installed_and_played_as_the_page_says(tmp_path: Path) -> None:
    settings = tmp_path / "gitconfig"
    shell = Shell(tmp_path, GIT_CONFIG_GLOBAL=settings, SIMPLER_EVAL_ASSETS="")
    hub = tmp_path / "hub/simpler-env"
    for name, package in PARTS.items():
        repository(shell, hub / name, package)
    settings.write_text(f'[url "{hub.parent}/"]\n\tinsteadOf = https://github.com/\n')
    (tmp_path / "my_policy.py").write_text(blocks_of("README.md", "python")[0])

    shell.run(line(PAGE, "-m venv env"))
    shell.install(line(PAGE, "env/bin/pip", "sapien=="))
    shell.run(line(PAGE, "git clone"))
    shell.run(line(PAGE, "env/bin/pip", "./SimplerEnv"))
    shell.run(f"env/bin/pip install --no-deps --force-reinstall {hub}/sapien")

    export, run = line(PAGE, "export "), line(PAGE, "simpler-eval run --world simpler-env")
    few = run.replace("--suite widowx_visual_matching", "--task widowx_carrot_on_plate --limit 4 --max-steps 5")
    shell.run(f"{export} && {few} --out run")
    records = [json.loads(each) for each in (tmp_path / "run/episodes.jsonl").read_text().splitlines()]
    assert sorted(record["status"] for record in records) == ["failure", "failure", "success", "success"]
    versions = json.loads((tmp_path / "run/run.json").read_text())["world"]["versions"]
    assert versions["simpler_env"]["path"].startswith(str(tmp_path / "env"))

    both = line(PAGE, "parity policies").replace("--assets PACK", "--assets ManiSkill2_real2sim/data")
    said = shell.run(f"{export} && {both} --task widowx_carrot_on_plate --episodes 2 --policy random")
    assert "Parity of policies keeps its limits" in said
    assert (tmp_path / "results/both/parity_policies.png").is_file()
