"""The editor's path through the Marketing menu of the running example site."""

from __future__ import annotations

import csv
import io
import re
import uuid
from dataclasses import dataclass
from email.message import EmailMessage

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from tests.browser.editing import add_block, choose, field, preview_as, publish, save, write_text
from tests.browser.mail_sink import MailSink, body
from tests.browser.people import Watched, editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.waiting import eventually

pytestmark = pytest.mark.browser

ADMIN_EMAIL = "admin@sample-software.example"
ROWS = "table.listing tbody tr"
# A minute goes by for a reader and whoever is in a scenario.
A_MINUTE = """
from datetime import timedelta
from django.db.models import F
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import LinkClick
from wagtail_ma.scenarios.models import Enrolment, StepRun
def earlier(rows, *names):
    rows.update(**{{name: F(name) - timedelta(seconds=61) for name in names}})
earlier(Delivery.objects.filter(email={email!r}), "sending_at", "sent_at")
earlier(LinkClick.objects.filter(delivery__email={email!r}), "at")
earlier(Enrolment.objects.filter(scenario__name={name!r}), "due_at", "entered_at", "step_entered_at")
earlier(StepRun.objects.filter(enrolment__scenario__name={name!r}), "at")
"""
MENU = [
    "Overview",
    "Visitors and leads",
    "Segments",
    "Scoring rules",
    "Forms",
    "Gated documents",
    "Senders",
    "Scenarios",
    "Mails",
]


def a_name(what: str) -> str:
    """A name that no other run has used."""
    return f"{what} {uuid.uuid4().hex[:6]}"


@pytest.fixture
def colleague(full_site: RunningSite, playing: Browser) -> Watched:
    return editor(playing, full_site.admin)


@dataclass(frozen=True)
class Nurture:
    """A published mail and scenario, and a person who has come in by a download."""

    mail: str
    scenario: str
    email: str


@pytest.fixture(scope="module")
def nurture(full_site: RunningSite, playing: Browser, sink: MailSink) -> Nurture:
    """Made by an editor's hands."""
    colleague = editor(playing, full_site.admin)
    mail, scenario = a_name("After the download"), a_name("Follow-up")
    write_mail(colleague, full_site, mail, sink)
    make_scenario(colleague, full_site, scenario, mail)
    email = f"reader-{uuid.uuid4().hex[:8]}@example.com"
    ask_for_paper(visitor(playing, "en"), full_site, email)
    page = colleague.page

    def has_entered() -> bool:
        page.goto(f"{full_site.admin}marketing/scenarios/?q={scenario}")
        return page.locator(ROWS).first.locator("td").nth(4).inner_text().strip() == "1"

    assert eventually(has_entered), full_site.log("worker")
    assert colleague.faults() == []
    return Nurture(mail, scenario, email)


def test_scenario__published__takes_in_who_downloads(
    full_site: RunningSite, colleague: Watched, nurture: Nurture
) -> None:
    page = colleague.page
    page.goto(f"{full_site.admin}marketing/scenarios/?q={nurture.scenario}")
    page.locator(f"{ROWS} td.title a").first.click()
    expect(page.get_by_text("1 here now · 0 passed").first).to_be_visible()
    colleague.shot("editor-scenario-results")
    page.get_by_role("link", name="Inside now 1").click()
    expect(page.locator("#main")).to_contain_text("Placeholder Pat")
    assert colleague.faults() == []


