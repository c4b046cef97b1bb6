"""Each check has one line on what is absent or wrong, and one on how to fix it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eval.backends.vulkan import NO_DEVICE, VulkanDevice
from eval.diagnostics import checks
from eval.diagnostics.vulkan import VulkanReport


def test_no_vulkan_device_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", os.devnull)
    monkeypatch.setenv("VK_DRIVER_FILES", os.devnull)
    device, image = checks.check_vulkan()
    assert not device.ok
    assert not image.ok
    assert "\n" not in device.detail + device.fix
    assert "mesa-vulkan-drivers" in device.fix
    assert "mesa-vulkan-drivers" in NO_DEVICE


def test_a_wrong_image_fails_though_there_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = VulkanReport(device=VulkanDevice(name="odd card"), rendered=False, error="the image is wrong")
    monkeypatch.setattr(checks, "probe_vulkan", lambda: bad)
    device, image = checks.check_vulkan()
    assert device.ok
    assert not image.ok
    assert image.fix


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_version", lambda name: None if name == "ruckig" else "1.0")
    check = checks.check_packages()
    assert not check.ok
    assert check.detail == "missing: ruckig"
    assert "install ruckig" in check.fix


def test_extras_are_told_apart_by_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "_version", lambda name: None if name in ("ray", "msgpack") else "1.0")
    check = checks.check_extras()
    assert (check.ok, check.required) == (False, False)
    assert check.detail == "installed: datasets, train, wandb, trackio; not installed: ray, remote"
    assert "pip install 'simpler-eval[NAME]'" in check.fix


def test_a_missing_asset_folder_fails_and_none_at_all_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    none = checks.check_assets(None)
    assert not none.required
    assert "stand-ins" in none.detail
    wrong = checks.check_assets(str(tmp_path / "nowhere"))
    assert not wrong.ok
    assert wrong.required
    assert "nowhere" in wrong.detail
    assert "SIMPLER_EVAL_ASSETS" in wrong.fix
    (tmp_path / "data").mkdir()
    right = checks.check_assets(str(tmp_path))
    assert right.ok
    assert right.detail == str(tmp_path)


def test_an_encoder_that_fails_is_reported_with_its_fix(monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio_ffmpeg

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/bin/false")
    check = checks.check_video()
    assert not check.ok
    assert "imageio-ffmpeg" in check.fix


def test_checkpoints_are_looked_for_where_hugging_face_keeps_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    none = checks.check_checkpoints()
    assert not none.ok
    assert not none.required
    (tmp_path / "hub/models--someone--a-policy").mkdir(parents=True)
    assert checks.check_checkpoints().detail == "someone/a-policy"
