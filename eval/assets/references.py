"""Which files an asset file names: a mesh its materials and textures, a material its textures, a URDF its meshes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

IMAGES = (".png", ".jpg", ".jpeg")
PATTERNS: Mapping[str, re.Pattern[bytes]] = {
    ".dae": re.compile(rb"<init_from>\s*([^<]+?)\s*</init_from>"),
    ".mtl": re.compile(rb"^[ \t]*(?:map_\w+|bump|disp)[ \t]+(?:-\S+[ \t]+\S+[ \t]+)*(\S+)[ \t]*\r?$", re.MULTILINE),
    ".obj": re.compile(rb"^mtllib[ \t]+(.+?)[ \t]*\r?$", re.MULTILINE),
}
"""How the text formats name the files that belong to them."""


def references(path: Path, content: bytes) -> tuple[str, ...]:
    """The files that ``content`` names, relative to the folder of ``path``, each once; whether they exist is not checked.

    ``path`` says the format by its suffix. What names no file of a kind that belongs there (a COLLADA file names images
    by identifiers too) is left out.
    """
    suffix = path.suffix.lower()
    if suffix == ".urdf":
        return tuple(dict.fromkeys(_meshes(content)))
    pattern = PATTERNS.get(suffix)
    if pattern is None:
        return ()
    names = (unquote(match.decode("utf-8", "replace")).removeprefix("file://").strip() for match in pattern.findall(content))
    return tuple(dict.fromkeys(name for name in names if Path(name).suffix.lower() in (*IMAGES, ".mtl")))


def _meshes(urdf: bytes) -> list[str]:
    try:
        root = ElementTree.fromstring(urdf)
    except ElementTree.ParseError:
        return []
    return [mesh.get("filename", "").removeprefix("package://") for mesh in root.iter("mesh")]
