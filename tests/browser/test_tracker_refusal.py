"""A refusal arrives, whatever the network does, and wins over what was under way when it was spoken."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser import chromium
from tests.browser.chromium import Browser, Tab
from tests.browser.test_tracker_consent import COOKIE, REFUSAL, cookies, kinds
from tests.browser.tracker_site import Site

pytestmark = pytest.mark.browser

FETCH_FAILS_ONCE = """{
    let real = fetch, count = 0;
    window.fetch = (...all) => count++ ? real(...all) : Promise.reject(new TypeError("refused"));
}"""
# What "Block all cookies" in the browser's settings is.
COOKIES_BLOCKED = {"profile": {"default_content_setting_values": {"cookies": 2}}}
A_PERSON = "Object.defineProperty(navigator, 'webdriver', { value: false })"


def slow(kind: str, seconds: float) -> Any:
    return lambda body: (204, seconds if body["k"] == kind else 0)


def assert_refused(site: Site, browser: Browser) -> None:
    """Views are recorded by name no more, and no key stays."""
    rows = len(site.views()), site.server.count("identity")
    counted = site.server.counted()
    tab = browser.tab()
    tab.before_load(A_PERSON)
    tab.go(site.url + "/b")
    site.wait(lambda: site.server.counted() > counted)
    assert site.server.counted() > counted
    assert (len(site.views()), site.server.count("identity")) == rows
    site.wait(lambda: COOKIE not in cookies(browser))
    assert cookies(browser) == {REFUSAL: "no"}


def test_refusal__page_left_before_the_first_answer__wins(site: Site, browser: Browser, tab: Tab) -> None:
    site.answer = slow("p", 2)
    tab.go(site.url + "/a")
    site.wait(site.views)
    tab.run("ma.consent(false)")
    tab.close()  # everything at once
    site.wait(lambda: site.accepted("k"))
    time.sleep(2.5)
    # The answer with the key came after the one with the refusal.
    assert cookies(browser).keys() == {COOKIE, REFUSAL}
    site.answer = slow("", 0)
    assert_refused(site, browser)


def test_refusal__earlier_message_on_its_way_as_a_beacon__wins(
    site: Site, browser: Browser, tab: Tab
) -> None:
    site.answer = slow("p", 2)
    tab.before_load(FETCH_FAILS_ONCE)
    tab.go(site.url + "/a")
    site.wait(site.views)
    tab.run("ma.consent(false)")
    site.wait(lambda: site.accepted("k"))
    time.sleep(2.5)
    assert cookies(browser).keys() == {COOKIE, REFUSAL}
    site.answer = slow("", 0)
    assert_refused(site, browser)


def test_refusal__answer_of_another_tab_comes_later__wins(site: Site, browser: Browser, tab: Tab) -> None:
    tab.go(site.url + "/bare")
    other = browser.tab()
    site.answer = slow("p", 2)
    other.go(site.url + "/a")
    site.wait(site.views)
    tab.run("fetch('/ma/e/', { method: 'POST', body: JSON.stringify({ k: 'k', c: 0 }) })")
    site.wait(lambda: site.accepted("k"))
    time.sleep(2.5)
    assert cookies(browser).keys() == {COOKIE, REFUSAL}
    site.answer = slow("", 0)
    assert_refused(site, browser)


@pytest.mark.parametrize("status", [503, 0])
@pytest.mark.parametrize("consent", ["opt_out", "opt_in"])
def test_refusal__does_not_arrive__sent_by_the_next_page_and_nothing_else(
    site: Site, browser: Browser, tab: Tab, consent: str, status: int
) -> None:
    site.configure(CONSENT=consent)
    tab.go(site.url + "/a")
    tab.run("ma.consent(true)")
    site.wait(lambda: cookies(browser) and site.views())
    site.answer = lambda body: (status if body["k"] in "kec" else 204, 0)
    tab.run("ma.track('never accepted')")
    site.wait(lambda: "c" in kinds(site))
    tab.run("ma.consent(false)")
    site.wait(lambda: kinds(site)[-1] == "k")
    # (What was on its way when the refusal was said may still come.)
    time.sleep(0.5)
    rows, until_then = site.server.everything(), len(site.messages)
    # The next page cannot tell it either, and leaves at once: views must not overtake it.
    tab.go(site.url + "/b")
    tab.wheel(500)
    time.sleep(1)
    assert cookies(browser).keys() == {COOKIE}
    tab.go(site.url + "/bare")
    site.answer = lambda body: (204, 0)
    tab.go(site.url + "/b")
    site.wait(lambda: REFUSAL in cookies(browser))
    assert set(kinds(site)[until_then:]) == {"k"}
    assert [body["c"] for body in site.accepted("k")] == [True, False]
    tab.go(site.url + "/bare")
    time.sleep(0.5)
    assert cookies(browser) == {REFUSAL: "no"}
    assert tab.run("[sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]
    assert site.server.everything() == rows
    site.configure(CONSENT="opt_out")
    assert_refused(site, browser)


def test_refusal__did_not_arrive__taken_back_on_the_next_page(site: Site, browser: Browser, tab: Tab) -> None:
    tab.go(site.url + "/a")
    site.wait(site.views)
    site.answer = lambda body: (503 if body["k"] == "k" else 204, 0)
    tab.run("ma.consent(false)")
    site.wait(lambda: "k" in kinds(site))
    tab.go(site.url + "/b")
    tab.run("ma.consent(true)")
    site.answer = lambda body: (204, 0)
    site.wait(lambda: len(site.views()) == 2)
    assert [view.url for view in site.views()] == [site.url + "/a", site.url + "/b"]
    assert site.accepted("k")[-1]["c"] is True
    assert cookies(browser).keys() == {COOKIE}


def test_cookies__blocked_by_the_browser__only_counted(site: Site, screen: str) -> None:  # D41
    with chromium.running_browser(screen, preferences=COOKIES_BLOCKED) as browser:
        tab = browser.tab()
        tab.before_load(A_PERSON)
        for number, path in enumerate(("/a", "/b", "/a"), start=1):
            tab.go(site.url + path)
            site.wait(lambda number=number: site.server.counted() == number)
        assert (
            tab.run("(() => { try { return sessionStorage.length } catch (error) { return error.code } })()")
            == 18
        )
        assert (site.server.counted(), site.views()) == (3, [])
        assert (site.server.count("visitor"), site.server.count("identity")) == (0, 0)
        assert cookies(browser) == {}
        assert tab.errors() == []
