"""YAML of the user's: read as it is written, or one line with the place, at once."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from eval.errors import UserError
from task_configs.schema.yaml_files import read_mapping, read_yaml, to_yaml

TENFOLD = [(i, ", ".join([f"*a{i - 1}"] * 10)) for i in range(1, 12)]
BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(f"a{i}: &a{i} [{ten}]\n" for i, ten in TENFOLD)
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{ten}]}}\n" for i, ten in TENFOLD)
TEXTS = ["1e-3", "yes", "010", "2026-01-31", "true", "", "~", "a: b", " x", "é", "1_0", "<<", "=", "\n"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: 1\nb: 2\na: 3\n", 'line 3, column 1: the key "a" is given twice, first in line 1'),
        ("a: {b: 1, b: 1}\n", 'line 1, column 11: the key "b" is given twice'),
        ("1: a\n'1': b\n", 'line 2, column 1: the key "1" is given twice'),
        ("[a, b]: 1\n", "line 1, column 1: a key must be a text"),
        ("a: &x [*x]\n", "line 1, column 4: leads to itself"),
        (BOMB, "line 6, column 5: its aliases written out are more than"),
        (MERGES, "its aliases written out are more than"),
        ("[" * 100_000, "line 1, column 41: more than 40 lists and mappings in each other"),
        ("- " * 100_000, "more than 40 lists and mappings in each other"),
        ("a: " + "{b: " * 100_000, "more than 40 lists and mappings in each other"),
        ("a: .nan\n", "line 1, column 4: holds a number that is not finite (.nan)"),
        ("a: [1e999]\n", "line 1, column 5: holds a number that is not finite (1e999)"),
        ("a: " + "9" * 5000, "line 1, column 4: is a number of 5000 digits"),
        ("a: 1\n---\nb: 2\n", "line 2, column 1: a second document begins"),
        ("a: !!python/object/apply:os.getcwd []\n", "line 1, column 4: broken YAML: could not determine a constructor"),
        ("a:\n\tb: 1\n", "line 2, column 1: broken YAML: found character"),
        ("a: *b\n", "line 1, column 4: broken YAML: found undefined alias"),
        ("a: b\x01\n", "broken YAML: control characters are not allowed (character 5)"),
        ("a: '" + "x" * 2_000_000 + "'", "bytes; more than 1048576 are not read"),
        ("", "but the file is empty"),
        ("- a\n", "but the file holds a list"),
    ],
)
def test_what_is_not_read_is_one_line_with_its_place(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    began = time.monotonic()
    with pytest.raises(UserError) as caught:
        read_mapping(file)
    assert time.monotonic() - began < 2
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(
        "﻿a: yes\nb: [010, 1e-3, .5, -7, true, null, ~]\nc: 2026-01-31\nd: 1:30\nno: &x {on: 1}\n2: {<<: *x, off: 2}\ne: *x\n",
        encoding="utf-8",
    )
    content = read_yaml(file)
    assert content == {
        "a": "yes", "b": [10, 0.001, 0.5, -7, True, None, None], "c": "2026-01-31", "d": "1:30",
        "no": {"on": 1}, "2": {"on": 1, "off": 2}, "e": {"on": 1},
    }  # fmt: skip


@pytest.mark.parametrize("value", TEXTS)
def test_a_text_stays_a_text(tmp_path: Path, value: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(to_yaml({"a": value, value: [value]}), encoding="utf-8")
    assert read_yaml(file) == {"a": value, value: [value]}


def test_what_is_no_file_is_one_line_and_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "link.yaml").symlink_to("nowhere")
    (tmp_path / "zero.yaml").symlink_to("/dev/zero")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    said = {
        "pipe": "it is a pipe or a device", "zero": "it is a pipe or a device", "folder": "it is a folder",
        "link": "it is a link to nowhere, which is not there", "absent": "there is no such file", "latin": "is no UTF-8 text",
        "x" * 300: "File name too long",
    }  # fmt: skip
    for name, words in said.items():
        with pytest.raises(UserError, match=words):
            read_yaml(tmp_path / f"{name}.yaml")
