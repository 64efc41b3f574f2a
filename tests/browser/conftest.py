"""Fixtures of the tests in a real browser. Without Chromium they are skipped."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium
from tests.browser.mail_sink import MailSink, running_sink
from tests.browser.running_site import RunningSite, prepare, prepare_demo, running
from tests.browser.stored import Server, running_server
from tests.browser.tracker_site import Site, running_site
from tests.browser.watch import HAS_FULL_TIMES

if TYPE_CHECKING:
    from playwright.sync_api import Browser as Playing


# What takes longest begins first, so that the test processes end together (they share the tests by files).
LONGEST = [
    "test_editor_path.py",
    "test_scenario_story.py",
    "test_screens.py",
    "test_tracker.py",
    "test_screens_first_day.py",
    "test_newsletter.py",
    "test_visitor_path.py",
]
# With full times these take longer than all others (7, 4 and 2 minutes, mostly asleep).
if HAS_FULL_TIMES:
    LONGEST = ["test_tracker_pauses.py", "test_tracker.py", "test_tracker_views.py", *LONGEST]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, if nothing else is run."""
    if {item.path.parent for item in items} == {Path(__file__).parent}:
        items.sort(key=lambda item: [*LONGEST, item.path.name].index(item.path.name))


@pytest.fixture(scope="session")
def screen() -> Iterator[str]:
    if not chromium.available():
        pytest.skip("no Chromium (environment variable CHROMIUM) or no display (Xvfb)")
    with chromium.display() as name:
        yield name


@pytest.fixture(scope="module")
def shared_browser(screen: str) -> Iterator[chromium.Browser]:
    with chromium.running_browser(screen) as browser:
        yield browser


@pytest.fixture
def browser(shared_browser: chromium.Browser) -> Iterator[chromium.Browser]:
    """A browser without cookies; its tabs are closed afterwards, but the first, or it would quit."""
    shared_browser.command("Storage.clearCookies")
    kept = {target["targetId"] for target in shared_browser.targets()}
    yield shared_browser
    for target in shared_browser.targets():
        if target["targetId"] not in kept:
            shared_browser.command("Target.closeTarget", targetId=target["targetId"])


@pytest.fixture
def own_browser(screen: str) -> Iterator[chromium.Browser]:
    """A browser that the test may stop or kill."""
    with chromium.running_browser(screen) as browser:
        yield browser


@pytest.fixture(scope="session")
def rows_server(screen: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server that stores what the tracker sends."""
    with running_server(tmp_path_factory.mktemp("rows")) as server:
        yield server


@pytest.fixture
def site(rows_server: Server) -> Iterator[Site]:
    """A fresh origin with the tracker on /a and /b and nothing stored; here it hides the suite's Wagtail
    site."""
    with running_site(rows_server) as running:
        yield running


@pytest.fixture
def tab(browser: chromium.Browser, site: Site) -> chromium.Tab:
    """An empty tab in front."""
    return browser.tab()


@pytest.fixture(scope="session")
def executable() -> str:
    """The installed Chromium; without it nothing below is started."""
    if not shutil.which(chromium.EXECUTABLE):
        pytest.skip("no Chromium (environment variable CHROMIUM)")
    return chromium.EXECUTABLE


@pytest.fixture(scope="session")
def sink(executable: str) -> Iterator[MailSink]:
    """Where all mail of the example sites goes."""
    with running_sink() as running:
        yield running


@pytest.fixture(scope="session")
def bare_site(tmp_path_factory: pytest.TempPathFactory, sink: MailSink) -> Path:
    """An installation that has only been migrated, not running; others begin as its copies."""
    return _once(tmp_path_factory, "bare", lambda directory: prepare(directory, sink))


@pytest.fixture(scope="session")
def demo_site(tmp_path_factory: pytest.TempPathFactory, bare_site: Path, sink: MailSink) -> Path:
    """An installation with visitors, not running; others begin as its copies."""
    return _once(tmp_path_factory, "demo", lambda directory: prepare_demo(directory, bare_site, sink))


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that the first of the test processes makes; the others wait for it."""
    base = factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    directory, done = base / name, base / f"{name}.done"
    with (base / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            shutil.rmtree(directory, ignore_errors=True)
            make(directory)
            done.touch()
    return directory


@pytest.fixture(scope="session")
def full_site(
    tmp_path_factory: pytest.TempPathFactory, demo_site: Path, sink: MailSink
) -> Iterator[RunningSite]:
    """The running example site with visitors."""
    with running(tmp_path_factory.mktemp("full") / "var", sink, begin_as=demo_site) as found:
        yield found


@pytest.fixture(scope="session")
def empty_site(
    tmp_path_factory: pytest.TempPathFactory, bare_site: Path, sink: MailSink
) -> Iterator[RunningSite]:
    """The running example site as on the first day: pages, but nothing of ours."""
    var = tmp_path_factory.mktemp("empty") / "var"
    with running(var, sink, ["load_example_site"], begin_as=bare_site) as found:
        yield found


@pytest.fixture(scope="module")
def playing(executable: str) -> Iterator[Playing]:
    """A headless Chromium. Not for the whole session: Playwright's event loop must not outlive the
    module, or Django refuses the database to the tests after it."""
    from tests.browser import people

    with people.playing() as browser:
        yield browser
