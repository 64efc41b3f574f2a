"""How much attention did a page view get? In a real window, with real focus.

Waiting times are compressed by the tracker's own setting (data-idle). What is asserted are the rows that the
server stored (``site.views()``), totals in milliseconds.
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import ARTICLE, Site
from tests.browser.watch import TOLERANCE, about, left, near, pause, read, watch

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_watch(tab: Tab) -> None:
    watch.restart()


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


@pytest.mark.parametrize("minutes", [30, 60])
def test_pinned_tab__two_hours_in_front__counts_half_an_hour(
    site: Site, tab: Tab, minutes: int
) -> None:  # D29
    if minutes != 30:
        site.configure(ENGAGED_CAP_SECONDS=minutes * 60)
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
    assert view.engaged == minutes * 60 * 1000
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
    browser.send("Runtime.evaluate", tab.session, expression="print()")
    pause(5)
    (dialog,) = [target for target in browser.targets() if target["url"] == "chrome://print/"]
    browser.command("Target.closeTarget", targetId=dialog["targetId"])
    read(tab, 1)
    assert left(tab, site)[0].engaged <= 4000 + watch.lost() * 1000


def test_hidden__then_discarded__keeps_what_was_read(site: Site, browser: Browser, tab: Tab) -> None:  # D52
    tab.go(site.url + "/a")
    read(tab, 2)
    browser.tab()
    site.wait(lambda: site.accepted("e"))
    browser.send("Page.crash", tab.session)  # never answered
    pause(0.3)
    (view,) = site.views()
    assert about(view.engaged, 2)
