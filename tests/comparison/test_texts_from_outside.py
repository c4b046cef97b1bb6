"""Instructions and names of policies are shown as they are, whatever they hold, in each of the outputs."""

from __future__ import annotations

import contextlib
import io
import json
import re

import pytest
from fake_policies import Still
from scripted_runs import scripted_run

from eval.plan.suites import make_plan

EVIL = "x</script><script>alert(1)</script><img src=x onerror=alert(1)>|`*_[a](http://b)\\input{/etc/passwd}%$&#~^\"'\x1b[31m\u202e"
NAME = r"p|<b>\textbf{x}%&_$.py:A*"


@pytest.fixture(scope="module")
def outputs(tmp_path_factory):
    """What ``compare --out`` writes and prints, by ending; the command is called once."""
    from eval.cli import main

    folder = tmp_path_factory.mktemp("texts")
    plan = [spec.model_copy(update={"instruction": EVIL}) for spec in make_plan(tasks=["widowx_carrot_on_plate"], limit=8)]
    a = scripted_run(folder / "a", plan, "s" * 8)
    b = scripted_run(folder / "b", plan, "f" * 8, Still(), called=NAME)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as end:
        main(["compare", str(a.path), str(b.path), "--out", str(folder / "out")])
    assert not end.value.code
    files = {file.suffix: file.read_text(encoding="utf-8") for file in (folder / "out").iterdir() if file.is_file()}
    return {**files, "terminal": printed.getvalue()}


def test_no_output_holds_control_characters(outputs):
    for text in outputs.values():
        assert not [c for c in text if not (c.isprintable() or c == "\n")]


def test_html(outputs):
    page = outputs[".html"]
    assert page.count("<script>") == page.count("</script>") == 1
    assert "<img" not in page
    assert "<b>\\" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search(r'="[^"]*alert\(1\)[^"]*<', page)


def test_markdown(outputs):
    text = outputs[".md"]
    assert "<script>" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    tables = {re.sub(r"\\\|", "", line).count("|") for line in rows}
    assert tables == {12, 7}  # the cells; the meanings and the changes: no row has more columns than its head
    assert r"[a\](http" in text


def test_latex(outputs):
    body = [line for line in outputs[".tex"].splitlines() if not line.startswith("%")]
    assert r"p\textbar{}\textless{}b\textgreater{}\textbackslash{}textbf\{x\}\%\&\_\$.py:A*" in "\n".join(body)
    assert {line.replace(r"\&", "").count("&") for line in body if line.endswith(r"\\")} == {6, 7}
    assert not [line for line in outputs[".tex"].splitlines() if "input{/etc" in line and not line.startswith("%")]


def test_json(outputs):
    content = json.loads(outputs[".json"])
    assert content["comparisons"][0]["changed"][0]["instruction"] == EVIL.replace("\x1b", r"\x1b").replace("\u202e", r"\u202e")
