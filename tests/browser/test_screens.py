"""Every screen of the Marketing menu with data in it, in both languages."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from tests.browser.people import editor
from tests.browser.running_site import RunningSite
from tests.browser.tour import tour

pytestmark = pytest.mark.browser

FULL = {
    "overview",
    "visitors",
    "visitors/N",
    "segments",
    "segments/new",
    "segments/edit/N",
    "scoring",
    "scoring/new",
    "scoring/edit/N",
    "forms",
    "forms/new",
    "forms/edit/N",
    "gated-documents",
    "gated-documents/new",
    "senders",
    "senders/edit/N",
    "mails",
    "mails/add",
    "mails/edit/N",
    "mails/results/N",
    "scenarios",
    "scenarios/add",
    "scenarios/inspect/N",
    "scenarios/edit/N",
}


@pytest.mark.parametrize("language", ["en", "ja"])
def test_admin__with_data__every_screen_is_in_order(
    full_site: RunningSite, playing: Browser, language: str
) -> None:
    watched = editor(playing, full_site.admin, language)
    seen, wrong = tour(watched, full_site, "full", language)
    assert not wrong, "\n".join(wrong)
    assert seen >= FULL
