"""The single checks of the doctor: each looks at one thing that runs need, and says how to fix what is wrong."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from eval.assets import options
from eval.assets.resolver import Assets
from eval.backends.simpler_env.interpreter import ENVIRONMENT_VARIABLE, find_original
from eval.backends.vulkan import FIX
from eval.diagnostics.vulkan import probe_vulkan
from eval.errors import INSTALLS, UserError
from eval.given import Texts

DISTRIBUTION = "simpler-eval"


class Check(BaseModel):
    """The result of one check."""

    model_config = ConfigDict(frozen=True)

    name: str
    ok: bool
    detail: str
    """What is there, or what is wrong."""
    fix: str = ""
    """What to do about it; empty when there is nothing to do."""
    required: bool = True
    """False for what only some uses need: its absence is reported, but every other run works without it."""


def check_python() -> Check:
    """Python 3.11 or newer."""
    ok = sys.version_info >= (3, 11)
    return Check(
        name="Python",
        ok=ok,
        detail=f"{platform.python_version()} ({sys.executable})",
        fix="" if ok else "install Python 3.11 or newer, then: make setup PYTHON=/path/to/python3",
    )


def check_packages(distribution: str = DISTRIBUTION) -> Check:
    """Every package that the core of the distribution asks for, and its version."""
    try:
        requirements = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        return Check(name="Packages", ok=False, detail=f"{distribution} is not installed", fix="run: make setup")
    names = [re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0] for line in requirements if "extra ==" not in line]
    versions = {name: _version(name) for name in names}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        return Check(
            name="Packages",
            ok=False,
            detail=f"missing: {', '.join(missing)}",
            fix=f"run: make setup (or: {sys.executable} -m pip install {' '.join(missing)})",
        )
    return Check(name="Packages", ok=True, detail=", ".join(f"{name} {version}" for name, version in versions.items()))


def check_opencv() -> Check:
    """OpenCV can be imported: SAPIEN brings the build that needs X libraries, in the same folder as the one without."""
    child = subprocess.run(
        [sys.executable, "-c", "import cv2; print(cv2.__version__)"], capture_output=True, text=True, check=False
    )
    if child.returncode == 0:
        return Check(name="OpenCV", ok=True, detail=child.stdout.strip())
    lines = child.stderr.strip().splitlines() or ["it cannot be imported"]
    return Check(
        name="OpenCV",
        ok=False,
        detail=lines[-1],
        fix=f"run: {sys.executable} -m pip install --force-reinstall --no-deps opencv-python-headless",
    )


def check_vulkan() -> list[Check]:
    """The device that SAPIEN chooses, and an image rendered on it in a process of its own."""
    report = probe_vulkan()
    if report.device is None:
        return [
            Check(name="Vulkan device", ok=False, detail=report.error, fix=FIX),
            Check(name="Image", ok=False, detail="there is nothing to render with", fix="fix the Vulkan device first"),
        ]
    fix = "" if report.rendered else f"update the driver; or {FIX}"
    detail = "SAPIEN renders and the image is right" if report.rendered else report.error
    return [
        Check(name="Vulkan device", ok=True, detail=str(report.device)),
        Check(name="Image", ok=report.rendered, detail=detail, fix=fix),
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
            about, *decoded = imageio_ffmpeg.read_frames(str(path))
        width, height = about["size"]
        images = np.array([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in decoded])
        ok = images.shape == frames.shape and abs(float(images.mean()) - 127.5) < 10
        detail = f"H.264 by {Path(encoder).name}" if ok else f"what was read back differs: {images.shape}"
    except Exception as error:  # any failure of a foreign program is what this check reports
        ok, detail = False, str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
    fix = "" if ok else f"run: {sys.executable} -m pip install --force-reinstall mediapy imageio-ffmpeg; or --video none"
    return Check(name="Video", ok=ok, detail=detail, fix=fix)


def check_assets(assets: Texts | None) -> Check:
    """The packs of asset files; without one, the built-in stand-ins are used, which is allowed."""
    try:
        packs = Assets.from_option(assets).packs
    except UserError as error:
        return Check(name="Assets", ok=False, detail=str(error), fix=f"correct --assets or {options.ENVIRONMENT_VARIABLE}")
    if not packs:
        return Check(
            name="Assets",
            ok=False,
            required=False,
            detail="no pack given: built-in stand-ins are used, and every table says so",
            fix=f"for the original scenes: --assets FOLDER or {options.ENVIRONMENT_VARIABLE}=FOLDER",
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
                fix="repair the NVIDIA driver",
            )
    return Check(
        name="GPU",
        ok=False,
        required=False,
        detail="no NVIDIA card: images are rendered on the CPU",
        fix="none needed; with a card, install its driver with Vulkan",
    )


def check_torch() -> Check:
    """What policies that are neural networks need; only the versions are read, since importing torch takes seconds."""
    versions = {name: _version(name) for name in ("torch", "transformers")}
    missing = [name for name, version in versions.items() if version is None]
    return Check(
        name="torch",
        ok=not missing,
        required=False,
        detail=f"not installed: {', '.join(missing)}"
        if missing
        else ", ".join(f"{name} {version}" for name, version in versions.items()),
        fix=f"for policies with weights: {INSTALLS['vla']}" if missing else "",
    )


def check_extras(distribution: str = DISTRIBUTION) -> Check:
    """Which optional parts are installed; those of neural policies alone are :func:`check_torch`."""
    try:
        requirements = importlib.metadata.requires(distribution) or []
    except importlib.metadata.PackageNotFoundError:
        requirements = []
    needed: dict[str, list[str]] = {}
    for line in requirements:
        extra = re.search(r"""extra == ['"]([\w-]+)['"]""", line)
        if extra is not None and extra[1] not in ("vla", "test"):
            needed.setdefault(extra[1], []).append(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
    absent = [extra for extra, names in needed.items() if any(_version(name) is None for name in names)]
    there = [extra for extra in needed if extra not in absent]
    said = [f"{word} {', '.join(extras)}" for word, extras in (("installed:", there), ("not installed:", absent)) if extras]
    return Check(
        name="Extras",
        ok=not absent,
        required=False,
        detail="; ".join(said) or "none are known",
        fix="what needs one says so; pip install 'simpler-eval[NAME]' adds it" if absent else "",
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
        fix="" if models else "for policies with weights: download a checkpoint; oracle, random and replay need none",
    )


def check_original() -> Check:
    """The original simulator in its own interpreter, for ``--world simpler-env``."""
    name, chosen = "Original simulator", os.environ.get(ENVIRONMENT_VARIABLE)
    try:
        original = find_original()
    except UserError as error:
        if chosen is None:
            fix = f"only for --world simpler-env: set {ENVIRONMENT_VARIABLE} to the Python that has it (docs/original.md)"
            return Check(name=name, ok=False, detail="no interpreter given", fix=fix, required=False)
        detail, _, fix = str(error).partition(": ")
        return Check(name=name, ok=False, detail=detail, fix=fix, required=False)
    installed = original.installed
    versions = f"python {installed.python}, numpy {installed.numpy}"
    detail = f"{original.name} ({original.python}; {versions}; assets {installed.assets})"
    return Check(name=name, ok=True, detail=detail, required=False)


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
