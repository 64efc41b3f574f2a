"""A newsletter from the first word to the reader's inbox, by an editor's hands."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, timedelta
from email.message import EmailMessage
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.editing import add_block, choose, field, preview_as, publish, write_text
from tests.browser.mail_sink import MailSink, body
from tests.browser.people import ARTEFACTS, Watched, editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser

ADMIN_EMAIL = "admin@sample-software.example"
ROWS = "table.listing tbody tr"
MAKE_READERS = """
from django.utils import timezone
from wagtail_ma.messaging import consents
from wagtail_ma.people.models import Identity, Lead, Visitor
from wagtail_ma.segments.models import Membership, Segment
now = timezone.now()
segment = Segment.objects.create(name={segment!r}, rule=[])
for name, agreed in (("ann", True), ("bob", True), ("cy", False)):
    email = f"{{name}}-{key}@example.com"
    visitor = Visitor.objects.create(first_seen_at=now)
    Identity.objects.create(kind="email", key=email, visitor=visitor, created_at=now)
    Lead.objects.create(visitor=visitor, email=email, given_name=name.title(), created_at=now)
    consents.record(visitor, email=email, is_granted=agreed, text="I agree.", source_kind="form",
                    source_key="x", now=now)
    Membership.objects.create(segment=segment, visitor=visitor, entered_at=now)
"""
OWNER = """
from wagtail_ma.core import tokens
from wagtail_ma.people.models import Identity
key = tokens.read("browser", {cookie!r})[0].decode()
print(Identity.objects.get(kind="browser", key=key).visitor.lead.email)
"""


@pytest.fixture
def colleague(full_site: RunningSite, playing: Browser) -> Watched:
    return editor(playing, full_site.admin)


def test_newsletter__written_previewed_tested_scheduled__arrives_and_can_be_stopped(
    full_site: RunningSite, colleague: Watched, playing: Browser, sink: MailSink
) -> None:
    key = uuid.uuid4().hex[:6]
    segment, name = f"Newsletter readers {key}", f"News {key}"
    make_readers(full_site, segment, key)
    page = colleague.page
    write(colleague, full_site, name, segment)
    look_at_previews(page, colleague)
    publish(page)
    edit_url = page.url
    send_test(page, full_site, name, sink)
    send(colleague, edit_url, segment, full_site)
    ann = sink.wait(f"ann-{key}@example.com", lambda mail: name in str(mail["Subject"]), seconds=60)
    bob = sink.wait(f"bob-{key}@example.com", lambda mail: name in str(mail["Subject"]), seconds=60)
    assert sink.to(f"cy-{key}@example.com") == []
    assert "Hello Ann" in body(ann) and "Hello Bob" in body(bob)
    assert "FOR READERS" in body(ann) and "FOR OTHERS" not in body(ann)
    reader = read(playing, full_site, ann)
    open_forwarded(reader, colleague, full_site, bob)
    stop(reader, ann)
    keep_picture(reader, ann)

    def is_done() -> bool:
        full_site.tick()
        page.reload()
        return page.get_by_text("3 of 3 are settled (100 %)").count() == 1

    assert eventually(is_done), page.content()
    colleague.shot("editor-newsletter-sent")
    assert reader.faults() == colleague.faults() == []


def make_readers(site: RunningSite, segment: str, key: str) -> None:
    """Three leads put into a segment by hand; one of them has refused mail."""
    site.shell(MAKE_READERS.format(segment=segment, key=key))


def write(colleague: Watched, site: RunningSite, name: str, segment: str) -> None:
    """Heading, text with a merge field taken from the list, a button, a block for a segment."""
    page = colleague.page
    page.goto(f"{site.admin}marketing/mails/add/")
    page.fill("[name=name]", name)
    page.select_option("[name=sender]", index=1)
    page.select_option("[name=language]", "en")
    page.fill("[name=subject]", f"{name}: three new case studies")
    page.locator("section:has([name=is_tagging]) .w-panel__toggle").last.click()
    page.check("[name=is_tagging]")
    add_block(page, "body", "Text")
    write_text(page, "Hello {{ lead.gi")
    expect(page.locator("#ma-merge-list")).to_be_visible()
    colleague.shot("editor-merge-fields", full=False)
    page.keyboard.press("Enter")
    page.keyboard.type(", here is what is new.")
    button = add_block(page, "body", "Button")
    choose(page, f"{button}-page", "Case studies")
    field(page, f"{button}-label").fill("Read the case studies")
    personalised = add_block(page, "body", "Personalised")
    variant = add_block(page, f"{personalised}-variants")
    choose(page, f"{variant}-segments-0-value", segment)
    heading = add_block(page, f"{variant}-content", "Heading")
    field(page, f"{heading}-text").fill("FOR READERS")
    heading = add_block(page, f"{personalised}-default", "Heading")
    field(page, f"{heading}-text").fill("FOR OTHERS")


def look_at_previews(page: Page, colleague: Watched) -> None:
    page.wait_for_url(re.compile("/edit/"))
    page.get_by_role("button", name="Toggle preview").click()
    preview = page.frame_locator("#w-preview-iframe")
    expect(preview.get_by_text("FOR OTHERS")).to_have_count(1)
    expect(preview.get_by_text("Read the case studies")).to_have_count(1)
    preview_as(page, "Plain text", preview.get_by_text("Subject:"))
    phone = preview.frame_locator("iframe")
    preview_as(page, "On a phone", phone.get_by_text("Read the case studies"))
    colleague.shot("editor-mail-on-a-phone", full=False)
    page.get_by_role("button", name="Toggle preview").click()


def send_test(page: Page, site: RunningSite, name: str, sink: MailSink) -> None:
    """Without a test it cannot be sent; then the test is sent."""
    edit_url = page.url if "/edit/" in page.url else ""
    if not edit_url:
        page.goto(f"{site.admin}marketing/mails/?q={name}")
        page.locator(f"{ROWS} td.title a").first.click()
    page.locator("header").get_by_role("button", name="Actions").first.click()
    page.get_by_role("link", name="Send to an audience").click()
    expect(page.get_by_text("No test of the published content")).to_be_visible()
    page.locator("main").get_by_role("link", name="Send me a test").click()
    page.locator("main form").get_by_role("button", name="Send me a test").click()
    expect(page.locator(".messages .success")).to_contain_text(ADMIN_EMAIL)
    test = sink.wait(ADMIN_EMAIL, lambda found: name in str(found["Subject"]))
    assert str(test["Subject"]).startswith("[Test]")
    assert "{{" not in body(test)


def send(colleague: Watched, edit_url: str, segment: str, site: RunningSite) -> None:
    """Choose the segment and a time, look at the number, plan it; then let the time come."""
    page = colleague.page
    page.locator("header").get_by_role("button", name="Actions").first.click()
    page.get_by_role("link", name="Send to an audience").click()
    page.get_by_label(segment).first.check()
    at = f"{datetime.now() + timedelta(days=2):%Y-%m-%d} 10:30"
    page.fill("[name=scheduled_at]", at)
    # A calendar opens, and closes when one goes on.
    calendar = page.locator(".xdsoft_datetimepicker:visible")
    expect(calendar).to_have_count(1)
    page.keyboard.press("Tab")
    expect(calendar).to_have_count(0)
    page.get_by_role("button", name="Count the people").click()
    expect(page.get_by_role("heading", name="2 people get this mail")).to_be_visible()
    colleague.shot("editor-newsletter-audience")
    page.get_by_role("button", name="Plan the sending").click()
    expect(page.get_by_role("button", name="Cancel the sending")).to_be_visible()
    expect(page.get_by_text("10:30").or_(page.get_by_text("10.30"))).to_have_count(1)
    colleague.shot("editor-newsletter-planned")
    site.manage("ma_tick")
    page.reload()
    expect(page.get_by_text("Nothing has left yet.")).to_be_visible()
    # Two days go by.
    site.shell(
        "from wagtail_ma.messaging.models import Dispatch; from django.utils import timezone; "
        "Dispatch.objects.filter(ended_at=None).update(scheduled_at=timezone.now())"
    )
    for _round in range(3):
        site.tick()


def link_of(message: EmailMessage) -> str:
    button = re.search(r"http://localhost:\d+/ma/m/c/[\w-]+", body(message, "html"))
    assert button
    return button[0]


def follow(reader: Watched, site: RunningSite, message: EmailMessage) -> None:
    """Follow the button; what names the reader does not stay in the address bar, nor behind "Back"."""
    reader.page.goto(link_of(message), wait_until="commit")
    reader.page.wait_for_url(f"{site.url}/en/case-studies/**")
    assert "/ma/m/" not in reader.page.url
    assert urlsplit(reader.page.url).query.startswith("utm_source=mail&utm_medium=email&utm_campaign=mail-")


def read(playing: Browser, site: RunningSite, message: EmailMessage) -> Watched:
    """Follow the button: from now on this browser is known as the reader's."""
    reader = visitor(playing, "en")
    follow(reader, site, message)
    assert owner_of(reader, site) == str(message["To"])
    return reader


