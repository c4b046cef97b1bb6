"""Letters on images: each in a font that has it, and no box where nobody has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from eval.records import fonts
from eval.records.lettering import fitted, text_width, wrapped, write

CONFIG = (
    '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig><dir>{}</dir><cachedir>{}</cachedir></fontconfig>'
)


def forget() -> None:
    for cached in (fonts._dejavu, fonts._shown, fonts._face_of, fonts._asked_for, fonts._has, fonts.font):
        cached.cache_clear()
    fonts._found.clear()
    fonts._lacking.clear()


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A system without fonts, and without matplotlib; returns the folder in which it looks for some."""
    folder = tmp_path / "fonts"
    folder.mkdir()
    (tmp_path / "fonts.conf").write_text(CONFIG.format(folder, tmp_path / "cache"))
    monkeypatch.setenv("FONTCONFIG_FILE", str(tmp_path / "fonts.conf"))
    monkeypatch.setattr(fonts, "find_spec", lambda name: None)
    forget()
    yield folder
    forget()


def image_of(text: str) -> np.ndarray:
    image = Image.new("L", (200, 40))
    write(ImageDraw.Draw(image), 0, 0, text, 20, 255)
    return np.asarray(image)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pick coke can", "pick coke can"),
        ("拿起 can", "?? can"),
        ("nai\u0308ve Łódź Ａ", "naive ?odz A"),
        ("कि x", "? x"),
        ("a\x00b \x1b[31m \udcff", "a?b ?[31m ?"),
        ("one\ntwo\tthree", "one two three"),
        ("a\u200db\u202ec\ufe0f", "abc"),
        ("", ""),
    ],
)
def test_what_no_font_has_is_never_a_box(system: Path, text: str, shown: str) -> None:
    assert fitted(text, 20, 1000) == shown
    assert np.array_equal(image_of(text), image_of(shown))
    assert text_width(text, 20) == text_width(shown, 20)


def test_a_font_of_the_system_draws_what_it_has(system: Path) -> None:
    builder = pytest.importorskip("fontTools.fontBuilder", reason="fontTools makes the font of this test")
    pen = pytest.importorskip("fontTools.pens.ttGlyphPen").TTGlyphPen

    def square(side: int):
        drawn = pen(None)
        for place, move in enumerate(((0, 0), (0, side), (side, side), (side, 0))):
            (drawn.lineTo if place else drawn.moveTo)(move)
        drawn.closePath()
        return drawn.glyph()

    made = builder.FontBuilder(1000, isTTF=True)
    made.setupGlyphOrder([".notdef", "take"])
    made.setupCharacterMap({ord("拿"): "take"})
    made.setupGlyf({".notdef": square(100), "take": square(800)})
    made.setupHorizontalMetrics({".notdef": (1000, 0), "take": (1000, 0)})
    made.setupHorizontalHeader(ascent=800, descent=-200)
    made.setupNameTable({"familyName": "Only One", "styleName": "Regular"})
    made.setupOS2()
    made.setupPost()
    made.save(system / "one.ttf")
    forget()
    assert fitted("拿起 can", 20, 1000) == "拿? can"
    assert wrapped("拿 can", 20, 45, 2) == ["拿", "can"]
    drawn = image_of("拿 can")
    assert drawn[:, :20].astype(bool).sum() > 200, "the square"
    assert drawn[:, text_width("拿", 20) :].any(), "the rest, in Pillow's own"


def test_letters_of_europe_and_the_east_need_no_system(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="its DejaVu has them")
    monkeypatch.setenv("PATH", "")
    forget()
    try:
        for text in ("Łódź naïve – ß", "Возьми банку", "πάρε το κουτί", "خذ العلبة"):
            assert fitted(text, 20, 1000) == text
    finally:
        forget()
