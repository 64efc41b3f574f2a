"""Every screen of the Marketing menu while there is nothing to show, in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.people import editor
from tests.browser.running_site import RunningSite
from tests.browser.tour import tour

pytestmark = pytest.mark.browser

EMPTY = {
    "overview",
    "visitors",
    "segments",
    "scoring",
    "forms",
    "gated-documents",
    "senders",
    "mails",
    "scenarios",
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_admin__on_the_first_day__every_screen_is_in_order(
    empty_site: RunningSite, playing: Browser, language: str
) -> None:
    watched = editor(playing, empty_site.admin, language)
    seen, wrong = tour(watched, empty_site, "empty", language)
    assert not wrong, "\n".join(wrong)
    assert seen >= EMPTY
