"""Which font draws which letter: the one that Pillow brings along, else DejaVu of matplotlib, else what the system has.

Nothing is shipped. Pillow's own font has the letters of English; fontconfig (``fc-match``) knows who has others. A letter that
nobody has becomes its plain form (``é``: e) or a question mark, never a box.
"""

from __future__ import annotations

import subprocess
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from PIL import ImageFont

NOBODY = "?"
"""In the place of a letter that no font has."""
NO_LETTER = chr(0x10FFFF)
"""Never a letter: every font draws its sign for a missing one."""
PROBE = 20
"""Pixels of the letters that are looked at."""
PATIENCE = 5.0
"""s that fontconfig has for an answer; the first may take a while."""


@dataclass(frozen=True)
class Face:
    """A font file; ``path`` None: Pillow's own."""

    path: str | None = None
    index: int = 0


OWN = Face()


@lru_cache(maxsize=128)
def font(face: Face, size: int) -> ImageFont.FreeTypeFont:
    """A face in a size in pixels. Raises OSError for a file that Pillow cannot draw with."""
    if face.path is not None:
        return ImageFont.truetype(face.path, max(size, 1), index=face.index)
    own = ImageFont.load_default(max(size, 1))
    if not isinstance(own, ImageFont.FreeTypeFont):
        raise RuntimeError("Pillow was built without FreeType, so it has no scalable font; install its wheel.")
    return own


def drawable(text: str) -> str:
    """A text of letters that some font has; what has no shape of its own (joiners, turns of direction) is left out."""
    shown: list[str] = []
    lost = False
    for letter in unicodedata.normalize("NFC", text):
        if _is_shapeless(letter) or (lost and unicodedata.category(letter).startswith("M")):
            continue  # marks go with the letter that carries them
        shown.append(_shown(letter))
        lost = shown[-1] == NOBODY != letter
    return "".join(shown)


def by_face(text: str) -> Iterator[tuple[str, Face]]:
    """A drawable text in parts that one font draws each: as a whole if one has all of it."""
    whole = next((face for face in _known() if all(_has(face, letter) for letter in text)), None)
    if whole is not None:
        yield text, whole
        return
    part, drawn_by = "", OWN
    for letter in text:
        face = drawn_by if letter == " " else _face_of(letter) or OWN
        if face != drawn_by and part:
            yield part, drawn_by
            part = ""
        part, drawn_by = part + letter, face
    yield part, drawn_by


def _is_shapeless(letter: str) -> bool:
    return unicodedata.category(letter) == "Cf" or 0xFE00 <= ord(letter) <= 0xFE0F


@lru_cache(maxsize=4096)
def _shown(letter: str) -> str:
    if not letter.isprintable():
        return NOBODY
    if _face_of(letter) is not None:
        return letter
    plain = "".join(part for part in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(part))
    return plain if plain and all(_face_of(part) for part in plain) else "" if unicodedata.combining(letter) else NOBODY


@lru_cache(maxsize=4096)
def _face_of(letter: str) -> Face | None:
    """Who draws a letter; None: nobody."""
    known = next((face for face in _known() if _has(face, letter)), None)
    if known is not None or letter == NO_LETTER:
        return known
    face = _asked_for(ord(letter) // 256, letter)
    return face if face is not None and _has(face, letter) else None


_found: list[Face] = []
"""Fonts of the system that had a letter: what is written in the same script is looked for in them first."""


def _known() -> list[Face]:
    return [OWN, *_dejavu(), *_found]


@lru_cache(maxsize=1)
def _dejavu() -> list[Face]:
    """That of matplotlib, where it is installed: Latin, Cyrillic, Greek, Arabic, signs."""
    spec = find_spec("matplotlib")
    folders = [] if spec is None or spec.origin is None else [Path(spec.origin).parent]
    files = [folder / "mpl-data/fonts/ttf/DejaVuSans.ttf" for folder in folders]
    return [Face(str(file)) for file in files if file.is_file()]


@lru_cache(maxsize=512)
def _asked_for(block: int, letter: str) -> Face | None:
    """Of the system, who has a letter, and remembered for its block of 256: who lacks one lacks the script."""
    if block in _lacking:
        return None
    command = ["fc-match", "-f", "%{file}\n%{index}", f"sans:charset={ord(letter):x}"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True).stdout.splitlines()
        face = Face(answer[0], int(answer[1]) & 0xFFFF)  # above: a named instance of a variable font
        if _has(face, letter):
            _found.append(face)
            return face
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        pass  # no fontconfig, or nothing that Pillow can draw with
    _lacking.add(block)
    return None


_lacking: set[int] = set()


@lru_cache(maxsize=8192)
def _has(face: Face, letter: str) -> bool:
    if letter == " ":
        return True
    try:
        carrier = "x" if unicodedata.category(letter).startswith("M") else ""  # a mark alone gets a dotted circle
        return _drawn(face, carrier + letter) != _drawn(face, carrier + NO_LETTER)
    except OSError:  # a bitmap font, a broken file
        return False


def _drawn(face: Face, text: str) -> tuple[tuple[int, int], bytes]:
    mask = font(face, PROBE).getmask(text)
    return mask.size, bytes(mask)
