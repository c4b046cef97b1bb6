"""A checkpoint on the Hugging Face hub, or on the server that ``HF_ENDPOINT`` names: fetched once, kept in the hub's cache.

A token comes from the environment (``HF_TOKEN``) or from ``hf auth login`` and from nowhere else, and is in no message.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

from eval.errors import UserError, did_you_mean

WANTED = ("*.safetensors", "*.json", "chat_template.jinja")
"""What is fetched: weights, numbers and the tokenizer; never code, never pickles."""
TOKENS = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
LONGEST = 300


def download(name: str, revision: str | None) -> Path:
    """The folder of ``owner/name`` at a branch, tag or commit; ``main`` if none is given.

    Files that are in the cache are not fetched again; without a connection, or with ``HF_HUB_OFFLINE``, what is there is
    used if it is whole. A connection that breaks is taken up again where it broke.

    Raises:
        UserError: it cannot be had.
    """
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(WANTED)))
    except Exception as error:  # the hub's client raises a family of errors, its network library another
        raise UserError(without_secrets(f'There is no folder "{name}", and {_why(error, name, revision)}')) from None


def without_secrets(text: str) -> str:
    """For messages: tokens, and names and passwords in addresses, are blotted out."""
    for token in filter(None, map(os.environ.get, TOKENS)):
        text = text.replace(token, "***")
    return re.sub(r"(?<=://)[^/@\s]+@|\bhf_\w{8,}", "***", text)


def _why(error: Exception, name: str, revision: str | None) -> str:
    """One sentence, with a way out."""
    from huggingface_hub import constants, errors

    whole = f"{name}@{revision}" if revision else name
    reason = f"{type(error).__name__}: {' '.join(str(error).split())[:LONGEST]}"
    if isinstance(error, errors.GatedRepoError):
        token = "the token in HF_TOKEN may not" if any(map(os.environ.get, TOKENS)) else "reading it needs a token"
        return (
            f"{name} is gated: {token}. Accept its terms at {constants.ENDPOINT}/{name}, and put a token that may read it "
            f"into the environment variable HF_TOKEN."
        )
    if isinstance(error, errors.RepositoryNotFoundError):
        see = f"See {constants.ENDPOINT}/{name.split('/')[0]}."
        return (
            f"the hub has no {name}.{did_you_mean(name, _known(name), see)} If it is private, put a token that may read it "
            f"into the environment variable HF_TOKEN."
        )
    if isinstance(error, errors.RevisionNotFoundError):
        see = f"See {constants.ENDPOINT}/{name}/tree/main."
        return f'{name} on the hub has no revision "{revision}".{did_you_mean(str(revision), _revisions(name), see)}'
    if isinstance(error, errors.LocalEntryNotFoundError):
        part = "only a part of it is" if hasattr(error, "snapshot_path") else "it is not"
        if constants.HF_HUB_OFFLINE:
            return (
                f"HF_HUB_OFFLINE is set while {whole} is not to be had without the hub: {part} in {constants.HF_HUB_CACHE}. "
                f"Unset it for once, or copy that folder from a machine that has it."
            )
        return (
            f"the hub at {constants.ENDPOINT} cannot be reached for {whole} ({part} in {constants.HF_HUB_CACHE}): {reason} "
            f"Try again, or copy the checkpoint here and name its folder."
        )
    return f"the hub did not give {whole}: {reason} Files that came whole are kept: the same command goes on from there."


def _known(name: str) -> list[str]:
    """What else the owner has, as far as the hub tells it, and what is in the cache."""
    from huggingface_hub import HfApi, constants

    folders = Path(constants.HF_HUB_CACHE).glob("models--*--*")
    known = [folder.name.removeprefix("models--").replace("--", "/", 1) for folder in folders]
    with contextlib.suppress(Exception):  # a hint is not worth an error
        known += [model.id for model in HfApi().list_models(author=name.split("/")[0], limit=200)]
    return known


def _revisions(name: str) -> list[str]:
    from huggingface_hub import HfApi

    with contextlib.suppress(Exception):
        refs = HfApi().list_repo_refs(name)
        return [ref.name for ref in (*refs.branches, *refs.tags)]
    return []
