"""Every command in a block of a page is run: as it stands there, but shorter and in a world without physics, in a folder that
has what the page presupposes. ``ELSEWHERE`` says which test runs the others.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, chdir, contextmanager, nullcontext
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, REPO, blocks_of, shell_lines_of

from eval.cli import main

COMMAND = re.compile(
    r"(?:\w+=\S+ )*(?:simpler-eval|vla-eval|lerobot-eval|python[\d.]*|make|pip|uv|ray|git|docker|apptainer|sbatch|chromium|curl"
    r"|debootstrap|export|docs/training/\S+|\w+/bin/\w+) "
)
"""How a line of a block begins that is a command; drawings and messages have no such lines."""
ELSEWHERE = {
    r"make (demo|test)|pip install 'simpler-eval": "tests/docs/test_make.py",
    r"simpler-eval run --policy my_policy.py:MyPolicy --task widowx_carrot_on_plate --limit 2": "tests/docs/test_readme.py",
    r"simpler-eval run --policy my_policy.py:MyPolicy --policy-arg play=2": "tests/docs/test_add_a_policy.py",
    r"simpler-eval parity actions": "tests/docs/test_add_a_policy.py",
    r"simpler-eval (plan|run) --task tasks/carrot_on_towel.yaml": "tests/docs/test_add_a_task.py",
    r"(docker|apptainer|debootstrap|python tools/container_steps.py) ": "tests/docs/test_container_page.py",
    r"sbatch |simpler-eval report results/my_policy/part": "tests/docs/test_clusters_page.py",
    r"ray start|simpler-eval run .*--cluster": "tests/docs/test_ray_page.py",
    r"simpler-eval (run .*--record lerobot|export results/carrots)": "tests/docs/test_commands_of_pages.py",
    r"simpler-eval serve": "tests/docs/test_robot_pages.py",
    r"python3.11 -m venv env|env/bin/pip|git clone|export MS2": "tests/docs/test_original_page.py",
    r"simpler-eval (run --world simpler-env|parity policies)": "tests/docs/test_original_page.py",
    r"python3.12 -m venv|pip install \. |lerobot-eval": "tests/docs/test_lerobot_lines.py",
    r"vla-eval run|uv run|simpler-eval run .*family=cogact|python -m venv other|other/bin": "tests/docs/test_vla_eval_lines.py",
    r"(WANDB_MODE=offline )?simpler-eval run .*--report-to": "tests/docs/test_tracker_lines.py",
    r"docs/training/": "tests/docs/test_training_scripts.py",
}
"""How a line begins -> the test that runs it."""
ONE = ("--limit", "1", "--max-steps", "2")
WORLD = ("--world", "playful_world", "--workers", "1")
SHORTER = {
    "run": (*WORLD, *ONE), "checkpoints": (*WORLD, *ONE), "audit": (*WORLD, "--max-steps", "2"),
    "check-adapter": ("--episodes", "1", "--steps", "2"), "record": ("--workers", "1", "--max-steps", "3", "--keep", "all"),
    "train": ("--batch-size", "2", "--max-steps", "1", "--device", "cpu"),
}  # fmt: skip
"""What a verb gets unless its line says it."""

Prepare = Callable[[Path], AbstractContextManager[object]]


def files(**texts: str) -> Prepare:
    def prepare(folder: Path) -> AbstractContextManager[object]:
        for name, text in texts.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return nullcontext()

    return prepare


@contextmanager
def servers(folder: Path) -> Iterator[None]:
    """One of each protocol; the file ``changes`` says where they are."""
    pytest.importorskip("websockets", reason="the extra remote is not installed")
    from fake_servers import ACTION, HttpServer, OpenpiServer
    from serving import served

    policy = (folder / "my_policy.py").read_text().replace("MyPolicy", "Policy")
    files(**{"new.py": policy, "old.py": policy})(folder)
    with served("random") as vla, OpenpiServer(lambda *_: np.tile(ACTION, (8, 1))) as openpi, HttpServer() as http:
        places = {
            "http://127.0.0.1:8000/act": http.url, "openpi://gpu1:8000": openpi.url,
            "vla-eval://127.0.0.1:8000": re.sub(r"^\w+", "vla-eval", vla.url),
        }  # fmt: skip
        (folder / "changes").write_text(json.dumps(places))
        yield


def checkpoint(folder: Path) -> AbstractContextManager[object]:
    """``my_folder``: a fine-tune with statistics of its own."""
    from policies.phi3v.checkpoint import find_checkpoint

    shutil.copytree(find_checkpoint("tiny-random"), folder / "my_folder")
    file = folder / "my_folder/dataset_statistics.json"
    statistics = json.loads(file.read_text())
    statistics |= dict.fromkeys(("KEY", "my_lab", "my_arm", "my_cart"), next(iter(statistics.values())))
    file.write_text(json.dumps(statistics))
    return nullcontext()


def without_mine(folder: Path) -> AbstractContextManager[object]:
    """The page makes that run itself."""
    shutil.rmtree(folder / "results/mine")
    return nullcontext()


@dataclass(frozen=True)
class Page:
    """What is changed in its lines, how it is prepared, and which exit codes (of lines with this text) are right, but 0."""

    changes: tuple[tuple[str, str], ...] = ()
    prepare: Prepare = lambda folder: nullcontext()
    codes: tuple[tuple[str, int], ...] = ()


def tracker(folder: Path) -> AbstractContextManager[object]:
    """CoTracker's file, with other numbers in it; the package is the user's own."""
    if COTRACKER:
        import torch

        from policies.trace.cotracker import template
        from policies.trace.parity.formula_weights import formula_weights

        torch.save(formula_weights(template(), 7), folder / "scaled_offline.pth")
    return nullcontext()


COTRACKER = find_spec("torch") and find_spec("cotracker")
NO_TRACKER = () if COTRACKER else ((" --tracker-checkpoint scaled_offline.pth", ""),)
SCRIPT = {
    "their_script.py": "import simpler_env.utils.io\nprint(simpler_env.make)\n",
    "SimplerEnv/simpler_env/__init__.py": "", "SimplerEnv/simpler_env/utils/io.py": "",
}  # fmt: skip
"""A script of somebody's, and the part of a checkout of SimplerEnv that it needs besides."""
FEW = ("gate", 3)
"""Cannot tell, from so few episodes."""
OWN: dict[str, Page] = {
    "README.md": Page(
        (("~/SimplerEnv", "SimplerEnv"), ("--checkpoint FOLDER", "--checkpoint my_folder")),
        files(**SCRIPT, **{"dark_carrot.yaml": "extends: widowx_carrot_on_plate\nmax_steps: 3\n"}),
    ),
    "docs/ci.md": Page(codes=(FEW,)),
    "docs/dropin.md": Page((("~/SimplerEnv", "SimplerEnv"),), files(**SCRIPT)),
    "docs/phi3v.md": Page(
        (("furonghuang-lab/openvla_phi3v", "tiny-random"), ("--suite ...", "--task widowx_stack_cube"),
         ("path/to/folder --device cuda:0", "my_folder --device cpu"), (" ...", " --task widowx_stack_cube"), *NO_TRACKER),
        tracker,
    ),
    "docs/remote.md": Page(prepare=servers, codes=(("check-adapter vla-eval", 1),)),
    "docs/report.md": Page((("--task google_robot_pick_coke_can ", ""), ("--variant standing/urdf=none ", "")), without_mine),
    "docs/running.md": Page((("v2-98e0", "0"),)),
    "docs/scale.md": Page(
        (("--policy openvla_phi3 --checkpoint DIR --gpus 4", "--policy random --replicas 2"),
         ("--policy openvla_phi3", "--policy checkpoint_policies:Trained"), ("--watch", "--patience 0 --poll 0.1 --watch")),
        files(**{f"training/checkpoint-{step}/{name}": text for step in (1, 2)
                 for name, text in (("model.safetensors", str(step)), ("config.json", "{}"))}),
    ),
    "docs/statistics.md": Page(codes=(FEW,)),
    "docs/training.md": Page(
        (("--count 896", "--count 2"), ("--count 448", "--count 1"), ("CHECKPOINT", "tiny-random"), (" DIR", " tiny-random"),
         ("--init small --preset small --max-steps 3000", "--init tiny"), ("small/checkpoint-3000", "small/checkpoint-1"),
         ("--gpus 4", "--gpus 2"), ("results/mine", "results/full"), ("bridge_orig_lerobot", "results/demos/dataset/widowx"),
         *NO_TRACKER),
        tracker,
        codes=() if find_spec("peft") else (("--lora-rank", 2),),
    ),
}  # fmt: skip


