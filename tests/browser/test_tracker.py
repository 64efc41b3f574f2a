"""How much attention did a page view get? In a real window, with real focus.

Waiting times are compressed by the tracker's own setting (data-idle), others by ``lasting``. What is asserted
are the rows that the server stored (``site.views()``), totals in milliseconds.
"""

from __future__ import annotations

import signal
import time

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.tracker_site import ARTICLE, Site
from tests.browser.watch import HAS_FULL_TIMES, TOLERANCE, about, act, lasting, left, near, pause, read, watch

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_watch(tab: Tab) -> None:
    watch.restart()


def test_reading__active_all_the_time__counts_all_of_it(site: Site, tab: Tab) -> None:  # D01
    seconds = lasting(10, 6)
    tab.go(site.url + "/a")
    read(tab, seconds, every=2)
    tab.go(site.url + "/b")
    site.wait(lambda: len(site.views()) == 2)
    view, _ = site.views()
    assert (view.url, view.key.partition(":")[0]) == (site.url + "/a", "url")
    assert site.ways() == ["n", "n"]
    assert (site.server.count("visitor"), site.server.count("visit")) == (1, 1)
    assert about(view.engaged, seconds)


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
    seconds = lasting(5, 2)
    tab.go(site.url + "/a")
    read(tab, seconds)
    other = browser.tab()
    pause(lasting(20, 4))
    tab.front()
    read(tab, seconds)
    (view,) = left(tab, site)
    assert about(view.engaged, 2 * seconds)
    assert about(view.visible, 2 * seconds)
    other.close()


