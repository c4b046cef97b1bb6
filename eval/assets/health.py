"""Whether an asset file can be what its name says: enough to name a broken one before the simulator fails on it.

A few milliseconds a file. Whether the content is exactly the original's, ``simpler-eval assets check`` shows.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from xml.etree import ElementTree

FACE = re.compile(rb"^f[ \t]+(.+)$", re.MULTILINE)


class BrokenFileError(Exception):
    """A file is not what its name says; the message says why, without the name."""


def content_problem(path: Path, content: bytes) -> str | None:
    """Why ``content`` cannot be that of a file called ``path``; None if it can, or if the format is not known here."""
    check = CHECKS.get(path.suffix.lower())
    if check is None:
        return None
    try:
        if not content:
            raise BrokenFileError("it is empty")
        check(content)
    except BrokenFileError as error:
        return str(error)
    return None


def _png(data: bytes) -> None:
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise BrokenFileError("it is no PNG image")
    place, kind = 8, b""
    while kind != b"IEND":
        head = data[place : place + 8]
        length, kind = struct.unpack(">I4s", head) if len(head) == 8 else (len(data), b"")
        content = data[place + 4 : place + 8 + length]
        stored = data[place + 8 + length : place + 12 + length]
        if len(stored) < 4:
            raise BrokenFileError("the image ends too early")
        if zlib.crc32(content) != int.from_bytes(stored, "big"):
            raise BrokenFileError("a checksum inside the image is wrong")
        place += 12 + length


def _jpeg(data: bytes) -> None:
    if data[:2] != b"\xff\xd8":
        raise BrokenFileError("it is no JPEG image")
    if b"\xff\xd9" not in data[-4096:]:  # some writers append a few bytes
        raise BrokenFileError("the image ends too early")


def _glb(data: bytes) -> None:
    if data[:4] != b"glTF" or len(data) < 20:
        raise BrokenFileError("it is not a binary glTF file")
    length = int.from_bytes(data[8:12], "little")
    if length > len(data):
        raise BrokenFileError(f"it has {len(data)} of {length} bytes")
    first = int.from_bytes(data[12:16], "little")
    try:
        json.loads(data[20 : 20 + first])
    except ValueError:
        raise BrokenFileError("its description cannot be parsed") from None


def _xml(data: bytes) -> None:
    try:
        ElementTree.fromstring(data)
    except ElementTree.ParseError as error:
        raise BrokenFileError(f"broken XML: {error}") from None


def _urdf(data: bytes) -> None:
    _xml(data)
    if b"<link" not in data:
        raise BrokenFileError("it describes no link")


def _dae(data: bytes) -> None:
    _xml(data)
    if b"<geometry" not in data:
        raise BrokenFileError("it holds no geometry")


def _obj(data: bytes) -> None:
    vertices = len(re.findall(rb"^v[ \t]", data, re.MULTILINE))
    faces = FACE.findall(data)
    if not vertices or not faces:
        raise BrokenFileError("it holds no vertices" if not vertices else "it holds no faces")
    try:
        largest = max(int(corner.split(b"/", 1)[0]) for face in faces for corner in face.split())
    except ValueError:
        raise BrokenFileError("a face is not a list of numbers") from None
    if largest > vertices:
        raise BrokenFileError(f"a face names vertex {largest} of {vertices}")


def _stl(data: bytes) -> None:
    if len(data) >= 84 and len(data) == 84 + 50 * int.from_bytes(data[80:84], "little"):
        return
    if not (data.lstrip()[:5] == b"solid" and b"endsolid" in data[-4096:]):
        raise BrokenFileError("its length does not fit its number of triangles")


CHECKS: Mapping[str, Callable[[bytes], None]] = {
    ".png": _png,
    ".jpg": _jpeg,
    ".jpeg": _jpeg,
    ".glb": _glb,
    ".urdf": _urdf,
    ".dae": _dae,
    ".obj": _obj,
    ".stl": _stl,
}
