"""What must add nothing to a page view: sleep, freezing, dialogs, clocks that are set. In a real window.

Two seconds may be added to what was read before and after (the longest step that the tracker takes), and
nothing may be lost.
"""

from __future__ import annotations

import signal

import pytest

from tests.browser.chromium import Browser, Tab
from tests.browser.stored import View
from tests.browser.tracker_site import Site
from tests.browser.watch import TOLERANCE, about, lasting, left, pause, read, watch

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def fresh_watch(tab: Tab) -> None:
    watch.restart()


def has_two_seconds_more_at_most(view: View, seconds: float) -> bool:
    """All that was read is there, and of the pause hardly anything."""
    return seconds * 1000 - TOLERANCE <= view.engaged <= (seconds + 2 + watch.lost()) * 1000


def test_sleep__processes_stopped__adds_two_seconds_at_most(site: Site, own_browser: Browser) -> None:  # D25
    watch.restart()  # starting the browser took a while
    tab = own_browser.tab()
    tab.go(site.url + "/a")
    read(tab, 1)
    own_browser.signal(signal.SIGSTOP)
    pause(lasting(300, 6))
    own_browser.signal(signal.SIGCONT)
    read(tab, 1)
    (view,) = left(tab, site)
    assert has_two_seconds_more_at_most(view, 2)


def test_frozen_page__thawed__adds_two_seconds_at_most(site: Site, browser: Browser, tab: Tab) -> None:  # D27
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.command("Page.setWebLifecycleState", state="frozen")
    pause(lasting(60, 5))
    tab.command("Page.setWebLifecycleState", state="active")
    # To be frozen it was hidden; thawed, it is not shown again by itself.
    assert tab.run("document.hidden")
    other = browser.tab()
    tab.front()
    tab.until("!document.hidden && document.hasFocus()")
    read(tab, 1)
    (view,) = left(tab, site)
    assert has_two_seconds_more_at_most(view, 2)
    other.close()


def test_alert__open_for_a_time__adds_two_seconds_at_most(site: Site, tab: Tab) -> None:  # D49
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.browser.send("Runtime.evaluate", tab.session, expression="alert('Hello')")
    pause(lasting(20, 5))
    tab.command("Page.handleJavaScriptDialog", accept=True)
    read(tab, 1)
    (view,) = left(tab, site)
    assert has_two_seconds_more_at_most(view, 2)


# The button lies in a shadow tree of a shadow tree. (Closing the dialog's target leaves the page waiting.)
CANCEL = """(function press(root) {
  for (let element of root.querySelectorAll("*")) {
    if (element.matches(".cancel-button")) element.click();
    else if (element.shadowRoot) press(element.shadowRoot);
  }
})(document)"""


def test_print_dialog__open_for_a_time__adds_two_seconds_at_most(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D49
    tab.go(site.url + "/a")
    read(tab, 1)
    browser.send("Runtime.evaluate", tab.session, expression="print()")
    pause(lasting(20, 5))
    (dialog,) = [target for target in browser.targets() if target["url"] == "chrome://print/"]
    browser.send("Runtime.evaluate", Tab(browser, dialog["targetId"]).session, expression=CANCEL)
    tab.until("document.hasFocus()")
    read(tab, 1)
    (view,) = left(tab, site)
    assert has_two_seconds_more_at_most(view, 2)


def test_covered_window__timers_throttled__adds_nothing(
    site: Site, browser: Browser, tab: Tab
) -> None:  # D31
    seconds = lasting(20, 4)
    tab.go(site.url + "/a")
    tab.run("(() => { window.turns = 0; setInterval(() => turns++, 100) })()")
    read(tab, 2)
    assert tab.run("turns") > 10
    cover = browser.tab(window=True)
    tab.until("document.hidden")
    before = tab.run("turns")
    pause(seconds)
    # Once a second in place of ten times.
    assert tab.run("turns") - before <= seconds + 2
    assert tab.run("document.hidden")
    (view,) = left(tab, site)
    assert about(view.engaged, 2)
    cover.close()


def test_blocked_page__while_reading__loses_little(site: Site, tab: Tab) -> None:  # D30
    tab.go(site.url + "/a")
    read(tab, 1)
    tab.run("(() => { let end = performance.now() + 5000; while (performance.now() < end); })()")
    read(tab, 1)
    (view,) = left(tab, site)
    assert view.engaged >= 7000 - 3000 - TOLERANCE
    assert view.engaged <= view.visible <= (7 + watch.lost()) * 1000
    assert tab.errors() == []


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
