"""The options that name asset packs; in a module of their own, so that a command line loads fast."""

from __future__ import annotations

import os

ENVIRONMENT_VARIABLE = "SIMPLER_EVAL_ASSETS"
FALLBACK = "else-standins"
"""Word among the folders of ``--assets``: a broken file is passed over. Part of that text, so that workers, ``run.json``
and a resumed run all know of it."""


def assets_text(assets: str | None, fallback: bool) -> str | None:
    """``--assets`` with the word that ``--assets-fallback`` adds."""
    if not fallback:
        return assets
    chosen = assets if assets is not None else os.environ.get(ENVIRONMENT_VARIABLE, "")
    return ",".join(part for part in (chosen, FALLBACK) if part)