def test_visitor_list__searched_filtered_exported__shows_who_was_asked_for(
    full_site: RunningSite, colleague: Watched
) -> None:
    page = colleague.page
    page.get_by_role("button", name="Marketing").click()
    for label in MENU:
        expect(page.get_by_role("link", name=label, exact=True)).to_be_visible()
    colleague.shot("editor-menu", full=False)
    page.get_by_role("link", name="Visitors and leads", exact=True).click()
    page.wait_for_url("**/marketing/visitors/")
    scores = [
        float(text.replace(",", "")) for text in page.locator(f"{ROWS} .ma-score__number").all_inner_texts()
    ]
    assert len(scores) > 10
    # By score and by how well they fit: the first is no accident.
    assert scores[0] > scores[-1]

    page.goto(f"{page.url}?who=lead")
    named = page.locator(f"{ROWS} td.title a").all_inner_texts()
    assert named
    assert not [name for name in named if name.startswith("Anonymous")]
    family_name = named[0].split()[0]
    page.locator("header [name=q]").fill(family_name)
    page.wait_for_url(re.compile("q="))
    others = page.locator(ROWS).filter(has_not_text=family_name)
    expect(others).to_have_count(0)
    expect(page.locator(ROWS).first).to_contain_text(family_name)

    page.goto(f"{full_site.admin}marketing/visitors/?who=lead")
    page.locator("header").get_by_role("button", name="Actions").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download CSV").click()
    text = download.value.path().read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["Name"] for row in rows] == named
    assert all("@" in row["E-mail address"] for row in rows)
    assert colleague.faults() == []


def test_segment__made_from_a_rule__counts_live_and_can_be_previewed_in_a_page(
    full_site: RunningSite, colleague: Watched
) -> None:
    page, name = colleague.page, a_name("Price readers")
    page.goto(f"{full_site.admin}marketing/segments/new/")
    page.fill("[name=name]", name)
    condition = add_block(page, "rule", "Page viewed")
    choose(page, f"{condition}-page", "料金")
    count = page.locator(".ma-matches__count strong")
    expect(count).not_to_have_text("0")
    many = int(count.inner_text())
    field(page, f"{condition}-number").fill("3")
    expect(count).not_to_have_text(str(many))
    few = int(count.inner_text())
    assert 0 < few < many
    expect(page.locator(".ma-matches__sentence")).to_contain_text("at least 3 times")
    colleague.shot("editor-segment")
    save(page)
    row = page.locator(ROWS).filter(has_text=name)
    expect(row).to_contain_text("Viewed “料金” at least 3 times")
    row.get_by_role("link", name=str(few), exact=True).click()
    expect(page.locator(ROWS)).to_have_count(few)

    edit_faq(page, full_site)
    personalised = add_block(page, "body", "Personalised")
    variant = add_block(page, f"{personalised}-variants")
    choose(page, f"{variant}-segments-0-value", name)
    heading = add_block(page, f"{variant}-content", "Heading")
    field(page, heading).fill(f"Only for {name}")
    heading = add_block(page, f"{personalised}-default", "Heading")
    field(page, heading).fill(f"Not for {name}")
    page.get_by_role("button", name="Toggle preview").click()
    preview = page.frame_locator("#w-preview-iframe")
    expect(preview.get_by_text(f"Not for {name}")).to_have_count(1)
    preview_as(page, f"Segment: {name}", preview.get_by_text(f"Only for {name}"))
    expect(preview.get_by_text(f"Not for {name}")).to_have_count(0)
    colleague.shot("editor-preview-as-segment", full=False)
    assert colleague.faults() == []


def edit_faq(page: Page, site: RunningSite) -> None:
    """Open the editor of the Japanese page of questions and answers."""
    page.goto(f"{site.admin}pages/search/?q=よくあるご質問")
    page.locator("table.listing a[href$='/edit/']").first.click()
    expect(page.locator("input[name=body-count]")).to_be_attached()


def test_scoring_rule__made__pays_for_what_is_already_recorded(
    full_site: RunningSite, colleague: Watched
) -> None:
    page, name = colleague.page, a_name("Case studies")
    page.goto(f"{full_site.admin}marketing/scoring/new/")
    page.fill("[name=name]", name)
    page.select_option("[name=kind]", label="A page is viewed")
    choose(page, "id_page", "導入事例")
    page.fill("[name=points]", "7")
    colleague.shot("editor-scoring-rule")
    page.locator("footer button[type=submit]:visible").first.click()
    # What it would do is shown first.
    expect(page.get_by_role("heading", name="What this change would do")).to_be_visible()
    colleague.shot("editor-scoring-preview")
    page.get_by_role("button", name="Save and apply to everything recorded").click()
    expect(page.locator(".messages .success").first).to_be_visible()
    expect(page.locator(ROWS).filter(has_text=name)).to_contain_text("“導入事例” or a page below is viewed")

    def is_paid() -> bool:
        page.goto(f"{full_site.admin}marketing/visitors/")
        page.locator(f"{ROWS} td.title a").first.click()
        score = page.locator("#score-section")
        expect(score).to_be_visible()
        return score.get_by_text(name).count() > 0

    assert eventually(is_paid), full_site.log("worker")
    assert colleague.faults() == []