def test_other_window__has_the_focus__stops_engaged_only(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D07
    seconds = lasting(20, 4)
    tab.place(0, 0, 650, 800)
    tab.go(site.url + "/a")
    read(tab, 2)
    other = browser.tab(window=True)
    other.place(700, 0, 600, 800)
    # The new window opens on top of the old one before it is put aside.
    pause(seconds)
    assert tab.run("!document.hidden && !document.hasFocus()")
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    assert view.visible >= view.engaged + (seconds - 1) * 1000
    other.close()


def test_unfocused_window__never_focused__is_visible_only(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D08
    seconds = lasting(15, 3)
    tab.place(0, 0, 650, 800)
    other = browser.tab(window=True)
    other.place(700, 0, 600, 800)
    pause(0.5)
    tab.go(site.url + "/a")
    assert tab.run("!document.hidden && !document.hasFocus()")
    pause(seconds)
    (view,) = left(tab, site)
    assert view.engaged == 0
    assert about(view.visible, seconds)
    other.close()


# A page in a frame; it tells the page around it how much of the input it got.
FILM = """<!doctype html><p>A film</p><script>
let count = 0;
for (let kind of ["keydown", "pointermove"]) addEventListener(kind, () => parent.postMessage(++count, "*"));
</script>"""
COUNTING = """<script>
let inside = 0, outside = 0;
addEventListener("message", (event) => (inside = event.data));
for (let kind of ["keydown", "pointermove"]) addEventListener(kind, () => (outside = performance.now()));
</script>"""


def frame_clicked(site: Site, tab: Tab, origin: str, *, idle: str) -> None:
    """Open a page with a frame at its top left and click into it."""
    site.put("/frame", FILM)
    frame = f'{COUNTING}<iframe src="{origin}/frame" width="600" height="400"></iframe>'
    site.page("/film", frame + ARTICLE, idle=idle)
    tab.go(site.url + "/film")
    tab.click("iframe")
    tab.until("document.activeElement.tagName == 'IFRAME'")


def test_frame__of_this_site_used__keeps_the_attention(site: Site, tab: Tab) -> None:  # D09
    seconds = lasting(10, 4)
    frame_clicked(site, tab, site.url, idle="2")

    def use(rest: float) -> None:
        tab.move(100 + 10 * rest, 100)
        tab.key("a")

    begun = tab.run("performance.now()")
    act(use, seconds)
    # All of it went into the frame, where the tracker cannot see it.
    assert tab.run("inside") >= 2 * seconds
    assert tab.run("outside") < begun
    (view,) = left(tab, site)
    assert about(view.engaged, seconds)


def test_frame__of_another_site__keeps_the_attention_beyond_the_gate(site: Site, tab: Tab) -> None:  # D10
    frame_clicked(site, tab, site.elsewhere, idle="1")
    pause(4)
    assert tab.run("document.activeElement.tagName == 'IFRAME' && document.hasFocus()")
    (view,) = left(tab, site)
    assert about(view.engaged, 4)


def test_frame__of_another_site_untouched__counts_up_to_the_longer_gate(site: Site, tab: Tab) -> None:  # D10
    frame_clicked(site, tab, site.elsewhere, idle="1")
    pause(13)
    # The pointer may have crossed the page around the frame on its way there (ms since it was loaded).
    crossed = tab.run("outside")
    (view,) = left(tab, site)
    assert -TOLERANCE <= view.engaged - 10_000 <= TOLERANCE + crossed
    assert about(view.visible, 13)


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
    seconds = lasting(4, 3)
    tab.go(site.url + "/a")
    pause(seconds)
    (view,) = left(tab, site)
    assert about(view.engaged, seconds)


def test_browser__killed__keeps_the_last_heartbeat(site: Site, own_browser: Browser) -> None:  # D12
    watch.restart()  # starting the browser took a while
    tab = own_browser.tab()
    tab.go(site.url + "/a")
    read(tab, 25)
    own_browser.signal(signal.SIGKILL)
    pause(0.3)
    (view,) = site.views()
    assert 20_000 - TOLERANCE <= view.engaged <= (25 + watch.lost()) * 1000


def test_two_tabs__read_in_turn__never_count_together(site: Site, browser: Browser, tab: Tab) -> None:  # D28
    turns, seconds = (4, 5.0) if HAS_FULL_TIMES else (2, 1.5)
    begun = time.monotonic()
    tab.go(site.url + "/a")
    read(tab, seconds)
    other = browser.tab(site.url + "/a")
    for shown in [other, *[tab, other] * (turns - 1)]:
        shown.front()
        read(shown, seconds)
    other.close()
    first, second = left(tab, site, 2)
    assert about(first.engaged, turns * seconds)
    assert about(second.engaged, turns * seconds)
    assert first.engaged + second.engaged <= (time.monotonic() - begun) * 1000
    assert (first.visit, site.server.count("visit")) == (second.visit, 1)


@pytest.mark.parametrize("minutes", [30, 60])
def test_pinned_tab__two_hours_in_front__counts_half_an_hour(
    site: Site, tab: Tab, minutes: int
) -> None:  # D29
    if minutes != 30:
        site.configure(ENGAGED_CAP_SECONDS=minutes * 60)
    tab.before_load(
        "window.skew = 0; performance.now = (real => () => real() + skew)(performance.now.bind(performance))"
    )
    tab.go(site.url + "/a")
    site.wait(site.views)
    site.server.order("clock", 2 * 3600)
    for turn in range(2 * 3600 // 20):
        # Twenty seconds in steps of two (focus events make the clock look), then a sign of life.
        tab.run("for (let i = 0; i < 10; i++) { skew += 2000; dispatchEvent(new Event('focus')) }")
        tab.move(300 + turn % 2, 300)
    (view,) = left(tab, site)
    assert view.engaged == minutes * 60 * 1000
    last = site.accepted("e")[-1]
    # (The script counts on; where it ends is the server's to say.)
    assert last["e"] >= 2 * 3600 * 1000 - TOLERANCE
    assert last["o"] >= 2 * 3600 * 1000


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


def test_hidden__then_discarded__keeps_what_was_read(site: Site, browser: Browser, tab: Tab) -> None:  # D52
    tab.become_phone()
    asked: list[str] = []
    site.on_get = asked.append
    tab.before_load("addEventListener('pagehide', () => fetch('/leaving', { keepalive: true }))")
    site.page("/phone", head='<meta name="viewport" content="width=device-width">')
    tab.go(site.url + "/phone")
    act(lambda rest: tab.swipe(100), 2)
    browser.tab()  # another app
    tab.until("document.hidden")
    site.wait(lambda: site.accepted("e"))
    browser.send("Page.crash", tab.session)  # never answered
    pause(0.3)
    (view,) = site.views()
    assert about(view.engaged, 2)
    assert site.accepted("p")[0]["z"] == 390
    assert "/phone" in asked and "/leaving" not in asked
