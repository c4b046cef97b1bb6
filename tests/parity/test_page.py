"""The page of a parity report: complete, needing no other file; a place that cannot be written is reported beforehand."""

from __future__ import annotations

import base64
import html
import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from eval.cli import main
from eval.errors import UserError
from eval.parity.page import prepare_page, write_page
from eval.parity.recordings.comparison_images import AMPLIFIED, image_pair
from eval.parity.report import Check, ParityReport

CHECKS = (
    Check("coke_a", "policy picture", 0.004, 0.1, "of 255", 2),
    Check("coke_b", "policy picture", 0.25, 0.1, "of 255", 2),
)


def text_of(page: str) -> list[str]:
    """What a reader sees, piece by piece."""
    body = page.split("</head>")[1]
    return [html.unescape(piece).strip() for piece in re.sub(r"<[^>]*>", "\n", body).splitlines() if piece.strip()]


def test_checks_notes_and_verdict_are_on_the_page(tmp_path):
    write_page(ParityReport(CHECKS, ("2 keys <left> out",)), tmp_path / "page.html", "Parity of worlds")
    page = (tmp_path / "page.html").read_text()
    seen = text_of(page)
    assert seen[0] == "Parity of worlds"
    assert "1 of 2 checks missed their limit:" in seen
    assert "2 keys <left> out" in seen
    rows = seen[seen.index("n") + 1 :]
    assert rows[:7] == ["coke_a", "policy picture", "passed", "0.004", "0.1", "of 255", "2"]
    assert rows[7:10] == ["coke_b", "policy picture", "MISSED"]
    anchors = re.findall(r'href="#([^"]+)"', page)
    assert anchors == ["check-1"]
    assert page.count('id="check-1"') == 1
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", page), "it needs another file"
    write_page(ParityReport(CHECKS[:1]), tmp_path / "page.html", "Parity")
    assert "1 of 1 checks passed." in text_of((tmp_path / "page.html").read_text())


def test_images_stand_side_by_side_with_their_amplified_difference(tmp_path):
    ours = np.full((512, 640, 3), 100, dtype=np.uint8)
    original = ours.copy()
    original[:256] = 110
    pair = image_pair("vm_coke", "f0", ours, original)
    assert pair.apart == pytest.approx(5.0)
    write_page(ParityReport(CHECKS, images=(pair, image_pair("vm_coke", "f1", ours, ours))), tmp_path / "p.html", "P")
    page = (tmp_path / "p.html").read_text()
    embedded = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    shown = [Image.open(io.BytesIO(base64.b64decode(data))) for data in embedded]
    assert [image.size for image in shown] == [(320, 256)] * 6
    shades = [[int(np.asarray(image)[y, 160, 0]) for y in (60, 200)] for image in shown[:3]]
    assert np.abs(np.array(shades) - [[100, 100], [110, 100], [10 * AMPLIFIED, 0]]).max() <= 2
    seen = text_of(page)
    assert "difference, mean 5.000 of 255" in seen
    assert seen.count("vm_coke") == 1, "a heading for both frames"
    assert {"f0, ours", "f1, ours", "original"} <= set(seen)


def test_images_are_no_part_of_the_json():
    pair = image_pair("k", "f0", *np.zeros((2, 8, 8, 3), dtype=np.uint8))
    assert set(ParityReport(CHECKS, images=(pair,)).to_json()) == {"passed", "checks", "notes"}


def test_a_place_that_cannot_be_written_is_reported_before_the_comparison(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"Cannot write the page .*; choose another --html\."):
        prepare_page(tmp_path / "file" / "page.html")
    with pytest.raises(UserError, match="Cannot write the page"):
        prepare_page(tmp_path)
    prepare_page(tmp_path / "new" / "page.html")
    assert not (tmp_path / "new" / "page.html").exists(), "no empty page is left"


def test_the_verb_writes_page_and_json(tmp_path, capsys):
    facts = {"env_id": "TurnFaucet-v0", "kwargs": {}, "resets": [{"seed": 0, "options": {}}], "sequences": []}
    (tmp_path / "faucet.json").write_text(json.dumps(facts))
    np.savez(tmp_path / "faucet.npz", nothing=np.zeros(1))
    with pytest.raises(SystemExit) as end:
        main(["parity", "world", str(tmp_path), "--html", str(tmp_path / "page.html"), "--json"])
    said = capsys.readouterr().out
    assert end.value.code == 1
    assert not json.loads(said)["passed"]
    seen = text_of((tmp_path / "page.html").read_text())
    assert seen[0] == "Parity with the original: world"
    assert "1 of 1 checks missed their limit:" in seen
