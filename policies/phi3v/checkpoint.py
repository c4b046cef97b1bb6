"""From what a user writes after ``--checkpoint`` to a folder, and what is in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eval.errors import UserError
from policies.phi3v.hub import download, without_secrets

RANDOM = ("tiny-random", "full-random")
"""Checkpoints with random weights that are made on the spot."""
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_ADDRESS = re.compile(r"https?://[^/]+/([\w.-]+/[\w.-]+)(?:/tree/([\w./-]+))?/?")
"""Of a page of the hub, as one copies it from a browser."""


def find_checkpoint(text: str) -> Path:
    """The folder that ``text`` means: one of ``RANDOM``, a folder, or ``owner/name[@revision]`` on the Hugging Face hub."""
    folder = folder_here(text)
    if folder is not None:
        return folder
    if text in RANDOM:
        from policies.phi3v.random_checkpoint import random_checkpoint

        return random_checkpoint(text)
    match = _HUB.fullmatch(text)
    assert match is not None
    return download(match[1], match[2])


def folder_here(text: str) -> Path | None:
    """The folder that ``text`` names; None where it is to be made or fetched. Raises UserError if it can be neither."""
    if text in RANDOM:
        return None
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(f"--checkpoint {text} is a file; name the folder that holds config.json.")
    if not _HUB.fullmatch(text):
        if address := _ADDRESS.fullmatch(text):
            name = f"{address[1]}@{address[2]}" if address[2] else address[1]
            raise UserError(f"--checkpoint {without_secrets(text)} is an address; write --checkpoint {name} instead.")
        ways = f'"owner/name[@revision]" on the hub, nor {" nor ".join(RANDOM)}'
        raise UserError(f"--checkpoint {without_secrets(text)} is neither a folder, nor {ways}.")
    return None


def content_hash(files: Iterable[Path]) -> str:
    """SHA-256 over names and contents: the same for the same files, wherever they lie."""
    paths = sorted(files, key=lambda path: path.name)
    with ThreadPoolExecutor(4) as pool:  # hashing leaves the interpreter free
        sums = list(pool.map(_file_hash, paths))
    whole = hashlib.sha256()
    for path, digest in zip(paths, sums, strict=True):
        whole.update(f"{path.name} {digest}\n".encode())
    return whole.hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
