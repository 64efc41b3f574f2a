"""Who does not want to be recognised leaves nothing behind: in the browser, on the way, on the server."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import Site

pytestmark = pytest.mark.browser

HELD = "[sessionStorage.length, localStorage.length, document.cookie]"
COOKIE = "wagtail_ma"
REFUSAL = "wagtail_ma_no"
NOBODY = {"visitor": 0, "identity": 0, "visit": 0, "pageview": 0, "activity": 0, "news": 0}


def kinds(site: Site) -> list[str]:
    """Kinds of all messages that came in, answered well or not."""
    return [message.body["k"] for message in list(site.messages)]


def cookies(browser: Browser) -> dict[str, Any]:
    """Values of all cookies in the browser, also those that scripts cannot see."""
    return {found["name"]: found["value"] for found in browser.command("Storage.getCookies")["cookies"]}


def stored(site: Site) -> dict[str, int]:
    """Numbers of rows about people."""
    return {model: site.server.count(model) for model in NOBODY}


def test_recorded_browser__any__has_one_cookie_that_scripts_cannot_see(
    site: Site, browser: Browser, tab: Tab
) -> None:
    tab.go(site.url + "/a")
    site.wait(lambda: cookies(browser))
    (found,) = browser.command("Storage.getCookies")["cookies"]
    assert (found["name"], found["httpOnly"], found["sameSite"]) == (COOKIE, True, "Lax")
    assert 0 < found["expires"] - time.time() <= 400 * 86_400
    assert tab.run("document.cookie") == ""


def test_opt_in__without_consent__sends_and_keeps_nothing(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D37
    site.configure(CONSENT="opt_in")
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
    assert cookies(browser) == {}
    assert stored(site) == NOBODY
    assert site.server.counted() == 0


def test_opt_in__consent_after_a_time__view_begins_there(site: Site, tab: Tab) -> None:  # D38
    site.configure(CONSENT="opt_in")
    tab.go(site.url + "/a")
    tab.run("ma('event', 'before')")
    time.sleep(2)
    tab.run("ma('consent', true)")
    tab.run("ma('event', 'after')")
    time.sleep(1)
    tab.close()
    site.wait(lambda: site.accepted("e"))
    assert kinds(site)[:3] == ["k", "p", "c"]
    assert site.accepted("k")[0]["c"] == 1
    (view,) = site.views()
    assert 700 <= view.visible <= 1500
    assert site.activities() == [("after", {})]
    assert (site.server.count("visitor"), site.server.count("identity")) == (1, 1)
    assert site.server.counted() == 0


def test_opt_in__consent_on_an_earlier_page__next_page_asks_again_but_keeps_the_visitor(
    site: Site, tab: Tab
) -> None:
    site.configure(CONSENT="opt_in")
    for page in ("/a", "/b"):
        tab.go(site.url + page)
        tab.run("ma.consent(true)")
        site.wait(lambda page=page: site.views() and site.views()[-1].url == site.url + page)
    assert len(site.views()) == 2
    assert (site.server.count("visitor"), site.server.count("visit")) == (1, 1)


def test_granted__by_the_tag__sends_at_once(site: Site, tab: Tab) -> None:
    site.page("/a", consent="granted")
    tab.go(site.url + "/a")
    site.wait(site.views)
    assert kinds(site) == ["p"]


def test_consent__withdrawn__sends_nothing_more_and_forgets(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D39
    site.answer = lambda body: (503 if body["k"] == "c" else 204, 0)
    tab.go(site.url + "/a")
    site.wait(site.views)
    tab.run("ma.track('never accepted')")
    site.wait(lambda: "c" in kinds(site))
    assert cookies(browser).keys() == {COOKIE}
    tab.run("ma.consent(false)")
    site.wait(lambda: site.accepted("k"))
    until_then, rows = len(site.messages), site.server.everything()
    tab.wheel(500)
    tab.run("ma.track('later')")
    time.sleep(1.5)
    tab.run("history.pushState({}, '', '/spa')")
    time.sleep(1)
    tab.go(site.url + "/bare")
    assert [message.body["k"] for message in site.messages[until_then:]] == []
    assert site.accepted("k")[-1]["c"] == 0
    assert tab.run(HELD) == [0, 0, ""]
    # The key is gone; what is kept is the no.
    assert cookies(browser) == {REFUSAL: "no"}
    assert site.server.everything() == rows


def test_consent__withdrawn_in_one_tab__is_honoured_for_all(site: Site, browser: Browser, tab: Tab) -> None:
    # Visits of automated browsers are recorded, but not counted where nobody is recorded.
    tab.before_load("Object.defineProperty(navigator, 'webdriver', { value: false })")
    tab.go(site.url + "/a")
    site.wait(lambda: cookies(browser))
    other = browser.tab(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    other.run("ma.consent(false)")
    site.wait(lambda: site.accepted("k"))
    rows = site.server.everything()
    # This tab has not heard of it.
    tab.front()
    tab.wheel(1000)
    tab.run("ma.track('seen')")
    site.wait(lambda: site.accepted("c"))
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.accepted("p")) == 3)
    assert cookies(browser) == {REFUSAL: "no"}
    now = site.server.everything()
    assert {table for table in rows if rows[table] != now[table]} == {"pagecount"}
    assert site.server.counted() == 1


def test_consent__withdrawn_and_given_again__begins_a_new_view(
    site: Site, browser: Browser, tab: Tab
) -> None:
    site.answer = lambda body: (204, 0.5)
    tab.go(site.url + "/a")
    site.wait(lambda: cookies(browser))
    time.sleep(0.2)
    tab.run("ma.consent(false)")
    tab.run("ma.consent(true)")
    site.wait(lambda: len(site.views()) == 2)
    first, second = site.views()
    # What was before the no is not joined to what comes after it.
    assert (first.id, first.identity) != (second.id, second.identity)
    # Never both on the way at once: they could overtake each other.
    no, yes = [message for message in site.messages if message.body["k"] == "k"]
    assert (no.body["c"], yes.body["c"]) == (0, 1)
    assert yes.at - no.at >= 0.5


GLOBAL_PRIVACY_CONTROL = "globalPrivacyControl: { value: true }"
DO_NOT_TRACK = "doNotTrack: { value: '1' }"


@pytest.mark.parametrize(
    ("script", "headers"),
    [
        (GLOBAL_PRIVACY_CONTROL, {"Sec-GPC": "1"}),
        (GLOBAL_PRIVACY_CONTROL, {}),
        (DO_NOT_TRACK, {"DNT": "1"}),
        (DO_NOT_TRACK, {}),
    ],
)
def test_privacy_signal__of_the_browser__neither_side_keeps_anything(
    site: Site, browser: Browser, tab: Tab, script: str, headers: dict[str, str]
) -> None:  # D40
    site.answer = lambda body: (204 if body["k"] == "p" else 503, 0)
    site.headers = headers
    tab.before_load(f"Object.defineProperties(navigator, {{ webdriver: {{ value: false }}, {script} }})")
    tab.go(site.url + "/a")
    time.sleep(1)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.accepted("p")) == 2)
    assert {message.body.get("g") for message in site.messages} == {1}
    tab.run("ma.consent(true)")
    site.answer = lambda body: (204, 0)
    site.wait(lambda: site.accepted("k"))
    tab.go(site.url + "/bare")
    assert tab.run(HELD) == [0, 0, ""]
    assert cookies(browser) == {}
    assert stored(site) == NOBODY
    assert site.server.counted() >= 2


@pytest.mark.parametrize(
    ("script", "headers"),
    [
        (GLOBAL_PRIVACY_CONTROL, {"Sec-GPC": "1"}),
        (GLOBAL_PRIVACY_CONTROL, {}),
        (DO_NOT_TRACK, {"DNT": "1"}),
        ("", {"Sec-GPC": "1"}),
    ],
)
def test_privacy_signal__switched_on_later__key_is_taken_away(
    site: Site, browser: Browser, tab: Tab, script: str, headers: dict[str, str]
) -> None:  # D40
    hidden = "webdriver: { value: false }"
    tab.before_load(f"Object.defineProperties(navigator, {{ {hidden} }})")
    tab.go(site.url + "/a")
    site.wait(lambda: cookies(browser))
    assert cookies(browser).keys() == {COOKIE}
    tab.go(site.url + "/bare")
    site.wait(lambda: site.accepted("e"))
    rows = stored(site)
    later = browser.tab()
    later.before_load(f"Object.defineProperties(navigator, {{ {hidden}, {script} }})")
    site.headers = headers
    later.go(site.url + "/b")
    site.wait(lambda: not cookies(browser))
    assert cookies(browser) == {}
    later.go(site.url + "/a")
    site.wait(lambda: len(site.accepted("p")) == 3)
    time.sleep(0.3)
    assert cookies(browser) == {}
    assert stored(site) == rows
    assert site.server.counted() == 2


def test_opt_in__introduced_later__key_from_before_is_taken_away(
    site: Site, browser: Browser, tab: Tab
) -> None:
    tab.go(site.url + "/a")
    site.wait(lambda: cookies(browser))
    before = cookies(browser)[COOKIE]
    site.configure(CONSENT="opt_in")
    # (An open page goes on until it is left.)
    tab.run("ma.track('seen')")
    site.wait(lambda: not cookies(browser))
    assert cookies(browser) == {}
    assert site.activities() == []
    tab.go(site.url + "/b")
    tab.run("ma.consent(true)")
    site.wait(lambda: len(site.views()) == 2)
    assert cookies(browser).keys() == {COOKIE} and cookies(browser)[COOKIE] != before
    assert site.server.count("visitor") == 2


@pytest.mark.parametrize("name", ["Sec-GPC", "DNT"])
def test_privacy_header__without_the_scripts_knowledge__is_enough(
    site: Site, browser: Browser, tab: Tab, name: str
) -> None:
    site.headers = {name: "1"}
    tab.before_load("Object.defineProperties(navigator, { webdriver: { value: false } })")
    tab.go(site.url + "/a")
    tab.run("ma.track('seen')")
    site.wait(lambda: site.accepted("c"))
    assert cookies(browser) == {}
    assert stored(site) == NOBODY
    assert site.server.counted() == 1
