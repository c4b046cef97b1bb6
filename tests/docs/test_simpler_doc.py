"""docs/simpler.md: whatever code, data and tests cite in it exists there, and so does every file that it names as ours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
DOC = (REPO / "docs" / "simpler.md").read_text(encoding="utf-8")
REF = r"(?:Q\d+|(?:tasks |protocol |(?:protocol )?trap )?\d+(?:\.\d+)?[a-z]?)"
CITATION = re.compile(rf"docs/simpler\.md,? ({REF}(?:(?:, | and | to ){REF})*)")
MISWRITTEN = re.compile(rf"docs/simpler\.md[ ,]+(?!{REF})(?:Q|tasks|protocol|trap|section|quirk)\b.{{0,20}}")


def anchors() -> list[str]:
    """The numbered places of the text as they are cited: ``8.2``, ``tasks 3``, ``protocol 2``, ``Q17``, ``protocol trap 4``."""
    sections = re.findall(r"^#+ ((?:tasks |protocol )?\d+(?:\.\d+)?[a-z]?) ", DOC, re.MULTILINE)
    quirks = [f"Q{number}" for number in re.findall(r'<a id="q(\d+)"></a>', DOC)]
    traps = [f"protocol trap {number}" for number in re.findall(r'<a id="trap(\d+)"></a>', DOC)]
    return sections + quirks + traps


def references(listed: str) -> Iterator[str]:
    """The places of one citation: ``tasks 0.2, 1`` are two of the tasks, ``3.5, 4, Q10`` two sections and a quirk."""
    kind = ""
    for ref in re.split(r", | and | to ", listed):
        if ref.startswith("Q"):
            yield ref
            continue
        named = re.match(r"(tasks|protocol trap|protocol|trap) ", ref)
        if named:
            kind = named[1].removeprefix("protocol ") if named[1].endswith("trap") else named[1]
        number = ref.split(" ")[-1]
        yield {"": number, "trap": f"protocol trap {number}"}.get(kind, f"{kind} {number}")


def sources() -> Iterator[tuple[str, str]]:
    """(file, its text on one line) of everything that may cite the text."""
    for folder in ("eval", "policies", "task_configs", "tests"):
        for path in sorted((REPO / folder).rglob("*")):
            if path.suffix in {".py", ".yaml", ".sh"} and path != Path(__file__):
                yield str(path.relative_to(REPO)), re.sub(r"\s*\n[ \t#]*", " ", path.read_text(encoding="utf-8"))


def test_every_citation_leads_to_a_numbered_place():
    known = set(anchors())
    citations = [(file, listed) for file, text in sources() for listed in CITATION.findall(text)]
    lost = [f"{file}: {ref}" for file, listed in citations for ref in references(listed) if ref not in known]
    assert not lost, "no such place in docs/simpler.md; cite an existing section, or add one with a new number"
    assert [f"{file}: {place}" for file, text in sources() for place in MISWRITTEN.findall(text)] == []
    assert len(citations) >= 80, "the world's code says which rule of the original it follows"


def test_numbers_are_given_once_and_quirks_and_traps_are_complete():
    places = anchors()
    assert sorted({place for place in places if places.count(place) > 1}) == []
    assert [place for place in places if place.startswith("Q")] == [f"Q{number}" for number in range(1, 74)]
    assert [place for place in places if "trap" in place] == [f"protocol trap {number}" for number in range(1, 16)]


def test_every_file_that_the_text_names_as_ours_exists():
    ours = set(re.findall(r"`((?:eval|policies|task_configs|tests|tools|docs)/[\w./-]+\.(?:py|yaml|json|sh|md))`", DOC))
    assert len(ours) >= 30
    assert sorted(path for path in ours if not (REPO / path).exists()) == []


def test_every_short_name_of_a_source_is_explained():
    explained = set(re.findall(r"\| (\w+) \| [\w/.\\]+\.py(?= \|)", DOC))
    used = {name for listed in re.findall(r"\[([^\]]+)\](?!\()", DOC) for name in re.findall(r"(?:^|, |; )(\w+):\d", listed)}
    assert used - explained == set()


@pytest.mark.parametrize(
    ("listed", "places"),
    [
        ("tasks 0.2, 1, 6", ["tasks 0.2", "tasks 1", "tasks 6"]),
        ("3.5, 4, Q10, Q11", ["3.5", "4", "Q10", "Q11"]),
        ("tasks 3 to 5", ["tasks 3", "tasks 5"]),
        ("protocol trap 4", ["protocol trap 4"]),
        ("protocol 2", ["protocol 2"]),
    ],
)
def test_a_citation_may_list_places(listed, places):
    assert CITATION.fullmatch(f"docs/simpler.md, {listed}")
    assert list(references(listed)) == places
