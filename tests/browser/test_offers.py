"""Was an offer really in sight, or clicked? As the script tells it to the tracker of the page."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.chromium import Tab
from tests.browser.tracker_site import Site

pytestmark = pytest.mark.browser

SCRIPT = '<script src="/static/wagtail_ma/offers.js" defer></script>'
OFFER = """
<div style="height: 3000px">Above</div>
<div data-ma-offer="token-1"><p style="height: 200px"><button id="b">Take it</button></p></div>
<div style="height: 3000px">Below</div>
"""
# Where the offer is in the middle of the window.
THERE = 2700


def scroll_to(tab: Tab, pixels: float) -> None:
    tab.wheel(pixels - tab.run("scrollY"))
    tab.until(f"Math.abs(scrollY - {pixels}) < 2")


def told(site: Site) -> list[tuple[str, Any]]:
    found = [message.body for message in site.messages if message.body.get("k") == "c"]
    return [(body["n"], body["d"]) for body in found]


@pytest.fixture
def offer(site: Site, tab: Tab) -> Tab:
    # Twice, as on a page with two slots.
    site.page("/offer", OFFER + SCRIPT + SCRIPT)
    tab.go(site.url + "/offer")
    site.wait(lambda: site.accepted("p"), 5)
    return tab


def test_offer__below_the_fold__is_not_in_sight(site: Site, offer: Tab) -> None:
    time.sleep(2)
    assert told(site) == []


def test_offer__in_sight_for_a_second__is_told_once(site: Site, offer: Tab) -> None:
    scroll_to(offer, THERE)
    site.wait(lambda: bool(told(site)), 5)
    scroll_to(offer, 0)
    scroll_to(offer, THERE)
    time.sleep(2)
    assert told(site) == [("offer_shown", {"o": "token-1"})]


def test_offer__rushed_past__is_not_told(site: Site, offer: Tab) -> None:
    scroll_to(offer, THERE)
    time.sleep(0.3)
    scroll_to(offer, 0)
    time.sleep(2)
    assert told(site) == []


def test_offer__clicked__is_told_once(site: Site, offer: Tab) -> None:
    scroll_to(offer, THERE)
    offer.click("#b")
    offer.click("#b")
    site.wait(lambda: len(told(site)) == 2, 5)
    time.sleep(1)
    assert sorted(told(site)) == [("offer_click", {"o": "token-1"}), ("offer_shown", {"o": "token-1"})]
