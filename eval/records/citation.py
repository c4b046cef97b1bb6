"""What a paper cites for a number: this software, in the version and at the commit that made it.

An installed package has no ``CITATION.cff``, so what it says of the software stands here, too; a test holds them together.
"""

from __future__ import annotations

from dataclasses import dataclass

from eval.records.header import Provenance
from eval.records.latex import ESCAPES
from eval.version import VERSION

TITLE = "simpler-eval: evaluation of vision-language-action policies on SIMPLER"
AUTHORS = "The simpler-eval authors"
YEAR = 2026
"""Of the release."""


@dataclass(frozen=True)
class Citation:
    """One piece of software, ready to be printed."""

    line: str
    """With version and commit."""
    bibtex: str


def citation(made_by: Provenance | None = None) -> Citation:
    """Of the simpler-eval that made a number, as a session of a run recorded it; None: of this one, without a commit."""
    version, commit = VERSION, ""
    if made_by is not None:
        version = made_by.packages.get("simpler-eval", "unknown")
        if made_by.git is not None:
            commit = made_by.git.commit + (" with changes" if made_by.git.dirty else "")
    where = f"version {version}, commit {commit}" if commit else f"version {version}"
    fields = {
        "author": f"{{{AUTHORS}}}",
        "title": f"{{{TITLE}}}",
        "year": str(YEAR),
        "version": version.translate(ESCAPES),
        **({"note": f"Commit {commit}".translate(ESCAPES)} if commit else {}),
    }
    entries = "".join(f"  {name} = {{{value}}},\n" for name, value in fields.items())
    return Citation(f"{AUTHORS}. {TITLE}. {YEAR}, {where}.", f"@software{{simpler_eval,\n{entries}}}\n")
