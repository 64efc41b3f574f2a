"""From a rule to two browsers that see different variants, the page cache on, in both ways of serving."""

from __future__ import annotations

import urllib.request
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.cached_site import CachedSite, cached_copy
from tests.browser.editing import add_block, choose, field, preview_as, publish, save
from tests.browser.mail_sink import MailSink
from tests.browser.people import USER_AGENT, Watched, editor, visitor
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module", params=["server", "slots"])
def site(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    demo_site: Path,
    sink: MailSink,
) -> Iterator[CachedSite]:
    folder = tmp_path_factory.mktemp(request.param)
    with cached_copy(folder, demo_site, sink, mode=request.param) as site:
        yield site


def answer(url: str) -> tuple[str, dict[str, str]]:
    """What somebody without a cookie gets: HTML and headers."""
    request = urllib.request.Request(url, headers={"User-Agent": USER_AGENT, "Accept-Language": "ja"})
    with urllib.request.urlopen(request, timeout=30) as found:
        return found.read().decode(), dict(found.headers)


def opened(somebody: Watched, url: str) -> str:
    """The text that is shown once the page has settled."""
    somebody.page.goto(url)
    slots = somebody.page.locator("[data-ma-slot]")
    for number in range(slots.count()):
        expect(slots.nth(number)).to_have_attribute("data-ma-done", "")
    return somebody.page.locator("body").inner_text()


def test_story__segment_built_previewed_published__two_profiles_see_their_variants(
    site: CachedSite, playing: Browser
) -> None:
    colleague = editor(playing, site.admin)
    page, name = colleague.page, f"Price readers {uuid.uuid4().hex[:6]}"
    # An editor builds a segment,
    page.goto(f"{site.admin}marketing/segments/new/")
    page.fill("[name=name]", name)
    choose(page, f"{add_block(page, 'rule', 'Page viewed')}-page", "料金")
    save(page)
    # makes a block for it in a page, and looks at the page as somebody in it,
    page.goto(f"{site.admin}pages/search/?q=よくあるご質問")
    page.locator("table.listing a[href$='/edit/']").first.click()
    expect(page.locator("input[name=body-count]")).to_be_attached()
    personalised = add_block(page, "body", "Personalised")
    variant = add_block(page, f"{personalised}-variants")
    choose(page, f"{variant}-segments-0-value", name)
    field(page, add_block(page, f"{variant}-content", "Heading")).fill(f"Only for {name}")
    field(page, add_block(page, f"{personalised}-default", "Heading")).fill(f"Not for {name}")
    page.get_by_role("button", name="Toggle preview").click()
    preview = page.frame_locator("#w-preview-iframe")
    preview_as(page, f"Segment: {name}", preview.get_by_text(f"Only for {name}"))
    # and publishes it.
    publish(page)
    url = page.locator("a[title='Visible to all'], a:has-text('View live')").first.get_attribute("href")
    assert url, "the page is live"
    address = url if url.startswith("http") else f"{site.url}{url}"

    reader, stranger = visitor(playing), visitor(playing)
    assert f"Not for {name}" in opened(stranger, address)
    reader.page.goto(f"{site.url}/ja/pricing/")
    reader.page.wait_for_timeout(1_000)
    assert eventually(lambda: f"Only for {name}" in opened(reader, address)), site.log("worker")
    for _turn in range(2):
        assert f"Only for {name}" not in opened(stranger, address)
        assert f"Not for {name}" not in opened(reader, address)
    html, headers = answer(address)
    assert f"Only for {name}" not in html and f"Not for {name}" in html
    if site.mode == "slots":
        # One HTML for both, from the cache.
        assert "data-ma-slot" in html and "Cookie" not in headers.get("Vary", "")
        assert "max-age" in headers["Cache-Control"]
    else:
        assert "data-ma-slot" not in html and "Cookie" in headers["Vary"]
        assert "private" in headers["Cache-Control"]
        # The cache is there: other pages are kept for everybody.
        _html, others = answer(f"{site.url}/ja/careers/")
        assert "max-age" in others["Cache-Control"] and "private" not in others["Cache-Control"]
    colleague.shot(f"variants-editor-{site.mode}", full=False)
    assert colleague.faults() == reader.faults() == stranger.faults() == []
