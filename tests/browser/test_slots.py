"""The example site behind a page cache: one HTML for everybody, and each browser its own variant."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from company.content.marketing import VARIANTS
from tests.browser.cached_site import CachedSite, cached_copy
from tests.browser.mail_sink import MailSink
from tests.browser.people import USER_AGENT, Watched, visitor
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser

PRICING_CALL, DEFAULT_CALL = (VARIANTS["ja"][key][0] for key in ("pricing", "default"))


@pytest.fixture(scope="module")
def cached_site(
    tmp_path_factory: pytest.TempPathFactory, demo_site: Path, sink: MailSink
) -> Iterator[CachedSite]:
    with cached_copy(tmp_path_factory.mktemp("cached"), demo_site, sink) as site:
        yield site


@pytest.fixture
def home(cached_site: CachedSite) -> str:
    return f"{cached_site.url}/ja/"


def html_of(url: str) -> str:
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, "Accept-Language": "ja"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "Cookie" not in answer.headers.get("Set-Cookie", "")
        return str(answer.read().decode())


def opened(somebody: Watched, url: str) -> str:
    """The call that is shown once the page has settled."""
    somebody.page.goto(url)
    slot = somebody.page.locator("[data-ma-slot]")
    expect(slot).to_have_attribute("data-ma-done", "")
    expect(slot).to_be_visible()
    return slot.inner_text()


def test_two_profiles__page_cache_on__different_variants(
    cached_site: CachedSite, home: str, playing: Browser
) -> None:
    reader, stranger = visitor(playing), visitor(playing)
    assert DEFAULT_CALL in opened(stranger, home)
    for _time in range(3):
        reader.page.goto(f"{home}pricing/")
        reader.page.wait_for_timeout(1_000)
    assert eventually(lambda: PRICING_CALL in opened(reader, home)), cached_site.log("worker")
    for _turn in range(2):
        text = opened(stranger, home)
        assert DEFAULT_CALL in text and PRICING_CALL not in text
        assert DEFAULT_CALL not in opened(reader, home)
    reader.shot("slots-pricing-reader")
    html = html_of(home)
    assert DEFAULT_CALL in html and PRICING_CALL not in html
    assert reader.faults() == stranger.faults() == []


def test_answer__too_late__default_after_a_second_and_for_good(home: str, playing: Browser) -> None:
    somebody = visitor(playing)

    def late(route: Route) -> None:
        somebody.page.wait_for_timeout(1_500)
        route.fulfill(json=dict.fromkeys(route.request.post_data_json["b"], "<p>TOO LATE</p>"))

    somebody.page.route("**/ma/v/", late)
    somebody.page.goto(home, wait_until="commit")
    expect(somebody.page.get_by_text(DEFAULT_CALL)).to_be_visible()
    somebody.page.wait_for_timeout(1_000)
    assert somebody.page.get_by_text("TOO LATE").count() == 0
    expect(somebody.page.get_by_text(DEFAULT_CALL)).to_be_visible()


def test_answer__waited_for__room_is_kept_and_scripts_in_it_run(home: str, playing: Browser) -> None:
    somebody = visitor(playing)
    seen = []

    def answer(route: Route) -> None:
        slot = somebody.page.locator("[data-ma-slot]")
        seen.append((slot.bounding_box(), slot.evaluate("each => getComputedStyle(each).visibility")))
        words = '<p>HELLO</p><script src="/static/company/none.js" data-ran></script>'
        route.fulfill(json=dict.fromkeys(route.request.post_data_json["b"], words))

    asked = []
    somebody.page.on("request", lambda request: asked.append(request.url))
    somebody.page.route("**/ma/v/", answer)
    somebody.page.goto(home)
    expect(somebody.page.get_by_text("HELLO")).to_be_visible()
    (box, visibility), *others = seen
    assert others == []
    assert box is not None and box["height"] > 20
    assert visibility == "hidden"
    assert any("none.js" in url for url in asked)


def test_no_script__browser_without_javascript__default_at_once(home: str, playing: Browser) -> None:
    somebody = visitor(playing, java_script_enabled=False)
    somebody.page.goto(home)
    expect(somebody.page.get_by_text(DEFAULT_CALL)).to_be_visible(timeout=500)
