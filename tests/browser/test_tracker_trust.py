"""What the server makes of messages that nobody should believe, and of time that passes on its side."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.test import override_settings

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import ENDPOINT, SCRIPT, Site
from wagtail_ma.tracking import page_token
from wagtail_ma.tracking.page_token import PageRef

pytestmark = pytest.mark.browser

TOKYO = ZoneInfo("Asia/Tokyo")
ORDINARY = "Object.defineProperty(navigator, 'webdriver', { value: false })"
NOTHING = {"visitor": 0, "visit": 0, "pageview": 0, "trackedpage": 0, "pagecount": 0, "activity": 0}


def claim(tab: Tab, site: Site, seconds: float) -> None:
    """Let the page's own visitor send a forged total of its last view."""
    known = site.accepted("p")[-1]
    total = {"q": 99, "e": seconds * 1000, "o": seconds * 1000, "s": 100}
    forged = {**{name: known[name] for name in "vtuy"}, "k": "e", **total}
    count = len(site.accepted())
    tab.run(f"void fetch('{ENDPOINT}', {{ method: 'POST', body: {json.dumps(json.dumps(forged))} }})")
    site.wait(lambda: len(site.accepted()) > count)


def test_total__forged__is_cut_and_flagged(site: Site, tab: Tab) -> None:  # D46
    tab.go(site.url + "/a")
    site.wait(site.views)
    time.sleep(1)
    claim(tab, site, 3600)
    (view,) = site.views()
    assert 5000 <= view.engaged <= 6000 + 300
    assert view.is_doubtful
    reasons = "SELECT excluded_reason FROM wagtail_ma_visitor"
    assert site.server.rows(reasons) == [("",)]
    for count in (2, 3, 4):
        tab.run("ma.view()")
        site.wait(lambda count=count: len(site.accepted("p")) == count)
        claim(tab, site, 3600)
    assert [view.is_doubtful for view in site.views()] == [True] * 4
    assert site.server.rows(reasons) == [("doubtful",)]


def test_total__of_a_view_whose_first_message_came_late__is_believed(site: Site, tab: Tab) -> None:
    begun = time.monotonic()
    site.answer = lambda body: (204 if time.monotonic() - begun > 8 else 503, 0)
    tab.go(site.url + "/a")
    while not site.accepted("p"):
        tab.move(300 + time.monotonic() % 100, 300)
        time.sleep(0.4)
        assert time.monotonic() - begun < 30
    shown = time.monotonic() - begun
    tab.close()
    site.wait(lambda: site.accepted("e"))
    time.sleep(0.3)
    (view,) = site.views()
    assert view.engaged >= (shown - 1.5) * 1000
    assert not view.is_doubtful


def test_first_messages__overtaken_by_the_total_without_cookie__are_one_visitor(site: Site, tab: Tab) -> None:
    site.hold = lambda body: 2 if body["k"] == "p" else 0
    tab.go(site.url + "/a")
    time.sleep(1)
    tab.close()
    site.wait(lambda: site.accepted("p"))
    assert [body["k"] for body in site.accepted()] != []
    assert site.accepted("e")
    (view,) = site.views()
    assert view.engaged >= 700
    people = {model: site.server.count(model) for model in ("visitor", "identity", "visit")}
    assert people == {"visitor": 1, "identity": 1, "visit": 1}


def forged_token(site: Site, kind: str) -> str:
    mine = site.token("/a")
    if kind == "changed":
        return mine[:-4] + ("AAAA" if mine[-4:] != "AAAA" else "BBBB")
    if kind == "another installation":
        with override_settings(SECRET_KEY="of somebody else"):
            return page_token.make(PageRef(1, None, "/a", "en"))
    return page_token.make(PageRef(site.server.order("site", "other.example"), None, "/a", "en"))


@pytest.mark.parametrize("kind", ["changed", "another installation", "another site"])  # D47
def test_token__forged_or_of_another_site__stores_nothing(
    site: Site, browser: Browser, tab: Tab, kind: str
) -> None:
    token = forged_token(site, kind)
    site.page("/forged", tag=f'<script src="{SCRIPT}" defer data-url="{ENDPOINT}" data-p="{token}"></script>')
    tab.go(site.url + "/forged")
    tab.run("ma.track('seen')")
    time.sleep(1)
    tab.close()
    site.wait(lambda: site.accepted("e"))
    assert {message.body["t"] for message in site.messages} == {token}
    assert {message.status for message in site.messages} == {204}
    assert {model: site.server.count(model) for model in NOTHING} == NOTHING
    assert browser.command("Storage.getCookies")["cookies"] == []


