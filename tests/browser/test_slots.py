"""The example site behind a page cache: one HTML for everybody, and each browser its own variant."""

from __future__ import annotations

import shutil
import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Route, expect

from company.content.marketing import VARIANTS
from tests.browser.editing import add_block, choose, field, publish, save
from tests.browser.mail_sink import MailSink
from tests.browser.people import USER_AGENT, Watched, editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser

PRICING_CALL, DEFAULT_CALL = (VARIANTS["ja"][key][0] for key in ("pricing", "default"))


class CachedSite(RunningSite):
    """The example site with Django's page cache."""

    def environment(self) -> dict[str, str]:
        return {**super().environment(), "WAGTAIL_MA_PAGE_CACHE": "1"}


@pytest.fixture(scope="module")
def cached_site(
    tmp_path_factory: pytest.TempPathFactory, bare_site: Path, sink: MailSink
) -> Iterator[CachedSite]:
    var = tmp_path_factory.mktemp("cached") / "var"
    shutil.copytree(bare_site, var)
    site = CachedSite(var, sink)
    site.manage("ma_demo", "--visitors", "10", "--days", "5")
    try:
        site.start()
        yield site
    finally:
        site.stop()


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
    assert reader.problems == stranger.problems == []


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


def test_story__segment_built_previewed_published__two_profiles_see_their_variants(
    cached_site: CachedSite, playing: Browser
) -> None:
    colleague = editor(playing, cached_site.admin)
    page, name = colleague.page, f"Price readers {uuid.uuid4().hex[:6]}"
    # An editor builds a segment,
    page.goto(f"{cached_site.admin}marketing/segments/new/")
    page.fill("[name=name]", name)
    choose(page, f"{add_block(page, 'rule', 'Page viewed')}-page", "料金")
    save(page)
    # makes a block for it in a page, and looks at the page as somebody in it,
    page.goto(f"{cached_site.admin}pages/search/?q=よくあるご質問")
    page.locator("table.listing a[href$='/edit/']").first.click()
    expect(page.locator("input[name=body-count]")).to_be_attached()
    personalised = add_block(page, "body", "Personalised")
    variant = add_block(page, f"{personalised}-variants")
    choose(page, f"{variant}-segments-0-value", name)
    field(page, add_block(page, f"{variant}-content", "Heading")).fill(f"Only for {name}")
    field(page, add_block(page, f"{personalised}-default", "Heading")).fill(f"Not for {name}")
    page.get_by_role("button", name="Toggle preview").click()
    page.select_option("#id_preview_mode", label=f"Segment: {name}")
    expect(page.frame_locator("#w-preview-iframe").get_by_text(f"Only for {name}")).to_have_count(1)
    # and publishes it.
    publish(page)
    url = page.locator("a[title='Visible to all'], a:has-text('View live')").first.get_attribute("href")
    assert url, "the page is live"
    address = url if url.startswith("http") else f"{cached_site.url}{url}"

    reader, stranger = visitor(playing), visitor(playing)
    assert f"Not for {name}" in opened(stranger, address)
    reader.page.goto(f"{cached_site.url}/ja/pricing/")
    reader.page.wait_for_timeout(1_000)
    assert eventually(lambda: f"Only for {name}" in opened(reader, address)), cached_site.log("worker")
    for _turn in range(2):
        assert f"Only for {name}" not in opened(stranger, address)
        assert f"Not for {name}" not in opened(reader, address)
    # One HTML for both, from the cache.
    assert f"Only for {name}" not in html_of(address)
    colleague.shot("slots-editor", full=False)
    assert colleague.problems == reader.problems == stranger.problems == []