def test_mail_of_a_scenario__its_minute_over__is_sent_clicked_and_unsubscribed(
    full_site: RunningSite, colleague: Watched, playing: Browser, sink: MailSink, nurture: Nurture
) -> None:
    page = colleague.page

    def has_come() -> bool:
        # The worker would do it within a minute; cron's command does it now.
        full_site.tick()
        return any(nurture.mail in str(mail["Subject"]) for mail in sink.to(nurture.email))

    let_a_minute_go_by(full_site, nurture)
    assert eventually(has_come), full_site.log("worker")
    message = sink.wait(nurture.email, lambda mail: nurture.mail in str(mail["Subject"]))
    assert message["Subject"] == f"{nurture.mail}: good to have you, Pat Placeholder"
    assert "first ninety days" in body(message)

    reader = visitor(playing, "en")
    button = re.search(r"http://localhost:\d+/ma/m/c/[\w-]+", body(message, "html"))
    assert button
    # Nobody but a scanner follows a link in the first seconds.
    let_a_minute_go_by(full_site, nurture)
    reader.page.goto(button[0])
    assert reader.page.url.startswith(f"{full_site.url}/en/case-studies/")
    check_results(page, full_site, nurture)
    unsubscribe(reader, message)
    open_results(page, full_site, nurture)
    expect(card(page, "unsubscribed")).to_have_text("1")
    colleague.shot("editor-mail-results")
    assert reader.faults() == colleague.faults() == []


def let_a_minute_go_by(site: RunningSite, nurture: Nurture) -> None:
    site.shell(A_MINUTE.format(email=nurture.email, name=nurture.scenario))


def write_mail(colleague: Watched, site: RunningSite, name: str, sink: MailSink) -> None:
    """A mail with a sentence and a button, tested on oneself, published."""
    page = colleague.page
    page.goto(f"{site.admin}marketing/mails/add/")
    page.fill("[name=name]", name)
    page.select_option("[name=sender]", index=1)
    page.select_option("[name=language]", "en")
    page.fill("[name=subject]", f'{name}: good to have you, {{{{ lead.full_name|default:"reader" }}}}')
    add_block(page, "body", "Text")
    write_text(page, "How firms spent their first ninety days.")
    button = add_block(page, "body", "Button")
    choose(page, f"{button}-page", "Case studies")
    field(page, f"{button}-label").fill("Read the case studies")
    colleague.shot("editor-mail")
    publish(page)
    page.goto(f"{site.admin}marketing/mails/?q={name}")
    page.locator(f"{ROWS} td.title a").first.click()
    expect(page.get_by_text("Nothing is missing.")).to_be_visible()
    page.locator("header").get_by_role("button", name="Actions").first.click()
    page.get_by_role("link", name="Send me a test").click()
    page.locator("main form").get_by_role("button", name="Send me a test").click()
    expect(page.locator(".messages .success")).to_contain_text(ADMIN_EMAIL)
    test = sink.wait(ADMIN_EMAIL, lambda found: name in str(found["Subject"]))
    assert "first ninety days" in body(test)
    assert "{{" not in str(test["Subject"]) + body(test)


