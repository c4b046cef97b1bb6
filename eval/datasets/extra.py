"""What writes datasets and may be missing: one line then, before anything is played for them."""

from __future__ import annotations

import shutil
import sys

from eval.errors import UserError, needs_extra


def need_pyarrow(what: str) -> None:
    """Raises UserError, which calls it ``what``, if there is no ``pyarrow``, an extra that reads and writes Parquet."""
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError:
        raise needs_extra(what, "pyarrow", "datasets") from None


def need_encoder(what: str) -> None:
    """Raises UserError, which calls it ``what``, if the ffmpeg that encodes images is not there."""
    try:
        import imageio_ffmpeg

        program = imageio_ffmpeg.get_ffmpeg_exe()  # of IMAGEIO_FFMPEG_EXE, else the package's own, else the system's
        problem = "" if shutil.which(program) else f"{program} (IMAGEIO_FFMPEG_EXE) is no program"
    except (ImportError, RuntimeError) as error:
        problem = " ".join(str(error).split())
    if problem:
        raise UserError(
            f"{what} needs ffmpeg: {problem}. Run: {sys.executable} -m pip install --force-reinstall imageio-ffmpeg, "
            "without IMAGEIO_FFMPEG_EXE"
        )
