"""What sales people do with lists and lead pages on the running example site."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser

# An open lead page must say what happens within this.
SOON_MS = 10_000


def test_lead_page__visitor_reads_on_during_the_call__says_so_within_ten_seconds(
    full_site: RunningSite, playing: Browser
) -> None:
    somebody = visitor(playing)
    somebody.page.goto(f"{full_site.url}/ja/pricing/")
    sales = editor(playing, full_site.admin)

    def is_listed() -> bool:
        sales.page.goto(f"{full_site.admin}marketing/visitors/?list=all&ordering=-last_seen_at")
        newest = sales.page.locator("tbody tr").first
        if "Anonymous" not in newest.inner_text():
            return False
        newest.locator(".title-wrapper a").first.click()
        sales.page.wait_for_load_state()
        return sales.page.locator(".ma-timeline__row--view").count() == 1

    assert eventually(is_listed), full_site.log("worker")
    # What is folded open stays so.
    ledger = sales.page.locator("details.ma-ledger")
    ledger.locator("summary").click()
    sales.page.locator("body").click(position={"x": 2, "y": 2})
    somebody.page.goto(f"{full_site.url}/ja/faq/")
    expect(sales.page.locator(".ma-timeline__row--view")).to_have_count(2, timeout=SOON_MS)
    expect(ledger).to_have_attribute("open", "")
    sales.shot("lead-page-during-the-call")
    assert somebody.faults() == sales.faults() == []


def test_bulk__everybody_of_a_filtered_list__into_a_segment_and_nobody_else(
    full_site: RunningSite, playing: Browser
) -> None:
    sales = editor(playing, full_site.admin)
    page = sales.page
    page.goto(f"{full_site.admin}marketing/visitors/?list=all&who=lead")
    names = [name.strip() for name in page.locator("tbody .title-wrapper a").all_inner_texts()]
    count = len(names)
    assert count > 1
    page.locator("thead input[data-bulk-action-select-all-checkbox]").check()
    page.locator("[data-bulk-action-footer] a", has_text="Segment").first.click()
    expect(page.get_by_text(re.compile(f"^{count} people are selected:"))).to_be_visible()
    choice = page.locator("select[name=segment]")
    choice.select_option(label="採用ページの読者")
    segment = choice.input_value()
    page.get_by_label("Put into it").check()
    sales.shot("bulk-into-a-segment")
    page.get_by_role("button", name="Do it").click()
    page.wait_for_load_state()

    def are_members() -> bool:
        page.goto(f"{full_site.admin}marketing/visitors/?segment={segment}&who=lead")
        shown = [name.strip() for name in page.locator("tbody .title-wrapper a").all_inner_texts()]
        return sorted(shown) == sorted(names)

    assert eventually(are_members), full_site.log("worker")
    assert sales.faults() == []
