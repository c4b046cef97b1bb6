"""A browser that opens pages as their readers do, and notes what they must not do."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MISSING = "no Chromium or Chrome on this machine: apt-get install chromium"


def found() -> str | None:
    """Path of the browser."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


@dataclass
class Opened:
    """A page that is open."""

    page: Any
    problems: list[str] = field(default_factory=list)
    """Errors on the console and in scripts."""
    requests: list[str] = field(default_factory=list)
    """For anything that is no file."""


class Browser:
    """Use as a context manager."""

    def __enter__(self) -> Browser:
        from playwright.sync_api import sync_playwright

        self._playwright = sync_playwright().start()
        self._browser = self._playwright.chromium.launch(executable_path=found(), args=["--no-sandbox"])
        return self

    def __exit__(self, *exc: object) -> None:
        self._browser.close()
        self._playwright.stop()

    @contextmanager
    def open(
        self, file: Path, width: int = 1280, scheme: str = "light", fragment: str = "", **options: object
    ) -> Iterator[Opened]:
        """A page from disk; whatever it asks of a network is refused and noted."""
        context = self._browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme, **options)
        opened = Opened(context.new_page())

        def refuse(route: Any) -> None:
            if route.request.url.split(":")[0] in ("file", "data", "blob"):
                route.continue_()
            else:
                opened.requests.append(route.request.url)
                route.abort()

        opened.page.route("**/*", refuse)
        opened.page.on("pageerror", lambda error: opened.problems.append(str(error)))
        opened.page.on("console", lambda message: message.type == "error" and opened.problems.append(message.text))
        opened.page.goto(file.as_uri() + fragment)
        try:
            yield opened
        finally:
            context.close()
