"""``make screenshots``: the pictures of the documentation, taken from the demo in Chromium.

The demo's data is loaded first if it is not there yet (``make demo`` keeps it under var/demo).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

from demo import HOST, MANAGE, ROOT, environment, free_port, stop, wait_for
from PIL import Image
from playwright.sync_api import Page, sync_playwright

PICTURES = ROOT / "docs" / "pictures"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
WIDTH, HEIGHT = 1280, 860
MOST_BYTES = 150_000
LOCALES = {"en": "en-GB", "ja": "ja-JP"}
# What the pictures show, by the language of the page or mail.
HOMES = {"en": "Home", "ja": "ホーム"}
MAILS = {"en": "Thanks for the whitepaper, and case studies", "ja": "資料請求のお礼と導入事例"}
SEGMENT = "料金ページの読者"

Shot = Callable[[Page, str, str], None]


def visitors(page: Page, admin: str, language: str) -> None:
    """The ranked list."""
    page.goto(f"{admin}marketing/visitors/")


def visitor(page: Page, admin: str, language: str) -> None:
    """The page of the lead at the top of the list."""
    page.goto(f"{admin}marketing/visitors/?who=lead")
    page.locator("table.listing tbody td.title a").first.click()
    page.locator("#score-section").wait_for()


def segment(page: Page, admin: str, language: str) -> None:
    """The editor of a segment, with the number of people found."""
    page.goto(f"{admin}marketing/segments/?q={SEGMENT}")
    page.locator("table.listing tbody td.title a").first.click()
    count = page.locator(".ma-matches__count")
    count.wait_for()
    page.locator("input[name=rule-count]").evaluate("field => field.parentElement.scrollIntoView()")


def scenario(page: Page, admin: str, language: str) -> None:
    """The flow of a scenario with the people in it."""
    page.goto(f"{admin}marketing/scenarios/")
    page.locator("table.listing tbody td.title a").first.click()
    page.locator("svg.ma-flow").wait_for()


def mail(page: Page, admin: str, language: str) -> None:
    """The editor of a mail beside its preview."""
    page.goto(f"{admin}marketing/mails/?q={MAILS[language]}")
    page.locator("table.listing tbody td.title a").first.click()
    open_preview(page)
    page.locator("input[name=body-count]").evaluate("field => field.parentElement.scrollIntoView()")


def personalised(page: Page, admin: str, language: str) -> None:
    """A personalised block in the editor of a page, previewed as a member of the segment."""
    page.goto(f"{admin}pages/search/?q={HOMES[language]}")
    page.locator("table.listing a[href$='/edit/']").first.click()
    open_preview(page)
    mode = page.locator("#id_preview_mode")
    mode.select_option(value=mode.locator("option", has_text=SEGMENT).get_attribute("value"))
    page.wait_for_timeout(2_000)
    frame = page.frame_locator("#w-preview-iframe")
    frame.locator("aside.call").last.scroll_into_view_if_needed()
    block = page.locator("input[name$='-variants-count']").last
    block.evaluate("field => field.parentElement.scrollIntoView({block: 'start'})")


def open_preview(page: Page) -> None:
    """Open the panel with the preview unless Wagtail remembers it open, and wait for it."""
    page.wait_for_load_state("networkidle")
    toggle = page.locator("[data-side-panel-toggle=preview]")
    if toggle.get_attribute("aria-expanded") != "true":
        toggle.click()
    page.locator("#w-preview-iframe").wait_for()
    page.wait_for_timeout(2_000)


SHOTS: dict[str, Shot] = {
    "visitors": visitors,
    "visitor": visitor,
    "segment": segment,
    "scenario": scenario,
    "mail": mail,
    "personalised": personalised,
}


def keep(picture: bytes, path: Path) -> None:
    """Save a picture with as many colours as its size allows."""
    image = Image.open(BytesIO(picture)).convert("RGB")
    for colours in (256, 128, 64, 32):
        image.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        if path.stat().st_size <= MOST_BYTES:
            return
    raise SystemExit(f"{path.name} stays above {MOST_BYTES:,} bytes.")


@contextmanager
def running_demo() -> Iterator[str]:
    """The demo's web server, without its worker: nothing moves while pictures are taken."""
    port = free_port(int(os.environ.get("PORT", "8000")))
    env = environment(port)
    for command in (["migrate", "--verbosity", "0"], ["ma_demo"]):
        subprocess.run([*MANAGE, *command], env=env, check=True)
    server = subprocess.Popen(
        [*MANAGE, "runserver", f"{HOST}:{port}", "--noreload", "--insecure"],
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(port, server)
        yield f"http://localhost:{port}/admin/"
    finally:
        stop([server])


def log_in(page: Page, admin: str) -> None:
    """Enter as the demo's administrator."""
    page.goto(f"{admin}login/")
    page.fill("input[name=username]", "admin")
    page.fill("input[name=password]", "admin")
    page.click("button[type=submit]")
    page.wait_for_url(admin)


def take(browser: Any, admin: str, language: str, wanted: list[str]) -> None:
    """All pictures in one language."""
    context = browser.new_context(locale=LOCALES[language], viewport={"width": WIDTH, "height": HEIGHT})
    page = context.new_page()
    log_in(page, admin)
    for name in wanted:
        SHOTS[name](page, admin, language)
        page.wait_for_load_state("networkidle")
        page.mouse.move(WIDTH - 5, HEIGHT - 5)
        path = PICTURES / f"{name}-{language}.png"
        keep(page.screenshot(), path)
        print(f"{path.relative_to(ROOT)}  {path.stat().st_size:,} bytes")
    context.close()


def main() -> None:
    """``screenshots.py [name …]``: all pictures, or these."""
    wanted = sys.argv[1:] or list(SHOTS)
    if not shutil.which(CHROMIUM):
        raise SystemExit(f"There is no Chromium at {CHROMIUM}; set CHROMIUM.")
    PICTURES.mkdir(parents=True, exist_ok=True)
    with running_demo() as admin, sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for language in LOCALES:
            take(browser, admin, language, wanted)
        browser.close()


if __name__ == "__main__":
    main()
