"""The doctor: what it finds on a sound machine, and the one line it has for each lack."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from rich.console import Console

from eval.diagnostics import doctor
from eval.diagnostics.vulkan import NO_DEVICE, VulkanDevice, VulkanReport, probe_vulkan


def test_a_sound_machine_passes_and_names_its_driver() -> None:
    """Runs the real thing: packages, a picture by SAPIEN, a video."""
    checks = {check.name: check for check in doctor.run_doctor()}
    failed = [f"{check.name}: {check.detail}" for check in checks.values() if check.required and not check.ok]
    assert not failed
    assert "sapien 3.0.3" in checks["Packages"].detail
    assert checks["Vulkan device"].detail
    assert "right" in checks["Picture"].detail


def test_no_vulkan_device_is_one_line_that_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VK_ICD_FILENAMES", os.devnull)
    monkeypatch.setenv("VK_DRIVER_FILES", os.devnull)
    device, picture = doctor.check_vulkan()
    assert not device.ok
    assert not picture.ok
    assert "\n" not in device.detail + device.mend
    assert "mesa-vulkan-drivers" in device.mend
    assert "mesa-vulkan-drivers" in NO_DEVICE


def test_a_driver_that_hangs_costs_the_time_out_and_no_more() -> None:
    report = probe_vulkan(timeout=0.01)
    assert not report.drew
    assert "0.01 s" in report.error


def test_a_driver_that_kills_its_process_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    report = probe_vulkan()
    assert not report.drew
    assert "-11" in report.error


def test_a_wrong_picture_fails_though_there_is_a_device(monkeypatch: pytest.MonkeyPatch) -> None:
    bad = VulkanReport(device=VulkanDevice(name="odd card"), drew=False, error="the picture is wrong")
    monkeypatch.setattr(doctor, "probe_vulkan", lambda: bad)
    device, picture = doctor.check_vulkan()
    assert device.ok
    assert not picture.ok
    assert picture.mend


def test_a_missing_package_is_named_with_the_command_that_brings_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "ruckig" else "1.0")
    check = doctor.check_packages()
    assert not check.ok
    assert check.detail == "missing: ruckig"
    assert "install ruckig" in check.mend


def test_a_missing_asset_folder_fails_and_none_at_all_does_not(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("SIMPLER_EVAL_ASSETS", raising=False)
    none = doctor.check_assets(None)
    assert not none.required
    assert "stand-ins" in none.detail
    wrong = doctor.check_assets(str(tmp_path / "nowhere"))
    assert not wrong.ok
    assert wrong.required
    assert "nowhere" in wrong.detail
    assert not doctor.passed([wrong])
    assert doctor.passed([none])


def test_an_encoder_that_fails_is_told_with_its_mending_line(monkeypatch: pytest.MonkeyPatch) -> None:
    import imageio_ffmpeg

    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: "/bin/false")
    check = doctor.check_video()
    assert not check.ok
    assert "imageio-ffmpeg" in check.mend


def test_every_lack_is_followed_by_its_mending_line() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    lack = doctor.Check(name="Thing", ok=False, detail="absent", mend="fetch [one]")
    console.print(doctor.doctor_table([lack]))
    lines = [line.strip() for line in console.export_text().splitlines()]
    assert lines[0].split() == ["no", "Thing", "absent"]
    assert lines[1] == "-> fetch [one]"
