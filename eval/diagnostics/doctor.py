"""What works on this machine, and one line for each thing that does not on how to mend it."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict
from rich.table import Table
from rich.text import Text

from eval.backends.simpler_env.interpreter import ENVIRONMENT_VARIABLE, find_original
from eval.diagnostics.vulkan import MEND, probe_vulkan
from eval.errors import UserError

DISTRIBUTION = "simpler-eval"


class Check(BaseModel):
    """One thing that was looked at."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    detail: str
    """What was found."""
    mend: str = ""
    """What to do about it; empty when there is nothing to do."""
    required: bool = True
    """False for what only some uses need: its lack is told, but does not make the examination fail."""


def run_doctor(assets: str | None = None) -> list[Check]:
    """Look at everything a run needs, in the order in which to mend it.

    Args:
        assets: the folders that ``--assets`` would name; None takes ``SIMPLER_EVAL_ASSETS``.
    """
    return [
        check_python(),
        check_packages(),
        check_opencv(),
        *check_vulkan(),
        check_video(),
        check_assets(assets),
        check_gpu(),
        check_torch(),
        check_checkpoints(),
        check_original(),
    ]


def passed(checks: Sequence[Check]) -> bool:
    """Whether everything that every run needs is there."""
    return all(check.ok for check in checks if check.required)


def doctor_table(checks: Sequence[Check]) -> Table:
    """The checks for a terminal: a lack is followed by its mending line."""
    table = Table(show_header=False, box=None, padding=(0, 1))
    for check in checks:
        mark = Text("ok", "green") if check.ok else Text("no", "red" if check.required else "yellow")
        table.add_row(mark, Text(check.name, "bold"), Text(check.detail))
        if check.mend:
            table.add_row("", "", Text(f"-> {check.mend}", "cyan"))
    return table


def check_python() -> Check:
    """Python 3.11 or newer."""
    ok = sys.version_info >= (3, 11)
    return Check(
        name="Python",
        ok=ok,
        detail=f"{platform.python_version()} ({sys.executable})",
        mend="" if ok else "install Python 3.11 or newer, then: make setup PYTHON=/path/to/python3",
    )


def check_packages(distribution: str = DISTRIBUTION) -> Check:
    """Every package that the core of the distribution asks for, and its version."""
    try:
        wanted = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return Check(name="Packages", ok=False, detail=f"{distribution} is not installed", mend="run: make setup")
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in wanted if "extra ==" not in line]
    versions = {name: _version(name) for name in names}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return Check(
            name="Packages",
            ok=False,
            detail=f"missing: {', '.join(missing)}",
            mend=f"run: make setup (or: {sys.executable} -m pip install {' '.join(missing)})",
        )
    return Check(name="Packages", ok=True, detail=", ".join(f"{name} {version}" for name, version in versions.items()))


def check_opencv() -> Check:
    """OpenCV can be imported: SAPIEN brings the build that needs X libraries, in the same folder as the one without."""
    child = subprocess.run(
        [sys.executable, "-c", "import cv2; print(cv2.__version__)"], capture_output=True, text=True, check=False
    )
    if child.returncode == 0:
        return Check(name="OpenCV", ok=True, detail=child.stdout.strip())
    said = child.stderr.strip().splitlines() or ["it cannot be imported"]
    return Check(
        name="OpenCV",
        ok=False,
        detail=said[-1],
        mend=f"run: {sys.executable} -m pip install --force-reinstall --no-deps opencv-python-headless",
    )


def check_vulkan() -> list[Check]:
    """The device that SAPIEN chooses, and a picture drawn on it in a process of its own."""
    report = probe_vulkan()
    if report.device is None:
        return [
            Check(name="Vulkan device", ok=False, detail=report.error, mend=MEND),
            Check(name="Picture", ok=False, detail="there is nothing to draw with", mend="mend the Vulkan device first"),
        ]
    mend = "" if report.drew else f"update the driver; or {MEND}"
    drawn = "SAPIEN draws and the picture is right" if report.drew else report.error
    return [
        Check(name="Vulkan device", ok=True, detail=str(report.device)),
        Check(name="Picture", ok=report.drew, detail=drawn, mend=mend),
    ]


