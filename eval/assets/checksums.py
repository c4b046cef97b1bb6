"""The one checksum of this package: git's own blob id, so that it can be compared with the lists of a git repository."""

from __future__ import annotations

import hashlib
from pathlib import Path


def checksum(content: bytes) -> str:
    """SHA-1 (40 hex digits) of some content as ``git hash-object`` computes it."""
    digest = _begin(len(content))
    digest.update(content)
    return digest.hexdigest()


def file_checksum(path: Path) -> str:
    """The same for a file, which is not read into memory as a whole."""
    digest = _begin(path.stat().st_size)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _begin(size: int) -> hashlib._Hash:
    return hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
