"""axe, the usual checker of accessibility, has nothing to say about what visitors get from us."""

from __future__ import annotations

import uuid

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.browser.people import Watched, editor, visitor
from tests.browser.running_site import RunningSite

pytestmark = pytest.mark.browser

FORM = "form[data-ma-form]"
# What WCAG 2.2 AA asks for.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
SCREENS = ["visitors", "segments", "mails", "mails/add", "scenarios", "scoring", "forms", "sending-rules"]


def faults(page: Page, within: str = "html") -> list[str]:
    """What axe finds: the rule and where."""
    found = Axe().run(page, context=within, options=RULES).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("path", ["/en/whitepaper/", "/ja/contact/", "/ma/form/1/"])
def test_form__as_it_comes_and_with_errors__axe_finds_nothing(
    full_site: RunningSite, playing: Browser, path: str
) -> None:
    page = visitor(playing).page
    page.goto(full_site.url + path)
    assert faults(page, FORM) == []
    # Without the script's own checks, so that the server's errors are shown.
    page.eval_on_selector(FORM, "form => { form.noValidate = true }")
    page.fill(f"{FORM} [name=email]", "nobody")
    page.wait_for_timeout(2_200)
    page.click(f"{FORM} button[type=submit]")
    expect(page.locator(".errorlist").first).to_be_visible()
    assert faults(page, FORM) == []


def test_pages_of_ours__bad_link_and_unsubscribe__axe_finds_nothing(
    full_site: RunningSite, playing: Browser
) -> None:
    page = visitor(playing, "en").page
    for path in (f"/ma/m/u/{uuid.uuid4().hex[:24]}", "/ma/download/forged/", "/ma/form/1/"):
        page.goto(full_site.url + path)
        assert faults(page) == [], path


@pytest.fixture(scope="module")
def colleague(full_site: RunningSite, playing: Browser) -> Watched:
    return editor(playing, full_site.admin)


@pytest.mark.parametrize("screen", SCREENS)
def test_admin__our_part_of_the_screen__axe_finds_nothing(
    full_site: RunningSite, colleague: Watched, screen: str
) -> None:
    """Within ``main``: the frame around it is Wagtail's."""
    colleague.page.goto(f"{full_site.admin}marketing/{screen}/")
    assert faults(colleague.page, "#main") == []
