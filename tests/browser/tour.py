"""A tour of all screens of the Marketing menu: light and dark, wide and narrow. Pictures of all of them are
kept among the artefacts, to be looked at."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urldefrag, urlsplit

from playwright.sync_api import Page

from tests.browser.people import Watched
from tests.browser.running_site import RunningSite

WIDE, NARROW = 1280, 375
# Wagtail's own views of revisions, history and usage look the same for every model.
NOT_OURS = re.compile(
    r"/(history|usage|unpublish|workflow|revisions|lock|unlock|preview)/|/data\.(json|csv)$"
)
# How far anything sticks out of the window. Closed side panels stand outside on purpose, what stands
# in a box that can be pushed sideways is within reach, and drop-downs are as wide as Wagtail makes them.
SIDEWAYS = """() => {
    const SKIPPED = ".form-side, .w-minimap, .w-panel__anchor, .w-field--select, .w-sr-only, svg";
    const inReach = (element) => {
        for (let box = element; box && box.tagName !== "MAIN"; box = box.parentElement) {
            const style = getComputedStyle(box);
            if (/auto|scroll|hidden|clip/.test(style.overflowX) || style.visibility === "hidden") return true;
            if (style.position === "fixed" || box.matches(SKIPPED)) return true;
        }
        return false;
    };
    let most = document.scrollingElement.scrollWidth - innerWidth;
    for (const element of document.querySelectorAll("main *")) {
        const box = element.getBoundingClientRect();
        if (box.width && box.right - innerWidth > most && !inReach(element)) most = box.right - innerWidth;
    }
    return Math.round(most);
}"""
# The page scrolls inside an element of Wagtail's, so the window is made as tall as its content.
HEIGHT = """() => Math.max(...[...document.querySelectorAll("body, main, .content-wrapper, .content")]
    .map(box => box.scrollHeight))"""


def kind_of(address: str) -> str:
    """Screens of the same kind differ by numbers only: ``/segments/edit/7/`` → ``segments/edit/N``."""
    path = urlsplit(address).path.partition("/marketing/")[2]
    return re.sub(r"\d+", "N", path).strip("/") or "overview"


def screens(page: Page, site: RunningSite) -> Iterator[tuple[str, str]]:
    """(kind, address) of every screen that links lead to, one of each kind, beginning in the menu.

    The page stands on the screen that was given out last while its links are read.
    """
    page.goto(site.admin)
    page.locator("button:has(svg.icon-wagtail-ma)").first.click()
    waiting = links(page, site)
    known: set[str] = set()
    while waiting:
        address = waiting.pop(0)
        kind = kind_of(address)
        if kind in known:
            continue
        known.add(kind)
        yield kind, address
        waiting += links(page, site)


def links(page: Page, site: RunningSite) -> list[str]:
    """The addresses below Marketing that the page leads to."""
    found = page.eval_on_selector_all(
        "a[href]", "links => links.map(link => new URL(link.getAttribute('href'), location).href)"
    )
    ours = f"{site.admin}marketing/"
    plain = (urldefrag(address).url.partition("?")[0] for address in found if "export=" not in address)
    return [address for address in plain if address.startswith(ours) and not NOT_OURS.search(address)]


def look(watched: Watched, name: str, wide_theme: str) -> list[str]:
    """Wide in one theme, narrow in the other; what is wrong with the screen."""
    page, wrong = watched.page, []
    # The sidebar takes its time to fold away, and would be measured on its way.
    page.add_style_tag(content="*, *::before, *::after { transition: none !important }")
    themes = ("light", "dark") if wide_theme == "light" else ("dark", "light")
    for width, theme in zip((WIDE, NARROW), themes, strict=True):
        page.set_viewport_size({"width": width, "height": 900})
        if (excess := page.evaluate(SIDEWAYS)) > 1:
            wrong.append(f"{name}: {excess} px too wide at {width}")
        page.set_viewport_size({"width": width, "height": min(4_000, max(900, page.evaluate(HEIGHT)))})
        page.emulate_media(color_scheme=theme)
        watched.shot(f"screens/{name}-{width}-{theme}", full=False, kind="jpeg")
    page.set_viewport_size({"width": WIDE, "height": 900})
    return wrong


def tour(watched: Watched, site: RunningSite, name: str, language: str) -> tuple[set[str], list[str]]:
    """Look at all screens of a site: their kinds, and what is wrong with them."""
    seen, wrong = set(), []
    for kind, address in screens(watched.page, site):
        answer = watched.page.goto(address)
        seen.add(kind)
        if answer is None or answer.status != 200:
            wrong.append(f"{address}: {answer and answer.status}")
            continue
        # In both languages together every screen is seen in all four ways.
        theme = "light" if language == "en" else "dark"
        wrong += look(watched, f"{name}-{language}-{kind.replace('/', '-')}", theme)
        wrong += [f"{address}: {problem}" for problem in watched.problems]
        watched.problems.clear()
    return seen, wrong
