"""The visitor's path on the running example site: from a page view to a name and a download."""

from __future__ import annotations

import re
import time
import uuid
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from company.content.marketing import VARIANTS
from tests.browser.mail_sink import MailSink, body
from tests.browser.people import editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.browser

PRICING_CALL, DEFAULT_CALL = (VARIANTS["ja"][key][0] for key in ("pricing", "default"))
# The first paper that the example site loads.
DOCUMENT = "documents/1/ninety-days-ja.pdf"
FORM = "form[data-ma-form]"


def read(page: Page, url: str, *, seconds: float = 0) -> None:
    """Open a page and look at it, with a hand on the mouse."""
    page.goto(url)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.mouse.move(300 + time.monotonic() % 100, 300)
        page.wait_for_timeout(250)


def fill(page: Page, email: str) -> None:
    """The whitepaper form, as a person fills it in: slower than a robot."""
    page.fill(f"{FORM} [name=email]", email)
    page.fill(f"{FORM} [name=company_name]", "例示商事株式会社")
    page.fill(f"{FORM} [name=family_name]", "架空")
    page.wait_for_timeout(2_500)


def send(page: Page) -> None:
    page.click(f"{FORM} button[type=submit]")


def file_of(site: RunningSite) -> bytes:
    return (site.var / "media" / "documents" / Path(DOCUMENT).name).read_bytes()


def link_in(mail: EmailMessage) -> str:
    found = re.search(r"http://localhost:\d+/ma/download/[\w-]+/", body(mail))
    assert found, body(mail)
    return found[0]


def test_home_page__pricing_read_three_times__shows_the_variant_to_this_browser_alone(
    full_site: RunningSite, playing: Browser
) -> None:
    somebody, stranger = visitor(playing), visitor(playing)
    home = f"{full_site.url}/ja/"
    read(somebody.page, home)
    expect(somebody.page.get_by_text(DEFAULT_CALL)).to_be_visible()
    for _time in range(3):
        read(somebody.page, f"{home}pricing/", seconds=1)

    def sees_variant() -> bool:
        read(somebody.page, home)
        return somebody.page.get_by_text(PRICING_CALL).count() == 1

    assert eventually(sees_variant), full_site.log("worker")
    assert somebody.page.get_by_text(DEFAULT_CALL).count() == 0
    somebody.shot("visitor-home-pricing-reader")
    read(stranger.page, home)
    assert stranger.page.get_by_text(DEFAULT_CALL).count() == 1
    assert stranger.page.get_by_text(PRICING_CALL).count() == 0
    assert somebody.faults() == stranger.faults() == []


def test_whitepaper__asked_for__downloads_mails_and_names_the_visitor(
    full_site: RunningSite, playing: Browser, sink: MailSink
) -> None:
    reader, colleague = visitor(playing), editor(playing, full_site.admin)
    email = f"shiken-{uuid.uuid4().hex[:8]}@example.com"
    read(reader.page, f"{full_site.url}/ja/case-studies/", seconds=3)
    read(reader.page, f"{full_site.url}/ja/pricing/", seconds=2)
    anonymous, address = newest_in_list(colleague.page, full_site)
    assert re.fullmatch(r"Anonymous #[0-9A-F]{4,}", anonymous)

    read(reader.page, f"{full_site.url}/ja/whitepaper/")
    reader.page.goto(f"{full_site.url}/{DOCUMENT}")
    assert "/ma/form/" in reader.page.url, "the direct address must lead to the form"
    fill(reader.page, "not an address")
    # The browser's own check would not let it out: what the server says is to be seen.
    reader.page.eval_on_selector(FORM, "form => { form.noValidate = true }")
    send(reader.page)
    wrong = reader.page.locator(".ma-form__field--wrong")
    expect(wrong).to_have_count(1)
    expect(wrong.locator("[name=email]")).to_have_value("not an address")
    assert wrong.locator(".errorlist").inner_text().strip()
    reader.shot("visitor-form-wrong-address")
    assert sink.to(email) == []

    fill(reader.page, email)
    with reader.page.expect_download() as download:
        send(reader.page)
        reader.page.wait_for_url("**sent=**")
        reader.shot("visitor-form-thanks")
    assert download.value.path().read_bytes() == file_of(full_site)
    # From now on this browser has the document at its direct address, too; another one has not.
    answer = reader.page.request.get(f"{full_site.url}/{DOCUMENT}")
    assert answer.body() == file_of(full_site)
    stranger = visitor(playing)
    stranger.page.goto(f"{full_site.url}/{DOCUMENT}")
    assert "/ma/form/" in stranger.page.url

    mail = sink.wait(email, lambda mail: "/ma/download/" in body(mail), seconds=PATIENCE_SECONDS)
    stranger.page.goto(link_in(mail))
    with stranger.page.expect_download() as download:
        stranger.page.click("main form button")
    assert download.value.path().read_bytes() == file_of(full_site)

    check_row(colleague.page, full_site, address, email)
    check_visitor_page(colleague.page, full_site, address, email)
    colleague.shot("admin-visitor-named")
    assert reader.faults() == [problem for problem in reader.faults() if "422" in problem], (
        "only the refused form may be reported"
    )
    assert colleague.faults() == []