def test_automated_browser__is_marked_and_earns_nothing(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D48
    tab.go(site.url + "/a")
    assert tab.run("navigator.webdriver")
    site.wait(lambda: browser.command("Storage.getCookies")["cookies"])
    browser.command("Storage.clearCookies")
    ordinary = browser.tab()
    ordinary.before_load(ORDINARY)
    ordinary.go(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    assert [(view.is_bot, view.url) for view in site.views()] == [
        (True, site.url + "/a"),
        (False, site.url + "/b"),
    ]
    site.server.order("react")
    earned = (
        "SELECT v.is_bot FROM wagtail_ma_scoreentry s JOIN wagtail_ma_visit v ON v.visitor_id = s.visitor_id"
    )
    assert set(site.server.rows(earned)) == {(0,)}
    standing = "SELECT COUNT(*) FROM wagtail_ma_standing WHERE lifetime > 0"
    assert site.server.rows(standing) == [(1,)]


def test_page__open_across_midnight__is_one_visit(site: Site, tab: Tab) -> None:  # D50
    now = datetime.now(UTC)
    evening = now.astimezone(TOKYO).replace(hour=23, minute=50, second=0)
    first = (evening - now + timedelta(days=1)).total_seconds()
    site.server.order("clock", first)
    tab.go(site.url + "/a")
    # The view is stored a moment before the browser has its key.
    site.wait(lambda: tab.browser.command("Storage.getCookies")["cookies"])
    for minute in range(1, 21):
        site.server.order("clock", first + 60 * minute)
        tab.key("Shift", 16)
        if minute == 15:
            tab.go(site.url + "/b")
        tab.run("ma.track('minute')")
        site.wait(lambda minute=minute: len(site.activities()) == minute)
    tab.close()
    assert len(site.activities()) == 20
    ((started, last),) = site.server.rows("SELECT started_at, last_at FROM wagtail_ma_visit")
    times = [datetime.fromisoformat(text).replace(tzinfo=UTC).astimezone(TOKYO) for text in (started, last)]
    assert [(moment.hour, moment.minute) for moment in times] == [(23, 50), (0, 10)]
    assert len({view.visit for view in site.views()}) == 1
    assert len({view.at.astimezone(TOKYO).date() for view in site.views()}) == 2


def test_history__pushed_without_a_new_tag__page_is_found_by_its_address(site: Site, tab: Tab) -> None:
    one, two = (site.server.order("publish", {"title": name, "slug": name}) for name in ("one", "two"))
    tab.go(site.url + "/one/")
    site.wait(site.views)
    for count, path in enumerate(("/two/", "/app/part/?x=1", "/"), 2):
        tab.run(f"history.pushState({{}}, '', '{path}')")
        site.wait(lambda count=count: len(site.views()) == count)
    tab.close()
    time.sleep(0.5)
    keys = [view.key for view in site.views()]
    # (No token has ever named "/app/part/": the view counts for the page that its token names.)
    assert keys[:3] == [f"page:{one}", f"page:{two}", f"page:{one}"]
    assert [view.title for view in site.views()] == ["one", "two", "one", "Home"]
    assert site.server.count("trackedpage") == 3


def test_history__forged_paths__make_no_pages(site: Site, tab: Tab) -> None:
    tab.go(site.url + "/a")
    site.wait(site.views)
    known = site.accepted("p")[0]
    for number in range(5):
        id_ = f"{known['v'][:-1]}{'fedcb'[number]}"
        forged = json.dumps({**known, "v": id_, "y": "s", "u": f"{site.url}/never/{number}/"})
        tab.run(f"void fetch('{ENDPOINT}', {{ method: 'POST', body: {json.dumps(forged)} }})")
        site.wait(lambda number=number: len(site.accepted("p")) == number + 2)
    assert site.server.count("trackedpage") == 1