def check_video() -> Check:
    """A short video is encoded and read back."""
    try:
        # Imported here, so that this very check can say that the package is broken.
        import imageio_ffmpeg
        import mediapy

        encoder = imageio_ffmpeg.get_ffmpeg_exe()
        mediapy.set_ffmpeg(encoder)
        frames = np.zeros((4, 48, 64, 3), np.uint8)
        frames[:, :, 32:] = 255
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "probe.mp4"
            mediapy.write_video(path, frames, fps=4)
            about, *pictures = imageio_ffmpeg.read_frames(str(path))
        width, height = about["size"]
        seen = np.array([np.frombuffer(picture, np.uint8).reshape(height, width, 3) for picture in pictures])
        ok = seen.shape == frames.shape and abs(float(seen.mean()) - 127.5) < 10
        detail = f"H.264 by {Path(encoder).name}" if ok else f"what was read back differs: {seen.shape}"
    except Exception as error:  # any failure of a foreign program is the finding, not an accident
        ok, detail = False, str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    mend = "" if ok else f"run: {sys.executable} -m pip install --force-reinstall mediapy imageio-ffmpeg; or --video none"
    return Check(name="Video", ok=ok, detail=detail, mend=mend)


def check_assets(assets: str | None) -> Check:
    """The packs of asset files; without one, the built-in stand-ins are used, which is allowed."""
    # Imported here: the asset catalogue pulls in mesh packages, and a broken one must not end the examination.
    try:
        from eval.assets.options import ENVIRONMENT_VARIABLE
        from eval.assets.resolver import Assets
    except ImportError as error:
        return Check(name="Assets", ok=False, detail=str(error), mend="mend the packages first")
    try:
        packs = Assets.from_option(assets).packs
    except UserError as error:
        return Check(name="Assets", ok=False, detail=str(error), mend=f"mend --assets or {ENVIRONMENT_VARIABLE}")
    if not packs:
        return Check(
            name="Assets",
            ok=False,
            required=False,
            detail="no pack given: built-in stand-ins, and every table says so",
            mend=f"for the original scenes: --assets FOLDER or {ENVIRONMENT_VARIABLE}=FOLDER",
        )
    return Check(name="Assets", ok=True, detail=", ".join(str(pack) for pack in packs))


def check_gpu() -> Check:
    """NVIDIA cards, as their own tool lists them."""
    tool = shutil.which("nvidia-smi")
    if tool:
        query = [tool, "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        try:
            child = subprocess.run(query, capture_output=True, text=True, timeout=30, check=True)
            return Check(name="GPU", ok=True, required=False, detail="; ".join(child.stdout.strip().splitlines()))
        except (OSError, subprocess.SubprocessError) as error:
            return Check(
                name="GPU",
                ok=False,
                required=False,
                detail=f"nvidia-smi fails: {error}",
                mend="repair the NVIDIA driver",
            )
    return Check(
        name="GPU",
        ok=False,
        required=False,
        detail="no NVIDIA card: pictures are drawn on the CPU",
        mend="none needed; with a card, install its driver with Vulkan",
    )


def check_torch() -> Check:
    """What policies that are neural networks need; asked by version alone, since importing torch takes seconds."""
    versions = {name: _version(name) for name in ("torch", "transformers")}
    missing = [name for name, version in versions.items() if version is None]
    return Check(
        name="torch",
        ok=not missing,
        required=False,
        detail=f"not installed: {', '.join(missing)}"
        if missing
        else ", ".join(f"{name} {version}" for name, version in versions.items()),
        mend="for policies with weights: make vla" if missing else "",
    )


def check_checkpoints() -> Check:
    """Model folders in the Hugging Face cache of this user."""
    home = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    hub = Path(os.environ.get("HF_HUB_CACHE", home / "hub"))
    models = sorted(path.name.removeprefix("models--").replace("--", "/") for path in hub.glob("models--*"))
    return Check(
        name="Checkpoints",
        ok=bool(models),
        required=False,
        detail=", ".join(models) if models else f"none in {hub}",
        mend="" if models else "for policies with weights: download a checkpoint; oracle, random and replay need none",
    )


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_original() -> Check:
    """The original simulator in its own interpreter, for ``--world simpler-env``."""
    name, chosen = "Original simulator", os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        found = find_original()
    except UserError as error:
        if chosen is None:
            mend = f"only for --world simpler-env: set {ENVIRONMENT_VARIABLE} to the Python that has it (docs/original.md)"
            return Check(name=name, ok=False, detail="no interpreter given", mend=mend, required=False)
        detail, _, mend = str(error).partition(": ")
        return Check(name=name, ok=False, detail=detail, mend=mend, required=False)
    versions = ", ".join(f"{key} {found.found[key]}" for key in ("python", "numpy"))
    detail = f"{found.name} ({found.python}; {versions}; assets {found.found['assets']})"
    return Check(name=name, ok=True, detail=detail, required=False)