def newest_in_list(page: Page, site: RunningSite) -> tuple[str, str]:
    """Label and address of who was seen last, as soon as the worker has put them into the list."""
    started = page.evaluate("Date.now()")
    url = f"{site.admin}marketing/visitors/?list=all&who=anonymous&ordering=-last_seen_at"

    def is_there() -> bool:
        page.goto(url)
        row = page.locator("table.listing tbody tr").first
        # Somebody who has read case studies and prices has two pages.
        return row.locator("td").nth(6).inner_text().strip() == "2" and started > 0

    assert eventually(is_there), site.log("worker")
    link = page.locator("table.listing tbody tr").first.locator("td.title a")
    return link.inner_text().strip(), str(link.get_attribute("href"))


def check_row(page: Page, site: RunningSite, address: str, email: str) -> None:
    """The same row of the list has a name now."""

    def is_named() -> bool:
        page.goto(f"{site.admin}marketing/visitors/?q={email}")
        links = page.locator("table.listing tbody td.title a")
        return links.count() == 1 and "架空" in links.inner_text()

    assert eventually(is_named), site.log("worker")
    row = page.locator("table.listing tbody tr")
    assert row.locator("td.title a").get_attribute("href") == address
    expect(row).to_contain_text("例示商事株式会社")
    expect(row.locator(".w-status").filter(has_text="Named")).to_have_count(1)


def check_visitor_page(page: Page, site: RunningSite, address: str, email: str) -> None:
    """The whole history, also of the anonymous time, and a score that is the sum of its rows."""

    def is_complete() -> bool:
        page.goto(site.url + address)
        return page.locator(".ma-timeline__row--mail").count() > 0

    assert eventually(is_complete), site.log("worker")
    expect(page.locator("#timeline-section")).to_be_visible()
    kinds = page.eval_on_selector_all(
        ".ma-timeline__row", "rows => rows.map(row => row.className.match(/row--(\\w+)/)[1])"
    )
    views = page.locator(".ma-timeline__row--view")
    before = kinds[kinds.index("link") :]
    assert before.count("view") >= 2, "the anonymous time comes before the identification"
    seconds = views.filter(has_text="導入事例").locator(".ma-timeline__seconds").first.inner_text()
    assert int(re.findall(r"\d+", seconds)[0]) >= 1, seconds
    titles = page.locator(".ma-timeline__row--activity").all_inner_texts()
    assert any(title.count("Downloaded") for title in titles), titles
    expect(page.locator(".ma-timeline__row--mail")).to_have_count(1)
    expect(page.locator("#who-section dl")).to_contain_text(email)

    rows = page.locator("#score-section table:has(tfoot)")
    shares = [float(text) for text in rows.locator("tbody tr td:last-child").all_inner_texts()]
    total = float(rows.locator("tfoot td:last-child").inner_text())
    assert len(shares) >= 3
    assert sum(shares) == pytest.approx(total, abs=0.01 * len(shares))
    card = page.locator(".ma-card").filter(has=page.get_by_text("Score now", exact=True))
    score = float(card.locator(".ma-card__value").inner_text())
    assert score == pytest.approx(total, abs=0.06)
    page.locator("#score-section details.ma-ledger summary").click()
    entries = page.locator("#score-section details.ma-ledger tbody tr td:last-child").all_inner_texts()
    assert sum(float(text) for text in entries) == pytest.approx(total, abs=0.01 * len(entries))


EXPIRED_LINK = """
from datetime import timedelta
from django.utils import timezone
from wagtail_ma.forms import downloads
from wagtail_ma.forms.models import Submission
sent = Submission.objects.filter(document_id=1).first()
print(downloads.make_link(sent, now=timezone.now() - timedelta(days=8), by_mail=True))
"""


def test_download_link__forged_or_expired__says_so_and_offers_the_form(
    full_site: RunningSite, playing: Browser
) -> None:
    expired = full_site.shell(EXPIRED_LINK).splitlines()[-1]
    forged = expired[:-3] + ("A" if expired[-3] != "A" else "B") + expired[-2:]
    somebody = visitor(playing)
    for link, status in ((expired, 410), (forged, 403)):
        answer = somebody.page.goto(full_site.url + link)
        assert answer is not None
        assert answer.status == status
        assert "attachment" not in answer.headers.get("content-disposition", "")
        somebody.shot(f"visitor-link-{status}")
        somebody.page.click("main a.ma-button")
        expect(somebody.page.locator(FORM)).to_be_visible()
        assert "document=1" in somebody.page.url
