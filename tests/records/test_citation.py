"""What a paper cites is the version that made the number, wherever it is asked for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import yaml

from eval.records.citation import AUTHORS, TITLE, YEAR, citation
from eval.records.header import GitRecord
from eval.records.provenance import provenance
from eval.version import VERSION

REPO = Path(__file__).parents[2]


def test_all_files_say_the_same_version(cli):
    content = yaml.safe_load((REPO / "CITATION.cff").read_text())
    released = re.search(r"^## \[([\d.]+)\] - (\S+)$", (REPO / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert released is not None
    assert content["version"] == released[1] == VERSION
    assert content["date-released"] == released[2]
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    assert project["tool"]["setuptools"]["dynamic"]["version"]["attr"] == "eval.version.VERSION"
    assert "version" in project["project"]["dynamic"]
    assert content["license"] == project["project"]["license"]
    code, out, _ = cli("--version")
    assert (code, out.strip()) == (0, VERSION)
    assert provenance().packages["simpler-eval"] == VERSION


def test_the_text_is_that_of_the_citation_file():
    content = yaml.safe_load((REPO / "CITATION.cff").read_text())
    assert content["title"] == TITLE
    assert [author["name"] for author in content["authors"]] == [AUTHORS]
    assert content["date-released"].startswith(str(YEAR))
    cited = " ".join(reference["notes"] + reference["title"] for reference in content["references"])
    assert all(name in cited for name in ("SimplerEnv", "OpenVLA", "TraceVLA"))


def test_a_citation_names_version_and_commit_of_the_run():
    made = provenance().model_copy(
        update={"packages": {"simpler-eval": "0.2.0"}, "git": GitRecord(commit="0123abc", dirty=True)}
    )
    given = citation(made)
    assert given.line == f"{AUTHORS}. {TITLE}. {YEAR}, version 0.2.0, commit 0123abc with changes."
    assert re.fullmatch(r"@software\{simpler_eval,\n(  \w+ = \{.+\},\n)+\}\n", given.bibtex)
    assert "version = {0.2.0}" in given.bibtex
    assert VERSION in citation().line


def test_a_record_that_somebody_edited_breaks_no_latex():
    evil = provenance().model_copy(update={"packages": {"simpler-eval": r"1}, \input{x} %"}, "git": None})
    body = citation(evil).bibtex.replace(r"\{", "").replace(r"\}", "")
    assert body.count("{") == body.count("}")
    assert "%" not in body.replace(r"\%", "")
