"""The doctor passes on a sound machine, and its table has a line on how to fix whatever is absent."""

from __future__ import annotations

import os

import pytest
from rich.console import Console

from eval.diagnostics import doctor
from eval.diagnostics.checks import Check


def test_a_sound_machine_passes_and_names_its_driver() -> None:
    """Runs the real thing: packages, an image by SAPIEN, a video."""
    results = doctor.run_doctor()
    failed = [f"{check.name}: {check.detail}" for check in results if check.required and not check.ok]
    assert not failed
    assert doctor.passed(results)
    checks = {check.name: check for check in results}
    assert "sapien 3.0.3" in checks["Packages"].detail
    assert checks["Vulkan device"].detail
    assert "right" in checks["Image"].detail


@pytest.mark.parametrize("required", [True, False])
def test_only_what_every_run_needs_lets_the_doctor_fail(required: bool) -> None:
    absent = Check(name="Thing", ok=False, detail="absent", required=required)
    assert doctor.passed([Check(name="Other", ok=True, detail="there"), absent]) is not required


def test_whatever_is_absent_is_followed_by_its_fix() -> None:
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    absent = Check(name="Thing", ok=False, detail="absent", fix="fetch [one]")
    console.print(doctor.doctor_table([absent]))
    lines = [line.strip() for line in console.export_text().splitlines()]
    assert lines[0].split() == ["no", "Thing", "absent"]
    assert lines[1] == "-> fetch [one]"