def lines_of(page: str) -> list[str]:
    """The commands of its blocks."""
    return [line for line in shell_lines_of(page) if COMMAND.match(f"{line} ")]


def is_run(line: str) -> bool:
    return not any(re.match(beginning, line) for beginning in ELSEWHERE)


def is_neural(line: str) -> bool:
    """Whether it needs torch."""
    verbs = re.match(r"simpler-eval (checkpoints|record|annotate-traces|train) |.*--gpus 4 --out results/four", line)
    if verbs is None:
        return bool(re.search(r"openvla_phi3|tracevla_phi3", line))
    return verbs[1] in ("record", "annotate-traces", "train")


QUICK = [page for page in PAGES if any(is_run(line) and not is_neural(line) for line in lines_of(page))]
NEURAL = [page for page in PAGES if any(is_run(line) and is_neural(line) for line in lines_of(page))]


LONG = {"docs/scale.md", "docs/audit.md"}


def test_a_line_that_is_not_run_here_is_run_by_a_test_of_its_page():
    lines = [(page, line) for page in PAGES for line in lines_of(page)]
    assert len(lines) > 80
    for beginning, test in ELSEWHERE.items():
        pages = {page for page, line in lines if re.match(beginning, line)}
        assert pages, beginning
        text = (REPO / test).read_text(encoding="utf-8")
        assert [page for page in pages if page.removeprefix("docs/") not in text] == [], test


