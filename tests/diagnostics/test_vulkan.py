"""Rendering is tried in a process of its own: a driver that hangs or dies is a report, not the end."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from eval.backends.vulkan import NO_DEVICE, vulkan_devices
from eval.diagnostics.vulkan import probe_vulkan


def test_a_sound_driver_renders_and_is_described() -> None:
    report = probe_vulkan()
    assert report.rendered, report.error
    assert report.device in vulkan_devices()


def test_the_command_says_what_renders() -> None:
    """The set-up script runs it and goes by its exit code."""
    done = subprocess.run([sys.executable, "-m", "eval.diagnostics.vulkan"], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("SAPIEN renders on ")
    nothing = {**os.environ, "VK_ICD_FILENAMES": os.devnull, "VK_DRIVER_FILES": os.devnull}
    command = [sys.executable, "-m", "eval.diagnostics.vulkan"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=nothing)
    assert done.returncode == 1
    assert NO_DEVICE in done.stdout


def test_a_driver_that_hangs_costs_the_time_out_and_no_more() -> None:
    report = probe_vulkan(timeout=0.01)
    assert not report.rendered
    assert "0.01 s" in report.error


def test_a_driver_that_kills_its_process_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -SEGV $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(dying))
    report = probe_vulkan()
    assert not report.rendered
    assert "-11" in report.error
