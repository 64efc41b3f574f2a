"""What is a page view, and how much attention did it get? In a real window, with real focus.

Waiting times are compressed by the tracker's own setting (data-idle). What is asserted are the rows that the
server stored (``site.views()``, ``site.activities()``), totals in milliseconds.
"""

from __future__ import annotations

import signal
import time
from datetime import UTC, datetime

import pytest

from tests.browser.chromium import CONTROL, Browser, Tab
from tests.browser.rows_server import MARK
from tests.browser.stored import View
from tests.browser.tracker_site import ARTICLE, SCRIPT, Site

pytestmark = pytest.mark.browser

TOLERANCE = 300


class Watch:
    """What a test meant to wait, and what the machine needed besides (loading, switching tabs)."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.begun = time.monotonic()
        self.planned = 0.0

    def lost(self) -> float:
        return time.monotonic() - self.begun - self.planned


watch = Watch()


@pytest.fixture(autouse=True)
def fresh_watch(tab: Tab) -> None:
    watch.restart()


def near(milliseconds: float, seconds: float) -> bool:
    """Exactly that, within the tolerance: for times that the tracker itself measures out."""
    return abs(milliseconds - seconds * 1000) <= TOLERANCE


def about(milliseconds: float, seconds: float) -> bool:
    """That, or up to the time the machine needed longer than the test meant to wait."""
    return -TOLERANCE <= milliseconds - seconds * 1000 <= TOLERANCE + watch.lost() * 1000


def pause(seconds: float) -> None:
    watch.planned += seconds
    time.sleep(seconds)


def read(tab: Tab, seconds: float) -> None:
    """Be present: move the mouse now and then."""
    watch.planned += seconds
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        tab.move(300 + rest, 300)
        time.sleep(max(0, min(end - time.monotonic(), 0.4)))


def left(tab: Tab, site: Site, count: int = 1) -> list[View]:
    """Close the tab and return the views once so many have their totals."""
    tab.close()
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) >= count, 3)
    time.sleep(0.2)
    return site.views()


def test_reading__active_all_the_time__counts_all_of_it(site: Site, tab: Tab) -> None:  # D01
    tab.go(site.url + "/a")
    read(tab, 6)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    view, _ = site.views()
    assert (view.url, view.key.partition(":")[0]) == (site.url + "/a", "url")
    assert site.ways() == ["n", "n"]
    assert (site.server.count("visitor"), site.server.count("visit")) == (1, 1)
    assert about(view.engaged, 6)


def test_idle__no_input_at_all__counts_up_to_the_gate(site: Site, tab: Tab) -> None:  # D02
    site.page("/idle", idle="2")
    tab.go(site.url + "/idle")
    pause(5)
    (view,) = left(tab, site)
    assert near(view.engaged, 2)
    assert about(view.visible, 5)


def test_idle__key_after_the_gate__leaves_the_gap_out(site: Site, tab: Tab) -> None:  # D03
    site.page("/idle", idle="2")
    tab.go(site.url + "/idle")
    pause(4)
    tab.key("Shift", 16)
    pause(1)
    (view,) = left(tab, site)
    assert about(view.engaged, 3)
    assert about(view.visible, 5)


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
    tab.go(site.url + "/a")
    known = {target["targetId"] for target in browser.targets()}
    tab.click("#next", modifiers=CONTROL)
    opened = browser.opened(known)
    opened.until("location.pathname == '/b' && document.readyState == 'complete'")
    pause(2)
    activated_at = datetime.now(UTC)
    opened.front()
    read(opened, 3)
    _, view = left(opened, site, 2)
    assert view.url == site.url + "/b"
    assert site.accepted("p")[1]["r"] == site.url + "/a"
    assert view.at >= activated_at
    assert about(view.engaged, 3)
    assert about(view.visible, 3)


def test_other_tab__in_front_for_a_while__adds_nothing(site: Site, browser: Browser, tab: Tab) -> None:  # D06
    tab.go(site.url + "/a")
    read(tab, 2)
    other = browser.tab()
    pause(4)
    tab.front()
    read(tab, 2)
    (view,) = left(tab, site)
    assert about(view.engaged, 4)
    assert about(view.visible, 4)
    other.close()


def test_other_window__has_the_focus__stops_engaged_only(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D07
    tab.place(0, 0, 650, 800)
    tab.go(site.url + "/a")
    read(tab, 2)
    other = browser.tab(window=True)
    other.place(700, 0, 600, 800)
    # The new window opens on top of the old one before it is put aside.
    pause(4)
    assert tab.run("!document.hidden && !document.hasFocus()")
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    assert view.visible >= view.engaged + 3000
    other.close()


def test_unfocused_window__never_focused__is_visible_only(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D08
    tab.place(0, 0, 650, 800)
    other = browser.tab(window=True)
    other.place(700, 0, 600, 800)
    pause(0.5)
    tab.go(site.url + "/a")
    assert tab.run("!document.hidden && !document.hasFocus()")
    pause(3)
    (view,) = left(tab, site)
    assert view.engaged == 0
    assert about(view.visible, 3)
    other.close()


@pytest.mark.parametrize("origin", ["url", "elsewhere"])  # D09, D10
def test_frame__clicked__keeps_the_attention(site: Site, tab: Tab, origin: str) -> None:
    site.put("/frame", "<!doctype html><p>A film</p>")
    frame = f'<iframe src="{getattr(site, origin)}/frame" width="600" height="400"></iframe>'
    site.page("/film", frame + ARTICLE, idle="1")
    tab.go(site.url + "/film")
    tab.click("iframe")
    pause(4)
    assert tab.run("document.activeElement.tagName") == "IFRAME"
    (view,) = left(tab, site)
    assert about(view.engaged, 4)


# Ten seconds of silence: 8 kHz, 8 bit, one channel.
AUDIO = """<audio id=sound></audio><script>
let play = (muted) => {
  let bytes = new Uint8Array(44 + 80000).fill(128), view = new DataView(bytes.buffer);
  let word = (at, text) => [...text].forEach((letter, i) => (bytes[at + i] = letter.charCodeAt()));
  let long = (at, value) => view.setUint32(at, value, true);
  let short = (at, value) => view.setUint16(at, value, true);
  word(0, "RIFF"); long(4, 80036); word(8, "WAVEfmt "); long(16, 16); short(20, 1); short(22, 1);
  long(24, 8000); long(28, 8000); short(32, 1); short(34, 8); word(36, "data"); long(40, 80000);
  sound.src = URL.createObjectURL(new Blob([bytes], { type: "audio/wav" }));
  sound.muted = muted;
  return sound.play();
};
</script>"""


@pytest.mark.parametrize(("muted", "expected"), [("false", 4), ("true", 1)])
def test_media__playing_without_input__counts_unless_muted(
    site: Site, tab: Tab, muted: str, expected: float
) -> None:
    site.page("/audio", AUDIO + ARTICLE, idle="1")
    tab.go(site.url + "/audio")
    tab.run(f"play({muted})")
    pause(4)
    (view,) = left(tab, site)
    assert about(view.engaged, 4) if expected == 4 else near(view.engaged, expected)


def test_tab__closed_soon__is_recorded(site: Site, tab: Tab) -> None:  # D11
    tab.go(site.url + "/a")
    pause(3)
    (view,) = left(tab, site)
    assert about(view.engaged, 3)


def test_browser__killed__keeps_the_last_heartbeat(site: Site, own_browser: Browser) -> None:  # D12
    watch.restart()  # starting the browser took a while
    tab = own_browser.tab()
    tab.go(site.url + "/a")
    read(tab, 25)
    own_browser.signal(signal.SIGKILL)
    pause(0.3)
    (view,) = site.views()
    assert 20_000 - TOLERANCE <= view.engaged <= (25 + watch.lost()) * 1000


def test_back__from_the_back_forward_cache__is_a_view_of_its_own(site: Site, tab: Tab) -> None:  # D17, D18
    tab.go(site.url + "/a")
    read(tab, 2)
    tab.go(site.url + "/b")
    read(tab, 1)
    tab.back()
    tab.until("location.pathname == '/a'")
    read(tab, 3)
    views = left(tab, site, 3)
    assert tab.heard("Page.backForwardCacheNotUsed") == []
    assert [view.url for view in views] == [site.url + path for path in ("/a", "/b", "/a")]
    assert site.ways() == ["n", "n", "b"]
    assert about(views[0].engaged, 2)
    assert about(views[2].engaged, 3)
    assert "r" not in site.accepted("p")[2]


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
    target = prerendering(site, browser, "setTimeout(() => (location.href = '/next'), 3000)")
    site.wait(lambda: len(site.views()) == 2)
    watch.restart()  # what it was prerendered before must not count
    pause(2)
    browser.command("Target.closeTarget", targetId=target)
    site.wait(lambda: len({body["v"] for body in site.accepted("e")}) == 2)
    assert site.activities() == [("activated", {})]
    _, view = site.views()
    assert view.url == site.url + "/next"
    assert about(view.engaged, 2)


def test_history__pushed__ends_one_view_and_begins_the_next(site: Site, tab: Tab) -> None:  # D21
    token = site.token(site.page("/spa"))
    tab.go(site.url + "/a")
    read(tab, 2)
    tab.run("history.pushState({}, '', '/spa')")
    # As Turbo and htmx do: the new page's tag comes with its content.
    tab.run(
        f"(s => {{ s.src = '{SCRIPT}'; s.dataset.p = '{token}'; s.dataset.url = '/ma/e/';"
        "document.head.append(s) })(document.createElement('script'))"
    )
    read(tab, 3)
    first, second = left(tab, site, 2)
    assert (first.url, second.url) == (site.url + "/a", site.url + "/spa")
    assert site.ways() == ["n", "s"]
    # Each total carries the token of its own page.
    assert {body["v"]: body["t"] for body in site.accepted("e")} == {first.id: site.token("/a"), second.id: token}
    assert about(first.engaged, 2)
    assert about(second.engaged, 3)
    assert "r" not in site.accepted("p")[1]


def test_history__back_and_replaced_query__only_back_is_a_view(site: Site, tab: Tab) -> None:  # D22
    tab.go(site.url + "/a?x=1&y=2")
    tab.run("history.pushState({}, '', '/spa?x=1&y=2')")
    site.wait(lambda: len(site.views()) == 2)
    tab.run("history.replaceState({}, '', '/spa?y=2&x=1')")
    tab.run("location.hash = 'part'")
    pause(1)
    assert len(site.views()) == 2
    tab.run("history.go(-2)")
    site.wait(lambda: len(site.views()) == 3)
    assert [view.url for view in site.views()] == [
        f"{site.url}/a?x=1&y=2",
        f"{site.url}/spa?x=1&y=2",
        f"{site.url}/a?x=1&y=2",
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


def test_sleep__processes_stopped__adds_two_seconds_at_most(site: Site, own_browser: Browser) -> None:  # D25
    watch.restart()  # starting the browser took a while
    tab = own_browser.tab()
    tab.go(site.url + "/a")
    read(tab, 1)
    own_browser.signal(signal.SIGSTOP)
    pause(6)
    own_browser.signal(signal.SIGCONT)
    read(tab, 1)
    (view,) = left(tab, site)
    assert about(view.engaged, 2) or about(view.engaged, 4)


def test_wall_clock__set_while_reading__changes_nothing(site: Site, tab: Tab) -> None:  # D26
    tab.before_load("window.skew = 0; Date.now = (real => () => real() + skew)(Date.now)")
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.run("skew = 2 * 3600e3")
    read(tab, 1)
    tab.run("skew = -2 * 3600e3")
    read(tab, 1)
    (view,) = left(tab, site)
    assert about(view.engaged, 3)


def test_frozen_page__thawed__adds_two_seconds_at_most(site: Site, tab: Tab) -> None:  # D27
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.command("Page.setWebLifecycleState", state="frozen")
    pause(5)
    tab.command("Page.setWebLifecycleState", state="active")
    read(tab, 1)
    assert left(tab, site)[0].engaged <= 4000 + watch.lost() * 1000


def test_two_tabs__read_in_turn__never_count_together(site: Site, browser: Browser, tab: Tab) -> None:  # D28
    begun = time.monotonic()
    tab.go(site.url + "/a")
    read(tab, 1.5)
    other = browser.tab(site.url + "/a")
    for shown in (other, tab, other):
        shown.front()
        read(shown, 1.5)
    other.close()
    first, second = left(tab, site, 2)
    assert about(first.engaged, 3)
    assert about(second.engaged, 3)
    assert first.engaged + second.engaged <= (time.monotonic() - begun) * 1000
    assert (first.visit, site.server.count("visit")) == (second.visit, 1)


def test_pinned_tab__two_hours_in_front__counts_half_an_hour(site: Site, tab: Tab) -> None:  # D29
    site.page("/long", idle="9999")
    tab.before_load(
        "window.skew = 0; performance.now = (real => () => real() + skew)(performance.now.bind(performance))"
    )
    tab.go(site.url + "/long")
    site.wait(site.views)
    site.server.order("clock", 2 * 3600)
    # Two hours in steps of two seconds; focus events make the clock look.
    tab.run("for (let i = 0; i < 3600; i++) { skew += 2000; dispatchEvent(new Event('focus')) }")
    (view,) = left(tab, site)
    assert view.engaged == 30 * 60 * 1000
    assert site.accepted("e")[-1]["o"] >= 2 * 3600 * 1000


def test_blocked_page__while_reading__loses_little(site: Site, tab: Tab) -> None:  # D30
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.run("(() => { let end = performance.now() + 5000; while (performance.now() < end); })()")
    read(tab, 1)
    (view,) = left(tab, site)
    assert view.engaged >= 7000 - 3000 - TOLERANCE
    assert view.engaged <= view.visible <= (7 + watch.lost()) * 1000
    assert tab.errors() == []


def test_covered_window__timers_throttled__adds_nothing(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D31
    tab.go(site.url + "/a")
    read(tab, 2)
    cover = browser.tab(window=True)
    pause(4)
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    cover.close()


def test_synthetic_input__not_from_a_person__is_no_sign_of_life(site: Site, tab: Tab) -> None:  # D45
    site.page("/idle", idle="1")
    tab.go(site.url + "/idle")
    tab.run(
        "setInterval(() => { for (let i = 0; i < 100; i++)"
        "for (let kind of ['pointermove', 'mousemove', 'keydown'])"
        "dispatchEvent(new MouseEvent(kind, { bubbles: true })) }, 100)"
    )
    # A carousel: scrolls by itself, with events that the browser vouches for.
    tab.run("setInterval(() => scrollBy(0, 1), 100)")
    pause(3)
    (view,) = left(tab, site)
    assert near(view.engaged, 1)


def test_alert__open_for_a_time__adds_two_seconds_at_most(site: Site, tab: Tab) -> None:  # D49
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.browser.send("Runtime.evaluate", tab.session, expression="alert('Hello')")
    pause(5)
    tab.command("Page.handleJavaScriptDialog", accept=True)
    read(tab, 1)
    assert left(tab, site)[0].engaged <= 4000 + watch.lost() * 1000


def test_print_dialog__open_for_a_time__adds_two_seconds_at_most(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D49
    tab.go(site.url + "/a")
    read(tab, 1)
    known = {target["targetId"] for target in browser.command("Target.getTargets")["targetInfos"]}
    tab.browser.send("Runtime.evaluate", tab.session, expression="print()")
    pause(5)
    new = [t for t in browser.command("Target.getTargets")["targetInfos"] if t["targetId"] not in known]
    print("TARGETS", new)
    for target in new:
        browser.command("Target.closeTarget", targetId=target["targetId"])
    read(tab, 1)
    assert left(tab, site)[0].engaged <= 4000 + watch.lost() * 1000


def test_script__loaded_twice__has_one_clock(site: Site, tab: Tab) -> None:  # D51
    site.page("/twice", tag=MARK + MARK)
    tab.go(site.url + "/twice")
    read(tab, 2)
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    assert len(site.accepted("p")) == 1


def test_hidden__then_discarded__keeps_what_was_read(site: Site, browser: Browser, tab: Tab) -> None:  # D52
    tab.go(site.url + "/a")
    read(tab, 2)
    browser.tab()
    site.wait(lambda: site.accepted("e"))
    browser.send("Page.crash", tab.session)  # never answered
    pause(0.3)
    (view,) = site.views()
    assert about(view.engaged, 2)
