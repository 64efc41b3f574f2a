"""Do the messages arrive, once each in effect, whatever the network and the browser's settings do?"""

from __future__ import annotations

import re
import time
from typing import Any

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import ARTICLE, Site, token

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
    tab.go(site.url + "/a")
    tab.wheel(1000)
    time.sleep(1)
    tab.run("ma.track('seen')")
    tab.go(site.url + "/b")
    leave(tab, site)
    bodies = site.accepted()
    once = {view.id: view for view in site.views(bodies)}
    assert len(once) == 2
    assert {view.id: view for view in site.views(bodies + bodies + bodies[::-1])} == once


def test_collector__slow__gets_both_views_whole(site: Site, tab: Tab) -> None:  # D13
    site.answer = lambda body: (204, 3)
    tab.go(site.url + "/a")
    time.sleep(1)
    tab.go(site.url + "/b")
    time.sleep(2)
    tab.close()
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) == 2, 15)
    first, second = site.views()
    assert (first.recorded, second.recorded) == (True, True)
    assert first.engaged >= 700
    assert second.engaged >= 1700
    # Sent by the page itself, and once more by the next page, which cannot know that they arrived.
    sent = [message.body["k"] for message in site.messages if message.body["v"] == first.id]
    assert sorted(sent) == ["e", "e", "p", "p"]


@pytest.mark.parametrize("status", [500, 503, 0])  # D14, D44
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
    assert view.recorded
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
    assert (view.recorded, view.token, view.url, view.how) == (False, token("/a"), site.url + "/a", "n")
    assert view.engaged >= 700


def test_collector__blocked_for_good__pile_does_not_grow(site: Site, tab: Tab) -> None:
    site.answer = lambda body: (503, 0)
    for page in "abababababab":
        tab.go(f"{site.url}/{page}")
    tab.go(site.url + "/bare")
    assert tab.run("JSON.parse(sessionStorage.ma).length") <= 9 + 2


BROKEN_STORAGE = """Object.defineProperty(window, "sessionStorage", {
    get() { throw new DOMException("denied", "SecurityError") } })"""


@pytest.mark.parametrize(
    "script",
    [
        BROKEN_STORAGE,  # D41
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
    assert view.recorded
    assert view.engaged >= 700
    assert tab.errors() == []


def test_strict_content_security_policy__allows_everything_needed(site: Site, tab: Tab) -> None:
    policy = (
        "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:"
    )
    head = f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    site.page("/strict", ARTICLE + '<script src="/forms.js" defer></script>', head=head)
    tab.go(site.url + "/strict")
    time.sleep(1)
    leave(tab, site)
    assert [view.recorded for view in site.views()] == [True]
    assert tab.errors() == []
    assert [entry["entry"]["text"] for entry in tab.heard("Log.entryAdded")] == []


def test_opt_in__without_consent__sends_and_keeps_nothing(site: Site, tab: Tab) -> None:  # D37
    site.page("/a", consent="opt-in")
    site.page("/b", consent="opt-in")
    tab.go(site.url + "/a")
    tab.wheel(1000)
    tab.run("ma.track('seen')")
    time.sleep(1.5)
    tab.go(site.url + "/b")
    time.sleep(0.5)
    assert tab.run(HELD) == [0, 0, ""]
    tab.close()
    time.sleep(0.5)
    assert site.messages == []


def test_opt_in__consent_after_a_time__view_begins_there(site: Site, tab: Tab) -> None:  # D38
    site.page("/a", consent="opt-in")
    tab.go(site.url + "/a")
    tab.run("ma('event', 'before')")
    time.sleep(2)
    tab.run("ma('consent', true)")
    tab.run("ma('event', 'after')")
    time.sleep(1)
    leave(tab, site)
    assert kinds(site)[:3] == ["k", "p", "c"]
    assert site.accepted("k")[0]["c"] == 1
    (view,) = site.views()
    assert 700 <= view.visible <= 1500
    assert site.activities() == [("after", {})]


def test_granted__by_the_tag__sends_at_once(site: Site, tab: Tab) -> None:
    site.page("/a", consent="granted")
    tab.go(site.url + "/a")
    site.wait(site.views)
    assert kinds(site) == ["p"]


def test_consent__withdrawn__sends_nothing_more_and_forgets(site: Site, tab: Tab) -> None:  # D39
    site.answer = lambda body: (503 if body["k"] == "c" else 204, 0)
    tab.go(site.url + "/a")
    site.wait(site.views)
    tab.run("ma.track('never accepted')")
    site.wait(lambda: "c" in kinds(site))
    tab.run("ma.consent(false)")
    site.wait(lambda: site.accepted("k"))
    until_then = len(site.messages)
    tab.wheel(500)
    tab.run("ma.track('later')")
    time.sleep(1.5)
    tab.run("history.pushState({}, '', '/spa')")
    time.sleep(1)
    tab.go(site.url + "/bare")
    assert [message.body["k"] for message in site.messages[until_then:]] == []
    assert site.accepted("k")[-1]["c"] == 0
    assert tab.run(HELD) == [0, 0, ""]


def test_consent__withdrawn_and_given_again__begins_a_new_view(site: Site, tab: Tab) -> None:
    site.answer = lambda body: (204, 0.5)
    tab.go(site.url + "/a")
    site.wait(site.views)
    tab.run("ma.consent(false)")
    tab.run("ma.consent(true)")
    site.wait(lambda: len(site.views()) == 2)
    first, second = site.views()
    assert first.id != second.id
    # Never both on the way at once: they could overtake each other.
    no, yes = [message for message in site.messages if message.body["k"] == "k"]
    assert (no.body["c"], yes.body["c"]) == (0, 1)
    assert yes.at - no.at >= 0.5


@pytest.mark.parametrize("signal", ["globalPrivacyControl: { value: true }", "doNotTrack: { value: '1' }"])
def test_privacy_signal__of_the_browser__is_said_and_nothing_kept(site: Site, tab: Tab, signal: str) -> None:
    site.answer = lambda body: (204 if body["k"] == "p" else 503, 0)  # D40
    tab.before_load(f"Object.defineProperties(navigator, {{ {signal} }})")
    tab.go(site.url + "/a")
    time.sleep(1)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.accepted("p")) == 2)
    assert {message.body.get("g") for message in site.messages} == {1}
    tab.go(site.url + "/bare")
    assert tab.run(HELD) == [0, 0, ""]


def test_automated_browser__is_marked(site: Site, tab: Tab) -> None:  # D48
    tab.go(site.url + "/a")
    site.wait(site.views)
    assert tab.run("navigator.webdriver")
    assert site.views()[0].automated


def test_ordinary_browser__is_not_marked(site: Site, browser: Browser) -> None:
    tab = browser.tab()
    tab.before_load("Object.defineProperty(Navigator.prototype, 'webdriver', { get: () => false })")
    tab.go(site.url + "/a")
    site.wait(site.views)
    assert not site.views()[0].automated
