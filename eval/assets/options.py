"""The options that name asset packs; in a module of their own, so that a command line loads fast."""

from __future__ import annotations

import os

from eval.errors import UserError
from eval.given import Texts, absolute, texts_of

ENVIRONMENT_VARIABLE = "SIMPLER_EVAL_ASSETS"
FALLBACK = "else-standins"
"""Word among the folders of ``--assets``: a broken file is passed over. Part of that text, so that workers, ``run.json``
and a resumed run all know of it."""


def chosen_assets(assets: Texts | None) -> str | None:
    """``--assets``, else what the environment variable says; None: neither, which is the built-in stand-ins.

    One folder, several separated by commas, or a list of folders; absolute, whatever the working folder is later.

    Raises:
        UserError: nothing stands beside a comma: a folder that was meant would be left out.
    """
    chosen = os.environ.get(ENVIRONMENT_VARIABLE) or None if assets is None else ",".join(texts_of(assets, "assets"))
    if not chosen:
        return chosen
    parts = [part.strip() for part in chosen.split(",")]
    if not all(parts):
        name = ENVIRONMENT_VARIABLE if assets is None else "assets"
        raise UserError(f'{name} "{chosen}" names no folder beside a comma; give folders, separated by commas.')
    return ",".join(part if part == FALLBACK else absolute(part) for part in parts)


def assets_text(assets: str | None, fallback: bool) -> str | None:
    """``--assets`` with the word that ``--assets-fallback`` adds."""
    if not fallback:
        return assets
    return ",".join(part for part in (chosen_assets(assets), FALLBACK) if part)
