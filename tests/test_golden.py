"""The recordings in the repository: small, described, free of what is not ours, and a part of the full ones."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest
from recordings import GOLDEN, REPO, golden

PARTS = ("images", "parity", "phi3v", "research", "simpler_spec", "trace")
"""What tools/make_golden.py writes."""
FILES = sorted(path for part in PARTS for path in (GOLDEN / part).rglob("*") if path.is_file())
TABLE = re.compile(r"`([^`\s]+)`")


def test_the_recordings_are_small_enough_for_a_repository() -> None:
    sizes = {path: path.stat().st_size for path in GOLDEN.rglob("*") if path.is_file()}
    assert [path.name for path, size in sizes.items() if size >= 1_000_000] == []
    assert sum(sizes.values()) <= 10_000_000


def test_every_file_is_described() -> None:
    """By its name, by a pattern such as ``model_A.*``, or by the folder that it fills."""
    text = (GOLDEN / "README.md").read_text(encoding="utf-8")
    names = [name for line in text.splitlines() for name in TABLE.findall(line)]
    patterns = [re.compile(re.escape(name).replace(r"\*", "[^/]*")) for name in names]
    keys = {"parity": re.compile(r"[a-z0-9_]+\.(json|npz)")}

    def described(path: Path) -> bool:
        relative = path.relative_to(GOLDEN)
        inner = "/".join(relative.parts[1:])
        if relative.parts[0] in keys:
            return bool(keys[relative.parts[0]].fullmatch(inner))
        tails = [inner, relative.name, *(f"{parent}/" for parent in list(Path(inner).parents)[:-1])]
        return any(pattern.fullmatch(tail) for pattern in patterns for tail in tails)

    assert [str(path.relative_to(GOLDEN)) for path in FILES if not described(path)] == []
    assert [path.name for path in GOLDEN.iterdir() if path.name != "README.md" and path.name not in text] == []


def test_only_numbers_texts_and_synthetic_images_are_kept() -> None:
    kinds = {path.suffix for path in FILES}
    assert kinds <= {".json", ".npz", ".png", ".gz"}
    images = [path.stem for path in FILES if path.suffix == ".png"]
    assert [name for name in images if "synth" not in name and "noise" not in name] == []


def test_arrays_hold_plain_numbers_and_short_texts() -> None:
    for path in FILES:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                assert {file[name].dtype.kind for name in file.files} <= set("biufU"), path.name


def test_a_missing_recording_says_how_to_write_it() -> None:
    with pytest.raises(FileNotFoundError, match=r"tools/make_golden\.py writes it"):
        golden("parity/nothing.json")


@pytest.mark.slow
def test_the_full_recordings_give_what_is_here(bulk: Path, tmp_path: Path) -> None:
    """The script is deterministic and nobody has touched its result."""
    specification = importlib.util.spec_from_file_location("make_golden", REPO / "tools" / "make_golden.py")
    assert specification is not None
    assert specification.loader is not None
    make_golden = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(make_golden)
    make_golden.main(bulk, tmp_path)
    made = {path.relative_to(tmp_path) for path in tmp_path.rglob("*") if path.is_file()}
    assert made == {path.relative_to(GOLDEN) for path in FILES}
    for name in sorted(made):
        ours, theirs = GOLDEN / name, tmp_path / name
        if name.suffix == ".json":
            assert json.loads(ours.read_text()) == json.loads(theirs.read_text()), name
        elif name.suffix == ".npz":  # compressed by whatever zlib there is
            with np.load(ours) as left, np.load(theirs) as right:
                assert left.files == right.files, name
                for array in left.files:
                    np.testing.assert_array_equal(left[array], right[array], err_msg=f"{name}: {array}")
        elif name.suffix == ".png":
            assert ours.read_bytes() == theirs.read_bytes(), name


SKIPS = re.compile(r"pytest\.skip\(|skipif\(|importorskip\(")
MAY_SKIP = {
    "tests/backends/test_render_devices.py": "a software renderer, or an NVIDIA card",
    "tests/conftest.py": "the recordings' bulk",
    "tests/support/recordings.py": "the recordings' bulk",
    "tests/policies/phi3v": "torch (make vla), or a GPU that is there",
    "tests/records/test_merging.py": "torch (make vla)",
    "tests/policies/trace": "torch (make vla), the user's own CoTracker, or a GPU that is there",
    "tests/rollout/replicas": "Ray (the extra ray)",
    "tests/support/debian.py": "packages of Debian, from the network",
    "tests/support/docker_engine.py": "rights of root, packages of Debian",
    "tests/support/two_hosts.py": "rights of root, iproute2",
    "tests/support/page_shell.py": "a registry of packages",
    "tests/support/small_disk.py": "rights to mount a small disk",
    "tests/cli/test_counts.py": "pyarrow (extra datasets)",
    "tests/cli/test_full_disks.py": "pyarrow (extra datasets)",
    "tests/rollout/test_faults.py": "torch (make vla)",
    "tests/sim/test_collision_hulls.py": "a collision file that the asset pack lacks",
    "tests/annotation": "torch, pyarrow (extras vla, datasets)",
    "tests/cli/test_export.py": "pyarrow (extra datasets), or a LaTeX compiler",
    "tests/datasets": "torch, pyarrow (extras vla, datasets)",
    "tests/cli/test_missing_extras.py": "the extras vla, datasets, remote, with which it compares",
    "tests/docs/test_blocks_are_run.py": "torch (make vla), the extra remote",
    "tests/docs/test_commands_of_pages.py": "pyarrow (extra datasets)",
    "tests/docs/test_hub_page.py": "torch, huggingface_hub (make vla)",
    "tests/docs/test_lerobot_lines.py": "Python 3.12, 12 GB of disk",
    "tests/docs/test_make.py": "torch (make vla)",
    "tests/docs/test_ray_page.py": "Ray (the extra ray)",
    "tests/docs/test_robot_pages.py": "torch (make vla)",
    "tests/docs/test_training_scripts.py": "torch, pyarrow (extras vla, train)",
    "tests/policies/remote": "websockets, msgpack, httpx (extra remote), or the real packages of other harnesses",
    "tests/records/test_lettering.py": "fontconfig, or what writes a font",
    "tests/report": "a browser, and Playwright (extra test)",
    "tests/serving": "torch (make vla), or time in which two clients meet",
    "tests/sinks/test_real_trackers.py": "wandb, trackio (extras)",
    "tests/support/real_packages.py": "the real packages of other harnesses",
    "tests/training": "torch, pyarrow (extras vla, train)",
    "tests/wire": "the extra remote",
}
"""Where a test may be left out, and what it lacks then."""


def test_nothing_else_is_skipped() -> None:
    skipping = {
        str(path.relative_to(REPO)) for path in (REPO / "tests").rglob("*.py") if SKIPS.search(path.read_text(encoding="utf-8"))
    } - {"tests/test_golden.py"}
    assert sorted(name for name in skipping if not name.startswith(tuple(MAY_SKIP))) == []
