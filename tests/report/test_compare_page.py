"""The page of a comparison in a browser: the sentence, the episodes that changed, and two videos that play in step."""

from __future__ import annotations

import shutil

import pytest
from browser import MISSING, Browser, found
from made_up_runs import made_up_run

from eval.comparison.comparison import compare_runs
from eval.comparison.wording import verdict
from eval.plan.suites import make_plan
from eval.report.compare_page import write_comparison

pytest.importorskip("playwright", reason="Playwright is not installed: pip install -e '.[test]'")
pytestmark = pytest.mark.skipif(found() is None, reason=MISSING)

TIMES = "() => [...document.querySelectorAll('video')].map(v => ({now: v.currentTime, of: v.duration, paused: v.paused}))"

SEEK = "time => { const bar = document.querySelector('.seek'); bar.value = time; bar.dispatchEvent(new Event('input')); }"


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    plan = make_plan(tasks=["widowx_carrot_on_plate", "widowx_stack_cube"], limit=4)
    runs = [made_up_run(folder / name, plan, seed=seed, policy=name) for seed, name in enumerate(("first", "second"))]
    return compare_runs(runs)


@pytest.fixture(scope="module")
def page(comparison, tmp_path_factory):
    """Its folder is moved away from the runs: it needs nothing outside."""
    folder = tmp_path_factory.mktemp("written") / "out"
    write_comparison(folder, comparison)
    moved = shutil.move(folder, folder.with_name("moved"))
    return moved / "index.html"


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


def test_it_says_what_the_command_says_and_lists_every_change(browser, page, comparison):
    (against,) = comparison.others
    won = sum(change.other.success for change in against.changes)
    assert 0 < won < len(against.changes)
    with browser.open(page) as opened:
        shown = opened.page
        said = shown.locator(".verdict").inner_text()
        assert said.replace("\u00a0", " ").replace("−", "-") == verdict(comparison, against)
        assert "-" not in said, "minus signs"
        rows = shown.locator(".changes tbody tr:visible")
        assert rows.count() == len(against.changes)
        shown.select_option(".way", "won")
        assert rows.count() == won
        assert set(rows.locator("td").nth(3).all_inner_texts()) != set()
        shown.select_option(".way", "lost")
        assert rows.count() == len(against.changes) - won
        for link in shown.locator(".changes a").all():
            assert (page.parent / link.get_attribute("href")).is_file()
        assert (opened.problems, opened.requests) == ([], [])


def test_two_videos_are_driven_by_one_control(browser, page):
    with browser.open(page) as opened:
        shown = opened.page
        shown.wait_for_function("() => [...document.querySelectorAll('video')].every(v => v.duration > 0)")
        shown.select_option(".speed", "0.5")
        shown.click(".play")
        shown.wait_for_function("() => Math.max(...[...document.querySelectorAll('video')].map(v => v.currentTime)) > 0.4")
        for _ in range(4):
            shown.wait_for_timeout(200)
            left, right = shown.evaluate(TIMES)
            assert abs(left["now"] - right["now"]) < 0.2 or min(left["of"], right["of"]) < max(left["now"], right["now"])
        if shown.inner_text(".play") == "Pause":  # else they have come to their end by themselves
            shown.click(".play")
        assert all(video["paused"] for video in shown.evaluate(TIMES))
        half = max(video["of"] for video in shown.evaluate(TIMES)) / 2
        shown.evaluate(SEEK, half)
        shown.wait_for_timeout(300)
        assert all(video["now"] == pytest.approx(min(half, video["of"]), abs=0.02) for video in shown.evaluate(TIMES))
        before = max(video["now"] for video in shown.evaluate(TIMES))
        shown.click(".on")
        shown.wait_for_timeout(300)
        assert max(video["now"] for video in shown.evaluate(TIMES)) == pytest.approx(
            before + 0.2, abs=0.02
        )  # 5 images a second
        assert opened.problems == []


def test_another_episode_is_watched(browser, page):
    with browser.open(page) as opened:
        shown = opened.page
        row = shown.locator(".changes tbody tr").nth(1)
        row.locator(".watch").click()
        sources = shown.evaluate("() => [...document.querySelectorAll('video')].map(v => v.getAttribute('src'))")
        assert sources == [row.get_attribute("data-left"), row.get_attribute("data-right")]
        assert "shown" in row.get_attribute("class")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone(browser, page, scheme):
    with browser.open(page, width=390, scheme=scheme) as opened:
        assert opened.page.evaluate("document.documentElement.scrollWidth") == 390