def make_scenario(colleague: Watched, site: RunningSite, name: str, mail: str) -> None:
    """Download → wait a minute → the mail → clicked? → end."""
    page = colleague.page
    page.goto(f"{site.admin}marketing/scenarios/add/")
    page.fill("[name=name]", name)
    page.select_option("[name=entry]", label="An activity happens")
    page.fill("[name=activity_kind]", "download")
    wait = add_block(page, "steps", "Wait")
    field(page, f"{wait}-amount").fill("1")
    page.select_option(f"[name={wait}-unit]", label="minutes")
    send = add_block(page, "steps", "Send a mail")
    page.select_option(f"[name={send}-mail]", label=mail)
    clicked = add_block(page, "steps", "Branch: was the mail clicked?")
    # Goes on with the click; the time is for those who never do.
    page.select_option(f"[name={clicked}-unit]", label="hours")
    for answer in ("yes", "no"):
        add_block(page, f"{clicked}-{answer}", "End")
    colleague.shot("editor-scenario")
    publish(page)
    page.goto(f"{site.admin}marketing/scenarios/?q={name}")
    expect(page.locator(ROWS).first).to_contain_text("Running")


def ask_for_paper(reader: Watched, site: RunningSite, email: str) -> None:
    """Somebody asks for the whitepaper and agrees to get mail."""
    page = reader.page
    page.goto(f"{site.url}/en/whitepaper/")
    form = "form[data-ma-form]"
    page.fill(f"{form} [name=email]", email)
    page.fill(f"{form} [name=company_name]", "Specimen Foods Inc.")
    page.fill(f"{form} [name=family_name]", "Placeholder")
    page.fill(f"{form} [name=given_name]", "Pat")
    page.check(f"{form} [name=consent]")
    page.wait_for_timeout(2_500)
    with page.expect_download():
        page.click(f"{form} button[type=submit]")


def open_results(page: Page, site: RunningSite, nurture: Nurture) -> None:
    """From the list of mails to what became of this one."""
    page.goto(f"{site.admin}marketing/mails/?q={nurture.mail}")
    page.locator(ROWS).get_by_role("link", name="1", exact=True).click()


def check_results(page: Page, site: RunningSite, nurture: Nurture) -> None:
    """The click is on the page of the mail, and has sent the person the way of "yes"."""

    def is_counted() -> bool:
        site.tick()
        open_results(page, site, nurture)
        expect(card(page, "people clicked")).to_be_visible()
        return card(page, "people clicked").inner_text().strip() == "1"

    # A click is a person's a minute later, when nothing has spoken against it.
    let_a_minute_go_by(site, nurture)
    assert eventually(is_counted), site.log("worker")
    expect(person(page)).to_contain_text(nurture.email)

    def has_gone_yes() -> bool:
        site.tick()
        page.goto(f"{site.admin}marketing/scenarios/?q={nurture.scenario}")
        page.locator(f"{ROWS} td.title a").first.click()
        # A count does not wait for the page that the click opens.
        steps = page.locator("#steps-section")
        expect(steps).to_be_visible()
        return steps.get_by_text("Yes: 1").count() == 1

    assert eventually(has_gone_yes), site.log("worker")


def person(page: Page) -> Locator:
    """The row of the reader in a list of people."""
    return page.locator(ROWS).filter(has_text="Placeholder Pat")


def card(page: Page, label: str) -> Locator:
    """The number in the card of that label."""
    found = page.locator(".ma-card").filter(has=page.get_by_text(label, exact=True))
    return found.locator(".ma-card__value")


def unsubscribe(reader: Watched, message: EmailMessage) -> None:
    """By the link of the mail: looking changes nothing, the button does. By one click as well."""
    header = str(message["List-Unsubscribe"])
    found = re.search(r"<(http[^>]+)>", header)
    assert found, header
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    page = reader.page
    for _look in range(2):
        page.goto(found[1])
        expect(page.get_by_role("button", name="Unsubscribe")).to_be_visible()
    page.get_by_role("button", name="Unsubscribe").click()
    expect(page.get_by_role("heading", name="You are unsubscribed")).to_be_visible()
    reader.shot("visitor-unsubscribed")
    answer = page.request.post(found[1], form={"List-Unsubscribe": "One-Click"})
    assert answer.status == 200
    page.goto(found[1])
    expect(page.get_by_role("button", name="Unsubscribe")).to_have_count(0)