PROGRAMS = {
    "README.md": "tests/docs/test_readme.py", "docs/add_a_policy.md": "tests/docs/test_add_a_policy.py",
    "docs/add_a_task.md": "tests/docs/test_add_a_task.py", "docs/dropin.md": "tests/simpler_api/dropin/test_dropin.py",
    "docs/elsewhere.md": "tests/docs/test_robot_pages.py", "docs/exports.md": "tests/docs/test_commands_of_pages.py",
    "docs/python.md": "tests/docs/test_python_page.py", "docs/robot.md": "tests/docs/test_robot_pages.py",
}  # fmt: skip
"""Which test runs the Python of a page, or plays its YAML."""


def test_programs_and_task_files_of_pages_are_run_by_a_test_of_their_own():
    assert {page for page in PAGES if blocks_of(page, "python", "yaml")} == set(PROGRAMS)
    for page, test in PROGRAMS.items():
        assert Path(page).name in (REPO / test).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What pages presuppose: a policy's file, and runs: ``mine`` of it, others of the same plan, one in parts."""
    folder = tmp_path_factory.mktemp("stock")
    (folder / "my_policy.py").write_text(blocks_of("README.md", "python")[0])
    plan = ["--task", "widowx_carrot_on_plate", "--limit", "8", "--max-steps", "2", *WORLD]
    for name, options in {
        "mine": ["my_policy.py:MyPolicy"], "reference": ["random"], "b": ["random", "--policy-arg", "seed=2"],
        **{f"s{part}": ["random", "--policy-arg", "seed=3", "--shard", f"{part}/4"] for part in (1, 2, 3, 4)},
    }.items():  # fmt: skip
        command = ["run", "--policy", *options, *plan, "--out", f"results/{name}"]
        assert run(folder, shlex.join(["simpler-eval", *command])) == 0
    results = folder / "results"
    for copy, of in {"a": "reference", "candidate": "b", "c": "mine"}.items():
        shutil.copytree(results / of, results / copy)
    for part in ("s1", "s2", "s3", "s4"):
        shutil.copytree(results / part, results / "shards" / part)
    return folder


def run(folder: Path, command: str) -> int:
    """The command's exit code: ours in this process, all else by bash."""
    print(f"$ {command}")
    words = shlex.split(command, comments=True)
    with chdir(folder):
        if words[0] == "simpler-eval":
            with pytest.raises(SystemExit) as end:
                main(words[1:])
            return int(end.value.code or 0)
        path = os.pathsep.join(map(str, (REPO, REPO / "tests/support")))
        ours = f'python() {{ {sys.executable} "$@"; }}\n'
        return subprocess.run(["bash", "-c", ours + command], env={**os.environ, "PYTHONPATH": path}, check=False).returncode


def shorter(command: str) -> str:
    """With what makes it quick, for those that play; the oracle sees nothing in a world without physics."""
    command = re.sub(r"(--policy |audit )oracle(?: --policy-arg noise=\S+)?", r"\1random", command)
    words = shlex.split(command, comments=True)
    if words[0] != "simpler-eval" or words[1] not in SHORTER or "--resume" in words:
        return command.split("  #")[0]
    more = SHORTER[words[1]]
    pairs = [more[at : at + 2] for at in range(0, len(more), 2) if more[at] not in words]
    if words[1] == "run" and "--policy" not in words:
        pairs.append(("--policy", "random"))
    return shlex.join([*words, *(word for pair in pairs for word in pair)])


def ended_otherwise(page: str, folder: Path, neural: bool) -> list[tuple[str, int]]:
    """The commands of a page, run one after the other, that end with another code than they should, each with its code."""
    otherwise = []
    own = OWN.get(page, Page())
    with own.prepare(folder):
        places = folder / "changes"
        changes = [*own.changes, *(json.loads(places.read_text()).items() if places.is_file() else ())]
        for line in lines_of(page):
            if not is_run(line) or is_neural(line) != neural or ("chromium" in line and not shutil.which("chromium")):
                continue
            for old, new in changes:
                line = line.replace(old, new)
            wanted = next((code for text, code in own.codes if text in line), 0)
            code = run(folder, shorter(line))
            if code != wanted:
                otherwise.append((line, code))
    return otherwise


@pytest.mark.parametrize("page", [pytest.param(page, marks=pytest.mark.slow) if page in LONG else page for page in QUICK])
def test_the_blocks_of_a_page_are_run(page, stock, tmp_path):
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True)
    assert ended_otherwise(page, tmp_path, neural=False) == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed (make vla)")
@pytest.mark.parametrize("page", NEURAL)
def test_the_blocks_with_neural_policies_are_run(page, stock, tmp_path):
    shutil.copytree(stock, tmp_path, dirs_exist_ok=True)
    checkpoint(tmp_path)
    assert ended_otherwise(page, tmp_path, neural=True) == []
