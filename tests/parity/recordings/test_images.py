"""Images rendered again from recorded states, against those that the original rendered."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from eval.errors import UserError
from eval.parity.recordings import images
from eval.parity.recordings.images import compare_images

KEYS = ("vm_bridge_carrot_ep10", "vm_coke_standing_tabletop1")


def missed(folder: Path, keys: tuple[str, ...], pack: str) -> list[str]:
    report = compare_images(folder, keys, pack)
    assert {check.key for check in report.checks} == set(keys)
    assert {pair.key for pair in report.images} == set(keys)
    return [check.check for check in report.checks if not check.passed]


@pytest.mark.slow
def test_recorded_states_are_rendered_as_recorded(bulk: Path, pack: str) -> None:
    assert missed(bulk / "images", KEYS, pack) == []


@pytest.mark.slow
def test_another_colour_is_a_miss(bulk: Path, pack: str, tmp_path: Path) -> None:
    """Recordings in which the robot is brighter: shapes still agree, colours do not."""
    key = KEYS[0]
    shutil.copytree(bulk / "images" / "frames" / key, tmp_path / "frames" / key)
    (tmp_path / "overlay_u8").symlink_to(bulk / "images" / "overlay_u8")
    for file in (tmp_path / "frames" / key).glob("*.raw.webp"):
        file.chmod(0o644)
        file.parent.chmod(0o755)
        brighter = np.asarray(Image.open(file).convert("RGB")).astype(int) + 20
        file.unlink()
        Image.fromarray(brighter.clip(0, 255).astype(np.uint8)).save(file, lossless=True)
    worse = missed(tmp_path, (key,), pack)
    assert [check for check in worse if "segmentation" in check] == []
    assert len(worse) == 2


def test_a_folder_without_frames_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no frames/"):
        compare_images(tmp_path)


def test_what_rt_cannot_mean_here_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "frames" / "vm_coke_horizontal").mkdir(parents=True)
    with pytest.raises(UserError, match=r'--rt cannot be "raster" here; use trace \(as recorded\) or fast'):
        compare_images(tmp_path, rt="raster")
    with pytest.raises(UserError, match="--rt fast has no effect: no key that is compared is ray traced"):
        compare_images(tmp_path, rt="fast")


@pytest.mark.parametrize(
    ("photo", "limit", "rendered"), [(None, 0.9, ["fast:oidn", "trace:none"]), ("a.png", 1.0, ["fast:oidn"])]
)
def test_a_closed_room_in_fast_mode_is_held_to_what_it_has_traced(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, photo: str | None, limit: float, rendered: list[str]
) -> None:
    folder = tmp_path / "frames" / "a_room_rt"
    folder.mkdir(parents=True)
    (folder / "f0.json").write_text("{}")
    seen = []

    def compare(world, spec, state, file, folder, worst):
        seen.append(world._rendering)
        worst.frames += 1
        worst.blurred = {"fast:oidn": 0.95, "trace:none": 0.6}[world._rendering]

    monkeypatch.setattr(images.ray_tracing, "choose", lambda mode, device: {"auto": "trace:oidn", "fast": "fast:oidn"}[mode])
    monkeypatch.setattr(images, "recorded_spec", lambda state: SimpleNamespace(overlay=photo))
    monkeypatch.setattr(images, "_compare", compare)
    (check,) = [check for check in compare_images(tmp_path, rt="fast").checks if "blur" in check.check]
    assert (check.worst, check.limit, check.passed) == (0.95, pytest.approx(limit), photo is not None)
    assert seen == rendered
