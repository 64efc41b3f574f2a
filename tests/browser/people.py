"""Browser windows of visitors and of editors, on an installed Chromium driven by Playwright.

Unlike the tests of the tracker (``chromium.py``) nothing here depends on real focus: Playwright lets
every page believe that it is in front, which is how these people look at it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from tests.browser.chromium import EXECUTABLE

ARTEFACTS = Path(__file__).resolve().parents[2] / "artefacts"
# Headless Chromium says so in its name, and the bot filter rightly believes it.
USER_AGENT = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
)
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-blink-features=AutomationControlled"]
WINDOW = {"width": 1280, "height": 900}
TIMEOUT_MS = 20_000
# Cut off, and a problem: no page of ours may ask another host for anything.
ELSEWHERE = re.compile(r"^https?://(?!localhost|127\.0\.0\.1)")


@dataclass
class Watched:
    """A page and everything that went wrong in it."""

    page: Page
    problems: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("console", self._on_console)
        self.page.on("pageerror", lambda error: self.problems.append(f"thrown: {error}"))
        self.page.on("requestfailed", self._on_failure)

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _on_failure(self, request: Request) -> None:
        # A navigation gives up what the page before was still loading: that is no fault.
        if request.failure != "net::ERR_ABORTED":
            self.problems.append(f"failed: {request.url} {request.failure}")

    def faults(self) -> list[str]:
        """What went wrong, but for a hit that was told to come again: SQLite has one writer."""
        return [each for each in self.problems if not ("503" in each and "/ma/e/" in each)]

    def shot(self, name: str, *, full: bool = True, kind: str = "png") -> None:
        """Keep a picture of the page among the artefacts of the tests (``"jpeg"`` takes half the time)."""
        self.page.screenshot(path=ARTEFACTS / f"{name}.{kind}", full_page=full)


@contextmanager
def playing() -> Iterator[Browser]:
    """A headless Chromium until the block ends."""
    expect.set_options(timeout=TIMEOUT_MS)
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=EXECUTABLE, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()


def window(browser: Browser, language: str = "ja", **options: Any) -> BrowserContext:
    """A fresh profile: no cookie, nothing remembered. Addresses outside this machine are cut off."""
    settings = {
        "locale": {"ja": "ja-JP", "en": "en-GB"}[language],
        "user_agent": USER_AGENT,
        "viewport": WINDOW,
        "timezone_id": "Asia/Tokyo",
        **options,
    }
    context = browser.new_context(**settings)
    context.route(ELSEWHERE, lambda route: route.abort())
    return context


def visitor(browser: Browser, language: str = "ja", **options: Any) -> Watched:
    """Somebody who has never been here."""
    return Watched(window(browser, language, **options).new_page())


def log_in(page: Page, admin: str) -> None:
    """Enter the admin as the demo's administrator."""
    page.goto(f"{admin}login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "admin")
    page.click("button[type=submit]")
    page.wait_for_url(admin)


def editor(browser: Browser, admin: str, language: str = "en", **options: Any) -> Watched:
    """A colleague who has logged in to the admin."""
    watched = Watched(window(browser, language, **options).new_page())
    log_in(watched.page, admin)
    return watched
