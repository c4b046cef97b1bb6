"""From what a user writes after ``--checkpoint`` to a folder, and what is in it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from eval.errors import UserError

RANDOM = ("tiny-random", "full-random")
"""Checkpoints with random weights that are made on the spot."""
_HUB = re.compile(r"([\w.-]+/[\w.-]+)(?:@([\w./-]+))?")
_WANTED = ("*.safetensors", "*.json", "chat_template.jinja")
"""What is fetched from the hub: weights, numbers and the tokenizer; never code, never pickles."""


def find_checkpoint(text: str) -> Path:
    """The folder that ``text`` means: one of ``RANDOM``, a folder, or ``owner/name[@revision]`` on the Hugging Face hub."""
    if text in RANDOM:
        from policies.phi3v.random_checkpoint import random_checkpoint

        return random_checkpoint(text)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise UserError(f"--checkpoint {text} is a file; name the folder that holds config.json.")
    match = _HUB.fullmatch(text)
    if not match:
        ways = f'"owner/name[@revision]" on the hub, nor {" nor ".join(RANDOM)}'
        raise UserError(f"--checkpoint {text} is neither a folder, nor {ways}.")
    return _from_hub(match[1], match[2])


def _from_hub(name: str, revision: str | None) -> Path:
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(_WANTED)))
    except Exception as error:  # the hub's client raises a family of errors, its network library another
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f'There is no folder "{name}", and the hub did not give {name}{f"@{revision}" if revision else ""}: '
            f"{type(error).__name__}: {reason}"
        ) from error


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
