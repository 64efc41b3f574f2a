"""The banner about recording and the page "what we record", used as visitors do."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import ARTICLE, Site

pytestmark = pytest.mark.browser

BANNER = "!!document.querySelector('[data-ma-consent]')?.checkVisibility()"


def with_banner(site: Site, tag: str = "<!--wagtail_ma_consent-->", **configuration: Any) -> None:
    site.configure(**configuration)
    for path in ("/a", "/b"):
        site.page(path, ARTICLE + tag)


def press(tab: Tab, choice: int) -> None:
    tab.until(BANNER)
    tab.click(f"[data-ma-choice='{choice}']")
    tab.until(f"!({BANNER})")


def cookie(browser: Browser, name: str = "wagtail_ma") -> str:
    found = browser.command("Storage.getCookies")["cookies"]
    return next((each["value"] for each in found if each["name"] == name), "")


def has_refused(browser: Browser) -> bool:
    return (cookie(browser), cookie(browser, "wagtail_ma_no")) == ("", "no")


def test_question__agreed__recorded_from_there_and_on_later_pages(
    site: Site, browser: Browser, tab: Tab
) -> None:
    with_banner(site, CONSENT="opt_in")
    tab.go(site.url + "/a")
    time.sleep(1)
    assert site.messages == []
    press(tab, 1)
    site.wait(site.views)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    assert not tab.run(BANNER)
    assert [view.url for view in site.views()] == [site.url + "/a", site.url + "/b"]
    assert site.server.count("visitor") == 1
    assert len(cookie(browser)) > 10
    assert tab.errors() == []


def test_question__refused__never_recorded_and_not_asked_again(
    site: Site, browser: Browser, tab: Tab
) -> None:
    with_banner(site, CONSENT="opt_in")
    tab.go(site.url + "/a")
    press(tab, 0)
    site.wait(lambda: site.accepted("k"))
    tab.go(site.url + "/b")
    time.sleep(1)
    assert not tab.run(BANNER)
    assert (site.views(), site.server.count("visitor"), has_refused(browser)) == ([], 0, True)


def test_notice__closed__recorded_as_before(site: Site, browser: Browser, tab: Tab) -> None:
    with_banner(site)
    tab.go(site.url + "/a")
    site.wait(site.views)
    press(tab, 1)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    assert not tab.run(BANNER)
    assert site.accepted("k") == []


def test_notice__refused__key_gone_and_recording_stops(site: Site, browser: Browser, tab: Tab) -> None:
    with_banner(site)
    tab.go(site.url + "/a")
    site.wait(site.views)
    press(tab, 0)
    site.wait(lambda: has_refused(browser))
    assert has_refused(browser)
    tab.go(site.url + "/b")
    time.sleep(1)
    assert len(site.views()) == 1
    assert not tab.run(BANNER)


def test_choice__on_the_page_what_we_record__can_be_changed(site: Site, browser: Browser, tab: Tab) -> None:
    with_banner(site, "<!--wagtail_ma_recorded-->")
    shown = "document.querySelector('[data-ma-when]:not([hidden])').getAttribute('data-ma-when')"
    tab.go(site.url + "/a")
    site.wait(site.views)
    assert tab.run(shown) == ""
    for choice in (0, 1):
        tab.run("document.querySelector('[data-ma-choice]').scrollIntoView()")
        tab.click(f"[data-ma-choice='{choice}']")
        tab.until(f"{shown} == '{choice}'")
        site.wait(lambda choice=choice: has_refused(browser) == (choice == 0))
        assert has_refused(browser) == (choice == 0)
    # (Another visitor: the key is gone.)
    site.wait(lambda: len(site.views()) == 2)
    assert len(site.views()) == 2


def test_question__server_tells_of_views__answer_is_posted(site: Site, browser: Browser, tab: Tab) -> None:
    with_banner(site, CONSENT="opt_in", TRACKING="server")
    tab.go(site.url + "/a")
    press(tab, 1)
    site.wait(lambda: len(cookie(browser)) > 10)
    assert site.accepted("k")[0]["c"] == 1


@pytest.mark.parametrize("configuration", [{}, {"CONSENT": "opt_in"}, {"TRACKING": "server"}])
def test_refusal__does_not_arrive__told_by_a_later_page(
    site: Site, browser: Browser, tab: Tab, configuration: dict[str, str]
) -> None:
    with_banner(site, **configuration)
    site.answer = lambda body: (503 if body["k"] == "k" else 204, 0)
    tab.go(site.url + "/a")
    press(tab, 0)
    site.wait(lambda: site.messages and site.messages[-1].body["k"] == "k")
    # Nor does that of the next page.
    for path in ("/b", "/a"):
        assert not cookie(browser, "wagtail_ma_no")
        known = len(site.messages)
        tab.go(site.url + path)
        site.wait(lambda known=known: len(site.messages) > known)
        assert {message.body["k"] for message in site.messages[known:]} == {"k"}
    site.answer = lambda body: (204, 0)
    tab.go(site.url + "/b")
    site.wait(lambda: has_refused(browser))
    assert has_refused(browser)
    # And no more than that.
    time.sleep(0.5)
    told = len(site.accepted("k"))
    tab.go(site.url + "/a")
    time.sleep(1)
    assert len(site.accepted("k")) == told
    assert tab.errors() == []