def owner_of(reader: Watched, site: RunningSite) -> str:
    """The address of the person whose browser it is."""
    cookie = next(c["value"] for c in reader.page.context.cookies() if c["name"] == "wagtail_ma")
    return site.shell(OWNER.format(cookie=cookie)).strip().splitlines()[-1]


def open_forwarded(reader: Watched, colleague: Watched, site: RunningSite, message: EmailMessage) -> None:
    """Somebody has forwarded their mail: the browser stays its owner's, and people are told."""
    before = owner_of(reader, site)
    follow(reader, site, message)
    assert owner_of(reader, site) == before
    page = colleague.page
    here = page.url
    page.goto(f"{site.admin}marketing/identifications/?what=forwarded")
    expect(page.get_by_text("Forwarded: a link of somebody else").first).to_be_visible()
    colleague.shot("editor-forwarded-mail")
    page.goto(here)


def stop(reader: Watched, message: EmailMessage) -> None:
    """Unsubscribe, think again, tell why, and stop for good."""
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    link = re.search(r"<(http[^>]+)>", str(message["List-Unsubscribe"]))
    assert link
    page = reader.page
    page.goto(link[1])
    page.get_by_label("At most once a month").check()
    page.get_by_role("button", name="Save my choice").click()
    expect(page.get_by_label("At most once a month")).to_be_checked()
    reader.shot("reader-preferences")
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    page.get_by_role("button", name="Subscribe again").click()
    expect(page.get_by_text("You are subscribed again")).to_be_visible()
    page.get_by_role("button", name="Unsubscribe").click()
    page.get_by_label("Too many mails").check()
    reader.shot("reader-unsubscribed")
    page.get_by_role("button", name="Tell").click()
    expect(page.get_by_text("Thank you for telling us.")).to_be_visible()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()


def keep_picture(reader: Watched, message: EmailMessage) -> None:
    """The mail as it arrived, on a phone and in a window."""
    path = ARTEFACTS / "newsletter.html"
    path.write_text(body(message, "html"), encoding="utf-8")
    for width in (320, 640):
        reader.page.set_viewport_size({"width": width, "height": 700})
        reader.page.set_content(body(message, "html"))
        reader.shot(f"newsletter-{width}")
        wide = reader.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"wider than the window: {wide} > {width}"
