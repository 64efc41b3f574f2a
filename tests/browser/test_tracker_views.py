"""What is a page view, and what is not? In a real window; what is asserted are the rows of the server."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.browser.chromium import CONTROL, Browser, Tab
from tests.browser.rows_server import MARK
from tests.browser.tracker_site import SCRIPT, Site
from tests.browser.watch import about, lasting, left, pause, read, watch

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_watch(tab: Tab) -> None:
    watch.restart()


def test_background_tab__closed_unseen__is_no_view(site: Site, browser: Browser, tab: Tab) -> None:  # D04
    tab.go(site.url + "/a")
    known = {target["targetId"] for target in browser.targets()}
    tab.click("#next", modifiers=CONTROL)
    opened = browser.opened(known)
    opened.until("location.pathname == '/b' && document.readyState == 'complete'")
    pause(1)
    assert opened.run("document.hidden")
    opened.close()
    pause(0.3)
    assert [view.url for view in site.views()] == [site.url + "/a"]
    assert site.server.count("pagecount") == 0


def test_background_tab__activated_later__begins_then(site: Site, browser: Browser, tab: Tab) -> None:  # D05
    seconds = lasting(5, 3)
    tab.go(site.url + "/a")
    known = {target["targetId"] for target in browser.targets()}
    tab.click("#next", modifiers=CONTROL)
    opened = browser.opened(known)
    opened.until("location.pathname == '/b' && document.readyState == 'complete'")
    pause(lasting(20, 2))
    activated_at = datetime.now(UTC)
    opened.front()
    read(opened, seconds)
    _, view = left(opened, site, 2)
    assert view.url == site.url + "/b"
    assert site.accepted("p")[1]["r"] == site.url + "/a"
    assert view.at >= activated_at
    assert about(view.engaged, seconds)
    assert about(view.visible, seconds)


def test_back__from_the_back_forward_cache__is_a_view_of_its_own(site: Site, tab: Tab) -> None:  # D17, D18
    seconds = lasting(5, 3)
    tab.go(site.url + "/a")
    read(tab, 2)
    tab.go(site.url + "/b")
    read(tab, 1)
    tab.back()
    tab.until("location.pathname == '/a'")
    read(tab, seconds)
    views = left(tab, site, 3)
    assert tab.heard("Page.backForwardCacheNotUsed") == []
    assert [view.url for view in views] == [site.url + path for path in ("/a", "/b", "/a")]
    assert site.ways() == ["n", "n", "b"]
    assert about(views[0].engaged, 2)
    assert about(views[2].engaged, seconds)
    assert site.accepted("p")[2]["r"] == ""


PRERENDER = (
    '<script type="speculationrules">{"prerender": [{"urls": ["/next"], "eagerness": "immediate"}]}</script>'
)
PRERENDERED = """<script>
if (document.prerendering) fetch("/running-unseen");
document.addEventListener("prerenderingchange", () => ma.track("activated"));
</script>"""


def prerendering(site: Site, browser: Browser, script: str = "") -> str:
    """Open a page that has /next prerendered; returns its target once /next runs unseen.

    Nothing is attached to the tab: Chromium prerenders only where no DevTools watch.
    """
    asked: list[str] = []
    site.on_get = asked.append
    site.page("/p", head=f"{PRERENDER}<script>{script}</script>")
    site.page("/next", head=PRERENDERED)
    target = browser.command("Target.createTarget", url=site.url + "/p")["targetId"]
    site.wait(lambda: "/running-unseen" in asked)
    assert "/running-unseen" in asked
    return target


def test_prerendered_page__never_shown__is_no_view(site: Site, browser: Browser) -> None:  # D19
    target = prerendering(site, browser)
    pause(1.5)
    browser.command("Target.closeTarget", targetId=target)
    site.wait(lambda: site.accepted("e"))
    pause(0.3)
    assert [view.url for view in site.views()] == [site.url + "/p"]
    assert site.server.count("trackedpage") == 1


def test_prerendered_page__shown_later__begins_then(site: Site, browser: Browser) -> None:  # D20
    unseen, seconds = lasting(10, 3), lasting(5, 2)
    target = prerendering(site, browser, f"setTimeout(() => (location.href = '/next'), {unseen * 1000})")
    site.wait(lambda: len(site.views()) == 2, unseen + 5)
    watch.restart()  # what it was prerendered before must not count
    pause(seconds)
    browser.command("Target.closeTarget", targetId=target)
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) == 2)
    assert site.activities() == [("activated", {})]
    _, view = site.views()
    assert view.url == site.url + "/next"
    assert about(view.engaged, seconds)


def test_history__pushed__ends_one_view_and_begins_the_next(site: Site, tab: Tab) -> None:  # D21
    here, there = lasting(4, 2), lasting(6, 3)
    token = site.token(site.page("/spa"))
    tab.go(site.url + "/a")
    read(tab, here)
    tab.run("history.pushState({}, '', '/spa')")
    # As Turbo and htmx do: the new page's tag comes with its content.
    tab.run(
        f"(s => {{ s.src = '{SCRIPT}'; s.dataset.p = '{token}'; s.dataset.url = '/ma/e/';"
        "document.head.append(s) })(document.createElement('script'))"
    )
    read(tab, there)
    first, second = left(tab, site, 2)
    assert (first.url, second.url) == (site.url + "/a", site.url + "/spa")
    assert site.ways() == ["n", "s"]
    # Each total carries the token of its own page.
    assert {body["v"]: body["t"] for body in site.accepted("e")} == {
        first.id: site.token("/a"),
        second.id: token,
    }
    assert about(first.engaged, here)
    assert about(second.engaged, there)
    assert site.accepted("p")[1]["r"] == ""


def test_history__back_and_replaced_query__only_back_is_a_view(site: Site, tab: Tab) -> None:  # D22
    token = site.token(site.page("/spa"))
    tab.go(site.url + "/a?x=1&y=2")
    # As a router does that has the new page's token.
    tab.run(f"history.pushState({{}}, '', '/spa?x=1&y=2'); ma.page('{token}')")
    site.wait(lambda: len(site.views()) == 2)
    tab.run("history.replaceState({}, '', '/spa?y=2&x=1')")
    tab.run("location.hash = 'part'")
    pause(1)
    assert len(site.views()) == 2
    tab.run("history.go(-2)")
    site.wait(lambda: len(site.views()) == 3)
    assert [view.url for view in site.views()] == [
        f"{site.url}/a",
        f"{site.url}/spa",
        f"{site.url}/a",
    ]
    assert site.ways() == ["n", "s", "s"]


@pytest.mark.parametrize(("minutes", "views"), [(31, ["n", "r"]), (29, ["n"])])  # D23, D24
def test_hidden__for_a_time__is_a_new_view_after_half_an_hour(
    site: Site, browser: Browser, tab: Tab, minutes: int, views: list[str]
) -> None:
    tab.before_load("window.skew = 0; Date.now = (real => () => real() + skew)(Date.now)")
    tab.go(site.url + "/a")
    read(tab, 1)
    other = browser.tab()
    pause(0.5)
    before = site.views()
    tab.run(f"skew = {minutes} * 60e3")
    site.server.order("clock", minutes * 60)
    tab.front()
    read(tab, 1)
    found = left(tab, site, len(views))
    assert site.ways() == views
    assert site.server.count("visit") == len({view.visit for view in found}) == len(views)
    assert about(sum(view.engaged for view in found), 2)
    if minutes > 30:
        assert before[0] == found[0]
    other.close()


def test_script__loaded_twice__has_one_clock(site: Site, tab: Tab) -> None:  # D51
    site.page("/twice", tag=MARK + MARK)
    tab.go(site.url + "/twice")
    read(tab, 2)
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    assert len(site.accepted("p")) == 1
