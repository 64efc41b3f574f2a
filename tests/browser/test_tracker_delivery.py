"""Do the messages arrive, once each in effect, whatever the network and the browser's settings do?"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.browser.chromium import Tab
from tests.browser.tracker_site import ARTICLE, Site

pytestmark = pytest.mark.browser

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
HELD = "[sessionStorage.length, localStorage.length, document.cookie]"


def kinds(site: Site) -> list[str]:
    """Kinds of all messages that came in, answered well or not."""
    return [message.body["k"] for message in list(site.messages)]


def leave(tab: Tab, site: Site) -> None:
    """Close the tab and wait for its last totals."""
    known = len(site.accepted("e"))
    tab.close()
    site.wait(lambda: len(site.accepted("e")) > known, 3)


def test_message__of_a_view__is_small_plain_and_dated_by_nobody(site: Site, tab: Tab) -> None:
    tab.go(f"{site.url}/a?long={'x' * 3000}#{'y' * 3000}")
    tab.run("ma.track('seen', { label: 'あいう', count: 2 })")
    time.sleep(1)
    leave(tab, site)
    assert {message.body["k"] for message in site.messages} == {"p", "c", "e"}
    (view,) = site.views()
    assert UUID7.fullmatch(view.id)
    for message in site.messages:
        assert message.size <= 2048
        assert message.headers["Content-Type"].startswith("text/plain")
        assert message.headers["Sec-Fetch-Site"] == "same-origin"
    assert site.activities() == [("seen", {"label": "あいう", "count": 2})]


def test_messages__delivered_twice_and_in_reverse__store_the_same(site: Site, tab: Tab) -> None:  # D15
    site.copies = 2
    tab.go(site.url + "/a")
    tab.wheel(1000)
    time.sleep(1)
    tab.run("ma.track('seen')")
    tab.go(site.url + "/b")
    time.sleep(0.5)
    leave(tab, site)
    first, second = site.views()
    for view in (first, second):
        totals = [body for body in site.accepted("e") if body["v"] == view.id]
        assert abs(view.engaged - max(body["e"] for body in totals)) <= 50
        assert abs(view.visible - max(body["o"] for body in totals)) <= 50
        assert view.scroll == max(body["s"] for body in totals)
    assert site.activities() == [("seen", {})]
    assert (site.server.count("visitor"), site.server.count("visit")) == (1, 1)
    # And a day later nothing of it counts again, or prolongs anything.
    stored = site.server.everything()
    for moved in (60, 24 * 3600):
        site.server.order("clock", moved)
        assert set(site.deliver([*site.messages, *site.messages[::-1]])) == {204}
        assert site.server.everything() == stored


def test_collector__slow__gets_both_views_whole(site: Site, tab: Tab) -> None:  # D13
    site.answer = lambda body: (204, 3)
    tab.go(site.url + "/a")
    time.sleep(1)
    tab.go(site.url + "/b")
    time.sleep(2)
    tab.close()
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) == 2, 15)
    first, second = site.views()
    assert (first.url, second.url) == (site.url + "/a", site.url + "/b")
    assert first.engaged >= 700
    # The answer with the first cookie came when the second page was open already.
    assert (site.server.count("visitor"), site.server.count("visit")) == (1, 1)
    assert second.engaged >= 1700
    # Sent by the page itself, and once more by the next page, which cannot know that they arrived.
    sent = [message.body["k"] for message in site.messages if message.body["v"] == first.id]
    assert sorted(sent) == ["e", "e", "p", "p"]


@pytest.mark.parametrize("status", [500, 503, 0])  # D14
def test_last_message__failed__is_sent_again_by_the_next_page(site: Site, tab: Tab, status: int) -> None:
    tab.go(site.url + "/a")
    time.sleep(1)
    site.answer = lambda body: (status, 0) if body["k"] == "e" else (204, 0)
    tab.go(site.url + "/b")
    site.wait(lambda: "e" in kinds(site))
    first = site.messages[0].body["v"]
    assert [body["v"] for body in site.accepted("e")] == []
    site.answer = lambda body: (204, 0)
    site.wait(lambda: site.accepted("e"))
    assert [view.engaged >= 700 for view in site.views() if view.id == first] == [True]


def test_browser__offline_when_leaving__sends_it_with_the_next_page(site: Site, tab: Tab) -> None:  # D44
    tab.go(site.url + "/a")
    site.wait(site.views)
    time.sleep(1)
    # Of the browser's own offline mode, messages of a page that is being left know nothing.
    site.is_offline = True
    tab.command("Page.navigate", url=site.url + "/b")
    tab.until("location.protocol == 'chrome-error:'")
    assert site.accepted("e") == []
    site.is_offline = False
    tab.go(site.url + "/b")
    site.wait(lambda: site.accepted("e"))
    site.wait(lambda: len(site.views()) == 2)
    first, second = site.views()
    assert (first.url, second.url) == (site.url + "/a", site.url + "/b")
    assert first.engaged >= 700
    assert site.server.count("visit") == 1


@pytest.mark.parametrize("status", [503, 0])
def test_first_message__failed__is_sent_again_soon(site: Site, tab: Tab, status: int) -> None:
    refused: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> tuple[int, float]:
        refused.append(body)
        return (status, 0) if len(refused) <= 2 else (204, 0)

    site.answer = answer
    tab.go(site.url + "/a")
    site.wait(site.views, 4)
    (view,) = site.views()
    assert {body["v"] for body in refused} == {view.id}


def test_refused_message__malformed__is_not_sent_again(site: Site, tab: Tab) -> None:
    site.answer = lambda body: (400, 0)
    tab.go(site.url + "/a")
    time.sleep(2)
    assert kinds(site) == ["p"]


def test_first_message__lost_for_good__view_is_made_from_engagement(site: Site, tab: Tab) -> None:  # D16
    site.answer = lambda body: (0, 0) if body["k"] == "p" else (204, 0)
    tab.go(site.url + "/a")
    time.sleep(1)
    leave(tab, site)
    (view,) = site.views()
    assert site.accepted("p") == []
    assert (view.url, view.key.partition("/")[2]) == (site.url + "/a", "a")
    assert view.engaged >= 700


def test_collector__blocked_for_good__pile_does_not_grow(site: Site, tab: Tab) -> None:
    site.answer = lambda body: (503, 0)
    for page in "abababababab":
        tab.go(f"{site.url}/{page}")
    tab.go(site.url + "/bare")
    assert tab.run("JSON.parse(sessionStorage.ma).length") <= 9 + 2


BROKEN_STORAGE = """Object.defineProperty(window, "sessionStorage", {
    get() { throw new DOMException("denied", "SecurityError") } })"""


def test_storage__refused_to_scripts__only_counted_and_nothing_thrown(site: Site, tab: Tab) -> None:  # D41
    tab.before_load(BROKEN_STORAGE)
    tab.before_load("Object.defineProperty(navigator, 'webdriver', { value: false })")
    tab.go(site.url + "/a")
    tab.run("ma.track('seen')")
    site.wait(lambda: site.accepted("c"))
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.accepted("p")) == 2)
    assert all(message.body["g"] for message in site.messages)
    assert (site.views(), site.server.count("visitor"), site.server.counted()) == ([], 0, 2)
    assert tab.errors() == []


@pytest.mark.parametrize(
    "script",
    [
        "Object.defineProperty(window, 'sessionStorage', { value: null })",
        "navigator.sendBeacon = () => true",  # D42: a blocker that drops beacons and says they went
        "window.fetch = () => { throw new TypeError('refused') }",  # D43
        "window.fetch = () => Promise.reject(new TypeError('refused'))",
        "delete window.navigation",
    ],
)
def test_browser__restricted__view_is_whole_and_nothing_thrown(site: Site, tab: Tab, script: str) -> None:
    tab.before_load(script)
    tab.go(site.url + "/a")
    time.sleep(1)
    leave(tab, site)
    (view,) = site.views()
    assert len(site.accepted("p")) >= 1
    assert view.engaged >= 700
    assert tab.errors() == []


def test_strict_content_security_policy__allows_everything_needed(site: Site, tab: Tab) -> None:
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    site.page("/strict", ARTICLE + '<script src="/static/wagtail_ma/forms.js" defer></script>', head=head)
    tab.go(site.url + "/strict")
    time.sleep(1)
    leave(tab, site)
    assert (len(site.views()), len(site.accepted("p"))) == (1, 1)
    assert tab.errors() == []
    assert [entry["entry"]["text"] for entry in tab.heard("Log.entryAdded")] == []
