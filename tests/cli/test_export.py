"""The verb ``export``: files for other programs, whatever texts came from outside."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from fake_policies import Still
from scripted_runs import scripted_run

from eval.plan.suites import make_plan
from eval.records.escaping import plain_markdown, spreadsheet_text, visible
from eval.records.latex import escaped

REPO = Path(__file__).parents[2]
CARROT = "widowx_carrot_on_plate"
HOSTILE = (
    "<script>alert(1)</script>", "a | b\n| c", "[x](http://evil)", "![x](http://evil)", "*bold* _it_ `code` ~~no~~",
    "&lt;b&gt;", "# heading", "- item", "1. item", r"\input{/etc/passwd} \\ $x$ %", "\x1b[31mred\x07\u202eturned\u2028line",
    "=cmd|'/C calc'!A0",
    "+1", "@SUM(A1)", "\t=1+1", "\r\n=1",
)  # fmt: skip
"""What a checkpoint, a file, an instruction or an error could be called."""


@pytest.fixture
def carrot():
    return make_plan(tasks=[CARROT], limit=4)


def rendered(markdown: str) -> str:
    """The HTML that Markdown becomes, with tables."""
    from markdown_it import MarkdownIt

    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_shows_a_text_as_it_is(text):
    import html
    import re

    page = rendered(f"| head |\n| --- |\n| {plain_markdown(text)} |\n\n- {plain_markdown(text)}\n\n# {plain_markdown(text)}\n")
    (cell,) = re.findall(r"<td>(.*?)</td>", page)
    (item,) = re.findall(r"<li>(.*?)</li>", page)
    (heading,) = re.findall(r"<h1>(.*?)</h1>", page)
    shown = " ".join("".join(one if one.isprintable() else " " for one in text).split())
    assert [html.unescape(part) for part in (cell, item, heading)] == [shown] * 3


@pytest.mark.parametrize("text", HOSTILE)
def test_a_terminal_obeys_nothing(text):
    assert all(one.isprintable() or one in "\n\t" for one in visible(text))
    assert visible("a\nb\tc é 字") == "a\nb\tc é 字"


@pytest.mark.parametrize("text", HOSTILE)
def test_a_spreadsheet_sees_no_formula(text):
    assert not spreadsheet_text(text).startswith(("=", "+", "-", "@", "\t", "\r"))


def test_latex_prints_commands_as_text():
    assert escaped(r"\input{x} $y$ %z") == r"\textbackslash{}input\{x\} \$y\$ \%z"
    assert escaped("a\x00b\u2028c\nd") == "a b c d"


def test_hostile_names_and_errors_stay_text_in_every_file(cli, carrot, tmp_path, capsys):
    name = "=evil<script>\x1b[31m|`\\input{x}"
    run = scripted_run(tmp_path / "run", carrot, "sfee", policy=Still(), called=name)
    file = run.path / "episodes.jsonl"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    for line in lines:
        line["instruction"] = "\x1b]0;title\x07 =1+1\n<img src=x>"
        if line["status"] == "errored":
            line["error"] = "</td><script>\n| \x1b[2J \\end{document}"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    capsys.readouterr()
    code, out, err = cli("export", run.path, "--to", "csv,md,latex", "--partial", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    texts = {path.name: path.read_text() for path in (tmp_path / "out").iterdir()}
    assert set(texts) == {"summary.csv", "summary.md", "summary.tex", "cells.csv", "cells.md", "cells.tex", "episodes.csv"}
    assert not [name for name, text in texts.items() if "\x1b" in text or "\x07" in text]
    assert "<script>" not in rendered(texts["summary.md"]) + rendered(texts["cells.md"])
    for name in ("summary.tex", "cells.tex"):
        body = "\n".join(line for line in texts[name].splitlines() if not line.startswith("%"))
        assert r"\input" not in body
    for name in ("summary.csv", "cells.csv", "episodes.csv"):
        rows = list(csv.reader((tmp_path / "out" / name).open()))
        assert {len(row) for row in rows} == {len(rows[0])}
        assert not [cell for row in rows for cell in row if cell.startswith(("=", "@", "+"))]
    _, out, err = cli("report", run.path, "--partial")
    assert "\x1b" not in out + err


def test_one_row_an_episode_with_fixed_types(cli, carrot, tmp_path, capsys):
    pytest.importorskip("pyarrow", reason="the extra datasets is not installed")
    import pyarrow.parquet as pq

    runs = [
        scripted_run(tmp_path / "a", carrot, "sf-e", policy_args={"seed": "1"}, repeat=2).path,
        scripted_run(tmp_path / "b", make_plan(tasks=["google_robot_open_drawer"], limit=1), "s", policy="oracle").path,
    ]
    capsys.readouterr()
    code, out, err = cli("export", *runs, "--to", "parquet", "--out", tmp_path / "out")
    assert (code, err) == (0, "")
    assert out.splitlines() == [f"{tmp_path}/out/episodes.parquet", f"{tmp_path}/out/episodes.schema.json"]
    table = pq.read_table(tmp_path / "out/episodes.parquet")
    said = json.loads((tmp_path / "out/episodes.schema.json").read_text())["columns"]
    assert [(field.name, str(field.type)) for field in table.schema] == [(one["name"], one["type"]) for one in said]
    assert all(field.metadata[b"description"] for field in table.schema)
    frame = pd.DataFrame(table.to_pylist())
    assert len(frame) == 4 * 2 + 1
    assert list(frame["status"])[:4] == ["success", "failure", "missing", "errored"]
    assert list(frame["id"][:4]) == [spec.id for spec in carrot]
    assert list(frame["source_x"][:4]) == [next(o.xy[0] for o in spec.objects if o.role == "source") for spec in carrot]
    assert frame["drawer"].iloc[-1] == "top"
    assert frame["success_last"].iloc[2] is None
    assert frame["run"].nunique() == 2


def test_statistics_have_one_type_whatever_was_recorded():
    from eval.records.episodes_table import _typed

    assert [_typed(value, "number") for value in (0.0, "0.123", "far", None)] == [0.0, 0.123, None, None]
    assert [_typed(value, "flag") for value in (True, 1, "yes")] == [True, None, None]
    assert [_typed(value, "whole") for value in (3, "4", 2.0)] == [3, 4, 2]


@pytest.mark.parametrize(("arguments", "said"), [
    (["--to", "xls"], '--to "xls" is not known; use csv, md, latex, parquet, lerobot.'),
    (["--to", "csv", "--successes"], "--successes has no effect without --to lerobot"),
    (["--to", "parquet,lerobot", "--partial"], "--partial has no effect without --to csv, md or latex"),
    (["--to", "lerobot", "--success", "any"], "--success has no effect with --to lerobot alone"),
    (["--to", "lerobot"], "holds no recorded episode; a dataset is made of a run that was played with --record lerobot."),
])  # fmt: skip
def test_what_cannot_be_exported_is_one_line(cli, carrot, tmp_path, arguments, said):
    run = scripted_run(tmp_path / "run", carrot).path
    code, out, err = cli("export", run, *arguments, "--out", tmp_path / "out")
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_an_export_never_lies_among_the_files_of_a_run(cli, carrot, tmp_path):
    run = scripted_run(tmp_path / "run", carrot).path
    for folder in (run, run / "dataset", run / "tables"):
        code, _, err = cli("export", run, "--to", "csv", "--out", folder)
        assert (code, len(err.splitlines())) == (2, 1)


def test_without_the_package_a_line_says_which(cli, carrot, tmp_path, monkeypatch):
    run = scripted_run(tmp_path / "run", carrot).path
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    code, _, err = cli("export", run, "--to", "csv,parquet", "--out", tmp_path / "out")
    assert (code, err) == (
        2,
        "simpler-eval: episodes.parquet needs the package pyarrow: pip install 'simpler-eval[datasets]'.\n",
    )
    assert not (tmp_path / "out").exists()


def test_the_data_dictionary_is_up_to_date():
    from eval.records.episodes_table import dictionary_page

    fix = "run tools/episodes_page.py"
    assert (REPO / "docs/episodes_table.md").read_text() == dictionary_page(), fix


@pytest.mark.slow
def test_latex_tables_compile(cli, carrot, tmp_path):
    import shutil

    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("there is no pdflatex")
    run = scripted_run(tmp_path / "run", carrot, policy=Still(), called=r"a_b%c\input{x}#^~")
    cli("export", run.path, "--to", "latex", "--out", tmp_path / "out")
    page = r"\documentclass{article}\usepackage{booktabs}\begin{document}\input{summary}\par\input{cells}\end{document}"
    (tmp_path / "out/page.tex").write_text(page)
    done = subprocess.run(
        [latex, "-halt-on-error", "page.tex"], cwd=tmp_path / "out", capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]
