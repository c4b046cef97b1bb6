"""The interpreter that the original simulator runs in: which one, and whether it has what it needs."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from eval.errors import UserError

ENVIRONMENT_VARIABLE = "SIMPLER_ENV_PYTHON"
WORKER = Path(__file__).with_name("worker.py")
OLDEST = (3, 8)
NEWEST = (3, 11)
"""Releases of Python for which SAPIEN 2.2.2 has wheels."""
PROBE_SECONDS = 120.0
FIXES = {
    "packages": "install SAPIEN 2.2.2, numpy<2, mani_skill2_real2sim and simpler_env into it (docs/original.md shows how), or "
    "give another interpreter with --world-python",
    "sapien": "the original needs SAPIEN 2.2: install sapien==2.2.2 into it, or give another interpreter with --world-python",
    "assets": "set MS2_REAL2SIM_ASSET_DIR to the folder data of a ManiSkill2_real2sim checkout (`simpler-eval assets fetch` "
    "gets one)",
    "render_device": "give --render-device another device (cuda:N as CUDA counts, or pci:ADDRESS), or leave it out",
    "vulkan": "the original starts a renderer even where nothing is rendered: install a Vulkan driver (for software drivers "
    "see docs/original.md)",
}


class Package(BaseModel):
    """A package of the original."""

    model_config = ConfigDict(frozen=True)

    path: Path
    """Of its folder."""
    version: str = ""
    commit: str = ""
    """If it is a git checkout."""


class Installation(BaseModel):
    """What an interpreter has, as the probe of ``eval/backends/simpler_env/worker.py`` reports it."""

    model_config = ConfigDict(frozen=True)

    python: str
    numpy: str
    sapien: str
    mani_skill2_real2sim: Package
    simpler_env: Package
    assets: Path
    """Folder ``data`` that the original reads."""
    device: str = ""


@dataclass(frozen=True)
class Original:
    """A usable interpreter."""

    python: str
    """Path of the executable."""
    installed: Installation

    @property
    def name(self) -> str:
        """For tables: package, commit or version, and simulator."""
        package = self.installed.simpler_env
        commit = package.commit[:7] or package.version
        return " ".join(word for word in ("simpler_env", commit, f"on SAPIEN {self.installed.sapien}") if word)

    @property
    def commits(self) -> dict[str, str]:
        """What decides its numbers: the simulator's version, and of both packages the commit, else the version."""
        packages = {"simpler_env": self.installed.simpler_env, "mani_skill2_real2sim": self.installed.mani_skill2_real2sim}
        return {"sapien": self.installed.sapien} | {name: p.commit or p.version for name, p in packages.items()}

    @property
    def versions(self) -> dict[str, JsonValue]:
        """For the record: versions, commits and folders of everything."""
        versions: dict[str, JsonValue] = self.installed.model_dump(
            mode="json", include={"python", "numpy", "sapien", "simpler_env", "mani_skill2_real2sim"}, exclude_defaults=True
        )
        return versions


@dataclass(frozen=True)
class Lack:
    """The first thing that an interpreter lacks."""

    stage: str
    """A key of ``FIXES``."""
    error: str


def find_original(python: str | None = None, render_device: str | None = None) -> Original:
    """Look at an interpreter: the one given, else that of SIMPLER_ENV_PYTHON, else our own.

    ``render_device``: what must be able to render there.

    Raises UserError with one line that says what is lacking and how to fix it.
    """
    if render_device is not None and not re.fullmatch(r"cuda(:\d+)?|pci:[0-9a-f:.]+", render_device):
        raise UserError(f'The original simulator cannot render on "{render_device}"; give cuda:N or pci:ADDRESS.')
    chosen = python or os.environ.get(ENVIRONMENT_VARIABLE) or sys.executable
    executable = shutil.which(os.path.expanduser(chosen))
    if executable is None:
        raise UserError(
            f"{chosen} is no executable file; give the Python that has simpler_env with --world-python or "
            f"{ENVIRONMENT_VARIABLE}."
        )
    executable = os.path.abspath(executable)  # workers may be started after somebody has changed the working folder
    version = _version(executable)
    if not version[:2] >= OLDEST:
        raise UserError(
            f"{executable} is Python {'.'.join(map(str, version))}; the original needs {_dotted(OLDEST)} or newer "
            f"(SAPIEN 2.2.2 has wheels up to {_dotted(NEWEST)})."
        )
    probed = _probe(executable, render_device)
    if isinstance(probed, Lack):
        raise UserError(_refusal(executable, probed, python is None and ENVIRONMENT_VARIABLE not in os.environ))
    return Original(executable, probed)


def _refusal(executable: str, lack: Lack, by_default: bool) -> str:
    if by_default:
        return (
            f"The original simulator is not installed in our own interpreter ({lack.error}); give the Python that has it "
            f"with --world-python or {ENVIRONMENT_VARIABLE} (docs/original.md)."
        )
    return f"{executable} cannot run the original simulator ({lack.error}): {FIXES[lack.stage]}."


def _version(executable: str) -> tuple[int, ...]:
    child = _run(executable, "-c", "import sys; print(*sys.version_info[:3])")
    parts = child.stdout.split()
    if len(parts) != 3 or not all(part.isdigit() for part in parts):
        raise UserError(f"{executable} is no Python: asked for its version, it answers {child.stdout.strip()[:80]!r}.")
    return tuple(map(int, parts))


def _probe(executable: str, render_device: str | None) -> Installation | Lack:
    child = _run(executable, str(WORKER), "probe", *([render_device] if render_device else []))
    for line in reversed(child.stdout.splitlines()):  # the packages themselves may print
        if line.startswith("{"):
            probed = json.loads(line)
            return Lack(probed["stage"], probed["error"]) if "error" in probed else Installation.model_validate(probed)
    if child.returncode < 0:  # a driver that crashes takes the process along
        return Lack("vulkan", f"the renderer dies of signal {-child.returncode}")
    return Lack("packages", (child.stderr.strip().splitlines() or ["it says nothing"])[-1][:300])


def _run(executable: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            [executable, *arguments], capture_output=True, text=True, check=False, timeout=PROBE_SECONDS, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise UserError(f"{executable} did not answer within {PROBE_SECONDS:g} s; start it by hand to see why.") from None
    except OSError as error:
        raise UserError(f"{executable} cannot be started: {error.strerror or error}.") from error


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))
