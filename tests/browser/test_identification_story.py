"""From anonymous to named, and what must not be mixed up, on the running example site: one story with an
end state, in the database and on screen, after each turn."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.mail_sink import MailSink, body
from tests.browser.people import Watched, editor, visitor
from tests.browser.running_site import RunningSite
from tests.browser.test_visitor_path import DOCUMENT, FORM, read, send
from tests.browser.waiting import PATIENCE_SECONDS, eventually

pytestmark = pytest.mark.browser

COOKIE = "wagtail_ma"
ANONYMOUS = re.compile(r"Anonymous #[0-9A-F]{4,}")

LATEST_BROWSER = """
import json
from wagtail_ma.people.models import Identity
found = Identity.objects.filter(kind="browser").latest("pk")
print(json.dumps({"identity": found.pk, "visitor": found.visitor_id}))
"""
LATEST_OF = """
import json
from wagtail_ma.people.models import Identity
found = Identity.objects.get(pk={identity})
print(json.dumps({{"identity": found.pk, "visitor": found.visitor_id}}))
"""
KEY = """
import json
from django.test import RequestFactory
from wagtail_ma.people import cookies
request = RequestFactory().get("/", headers={{"cookie": "wagtail_ma={cookie}"}})
print(json.dumps(cookies.browser_key(request)))
"""
VIEWS_OF = """
import json
from wagtail_ma.tracking.models import PageView
rows = PageView.objects.filter(visit__identity__in={identities})
print(json.dumps(sorted(rows.values_list("pk", flat=True))))
"""
ANN = {"company_name": "例示商事株式会社", "family_name": "見本", "given_name": "花子", "title": "部長"}

# What one browser did so far happened so many days earlier; all that was derived of it goes, to be rebuilt.
A_WEEK_LATER = """
from datetime import timedelta
from django.db.models import F
from django.utils import timezone
from wagtail_ma.people import news
from wagtail_ma.people.models import Identity, News, Visitor
from wagtail_ma.scoring.models import Interest, ScoreEntry, Standing
from wagtail_ma.segments.models import Membership
from wagtail_ma.tracking.models import Activity, PageView, Visit
browser, gap = Identity.objects.get(pk={identity}), timedelta(days=7)
PageView.objects.filter(visit__identity=browser).update(at=F("at") - gap)
Activity.objects.filter(identity=browser).update(at=F("at") - gap)
Visit.objects.filter(identity=browser).update(started_at=F("started_at") - gap, last_at=F("last_at") - gap)
Identity.objects.filter(pk=browser.pk).update(created_at=F("created_at") - gap)
Visitor.objects.filter(pk=browser.visitor_id).update(first_seen_at=F("first_seen_at") - gap)
for table in (ScoreEntry, Interest, Standing, Membership, News):
    table.objects.filter(visitor=browser.visitor_id).delete()
news.mark([browser.visitor_id], now=timezone.now())
"""

PERSON = """
import json
from wagtail_ma.people.models import Identity, Lead, News
from wagtail_ma.scoring.models import Standing
from wagtail_ma.tracking.models import Activity, PageView, Visit
lead = Lead.objects.filter(visitor__identities__key={email!r}, visitor__identities__kind="email").first()
pk = lead and lead.visitor_id
standing = Standing.objects.filter(model__is_current=True, visitor=pk).first()
print(json.dumps(lead and {{
    "visitor": pk,
    "name": lead.full_name,
    "company": lead.company_name,
    "title": lead.title,
    "browsers": sorted(Identity.objects.filter(visitor=pk, kind="browser").values_list("pk", flat=True)),
    "views": sorted(PageView.objects.filter(visitor=pk).values_list("pk", flat=True)),
    "visits": Visit.objects.filter(visitor=pk).count(),
    "downloads": sorted(Activity.objects.filter(visitor=pk, kind="download").values_list("pk", flat=True)),
    "days": (lead.created_at - lead.visitor.first_seen_at).days,
    "counted": [standing.view_count, standing.visit_count] if standing else [0, 0],
    "points": round(standing.lifetime, 6) if standing else 0,
    "waits": News.objects.filter(visitor=pk).exists(),
}}))
"""

LINKS = """
import json
from wagtail_ma.people.models import IdentityLink
rows = IdentityLink.objects.filter(identity={identity}).order_by("pk")
print(json.dumps([
    [row.method, row.strength, row.from_visitor_id, row.to_visitor_id, sorted(row.evidence)] for row in rows
]))
"""

SEND_MAIL = """
from django.utils import timezone
from wagtail_ma.messaging import consents, queue
from wagtail_ma.messaging.models import Mail
from wagtail_ma.people.models import Lead
lead, now = Lead.objects.get(visitor={visitor}), timezone.now()
# An editor chooses by mail whether its links tell who reads.
Mail.objects.filter(name="料金とお見積もりのご案内").update(is_tagging=True)
consents.record(lead.visitor, email=lead.email, is_granted=True, text="", source_kind="manual",
                source_key="story", now=now)
queue.enqueue(Mail.objects.get(name="料金とお見積もりのご案内"), lead, occurrence="story", now=now)
"""


@dataclass
class Story:
    """The site, who looks after it, and the addresses of those who come."""

    site: RunningSite
    colleague: Watched
    sink: MailSink
    key: str
    # Where the gate leads to; who has the paper is let through at its own address.
    form_url: str = ""

    def ask(self, code: str, **values: Any) -> Any:
        """What the database says."""
        return json.loads(self.site.shell(code.format(**values) if values else code).splitlines()[-1])

    def email(self, name: str) -> str:
        return f"{name}-{self.key}@example.com"

    def person(self, name: str) -> dict[str, Any]:
        """A person as they are when nothing about them waits to be reacted to."""
        found: dict[str, Any] = {}

        def is_settled() -> bool:
            found.clear()
            found.update(self.ask(PERSON, email=self.email(name)) or {"waits": True})
            return not found.pop("waits")

        assert eventually(is_settled), self.site.log("worker")
        return found

    def open(self, path: str) -> Page:
        """A screen of the admin."""
        self.colleague.page.goto(f"{self.site.admin}marketing/{path}")
        return self.colleague.page


@pytest.fixture
def story(full_site: RunningSite, playing: Browser, sink: MailSink) -> Story:
    return Story(full_site, editor(playing, full_site.admin), sink, uuid.uuid4().hex[:8])


def key_of(page: Page, story: Story) -> str:
    """The key of the browser as its cookie says it (the cookie's date changes, the key does not)."""
    cookie = next(str(each["value"]) for each in page.context.cookies() if each["name"] == COOKIE)
    return str(story.ask(KEY, cookie=cookie))


def fill_form(page: Page, answers: dict[str, str]) -> None:
    for name, value in answers.items():
        page.fill(f"{FORM} [name={name}]", value)
    page.wait_for_timeout(2_500)


def download(page: Page, story: Story, answers: dict[str, str]) -> None:
    """Ask for the paper at its direct address, tell who one is, and get it."""
    page.goto(f"{story.site.url}/{DOCUMENT}")
    assert "/ma/form/" in page.url
    story.form_url = page.url
    fill_form(page, answers)
    with page.expect_download():
        send(page)
        page.wait_for_url("**sent=**")


def test_identification__from_three_anonymous_visits_to_an_undo__each_ends_as_it_must(
    story: Story, playing: Browser
) -> None:
    first, lead = three_visits_and_a_download(story, playing)
    second, joined = a_second_browser_with_the_same_address(story, playing, lead)
    a_shared_computer(story, first, lead)
    a_forwarded_link(story, playing, lead, second)
    an_undo(story, lead, joined)
    for watched in (first, second, story.colleague):
        assert watched.faults() == []


def three_visits_and_a_download(story: Story, playing: Browser) -> tuple[Watched, dict[str, Any]]:
    """Anonymous for three weeks; the download names the very same row, back to the first visit."""
    site, reader = story.site, visitor(playing)
    for path in ("pricing/", "case-studies/", "products/sample-flow/"):
        read(reader.page, f"{site.url}/ja/{path}", seconds=2)
        reader.page.goto("about:blank")
        reader.page.wait_for_timeout(1_500)
        browser = story.ask(LATEST_BROWSER)
        site.shell(A_WEEK_LATER.format(identity=browser["identity"]))
    cookie = key_of(reader.page, story)
    page = story.open(f"visitors/{browser['visitor']}/")
    expect(page.locator("#who-section dl")).to_contain_text(ANONYMOUS)
    read(reader.page, f"{site.url}/ja/whitepaper/", seconds=1)
    download(reader.page, story, ANN | {"email": story.email("ann")})
    lead = story.person("ann")
    assert lead["visitor"] == browser["visitor"], "the same row, not another"
    assert lead["browsers"] == [browser["identity"]]
    assert key_of(reader.page, story) == cookie
    assert (lead["name"], lead["title"]) == ("見本 花子", "部長")
    assert lead["days"] == 21, "known back to the first visit"
    assert (lead["visits"], lead["counted"][1], len(lead["downloads"])) == (4, 4, 1)
    assert len(lead["views"]) >= 4
    reader.page.goto(story.form_url)
    assert answers_shown(reader.page)["title"] == "部長", "typed in this very browser"
    page = story.open(f"visitors/{lead['visitor']}/")
    expect(page.locator("#who-section dl")).to_contain_text(story.email("ann"))
    for title in ("料金", "導入事例", "サンプル・フロー"):
        expect(page.locator(".ma-timeline__row--view").filter(has_text=title).first).to_be_visible()
    story.colleague.shot("identification-1-named")
    return reader, lead


def a_second_browser_with_the_same_address(
    story: Story, playing: Browser, lead: dict[str, Any]
) -> tuple[Watched, dict[str, Any]]:
    """Its history joins the person; what the person typed elsewhere is not shown to it."""
    site, reader = story.site, visitor(playing)
    read(reader.page, f"{site.url}/ja/faq/", seconds=2)
    reader.page.goto(f"{site.url}/{DOCUMENT}")
    browser = story.ask(LATEST_BROWSER)
    assert browser["visitor"] != lead["visitor"]
    mine = {"email": story.email("ann"), "company_name": "例示ホールディングス", "family_name": "見本"}
    assert not set(ANN.values()) & set(answers_shown(reader.page).values())
    download(reader.page, story, mine)
    joined = story.person("ann")
    assert joined["visitor"] == lead["visitor"]
    assert joined["browsers"] == [*lead["browsers"], browser["identity"]]
    assert set(lead["views"]) < set(joined["views"]), "the history of both"
    assert (joined["visits"], joined["counted"][1]) == (5, 5), "and counted as if known from the start"
    assert joined["points"] > lead["points"]
    assert joined["company"] == "例示ホールディングス"
    (link,) = story.ask(LINKS, identity=browser["identity"])
    assert link[:4] == ["form", "claimed", browser["visitor"], lead["visitor"]]
    assert {"form", "document"} <= set(link[4])
    # A claim: the form shows what was typed here, and nothing of what Ann typed elsewhere.
    reader.page.goto(story.form_url)
    shown = answers_shown(reader.page)
    assert shown["email"] == story.email("ann")
    assert not {"部長", "花子", "例示商事株式会社"} & set(shown.values()), shown
    assert "部長" not in reader.page.content()
    page = story.open(f"visitors/{lead['visitor']}/")
    expect(page.locator(".ma-timeline__row--view").filter(has_text="よくあるご質問").first).to_be_visible()
    expect(page.locator(".ma-timeline__row--link").filter(has_text="Browser linked").first).to_be_visible()
    story.colleague.shot("identification-2-joined")
    return reader, {"browser": browser, "before": lead, "at": browser["identity"]}


def a_shared_computer(story: Story, first: Watched, lead: dict[str, Any]) -> None:
    """Somebody else types their address where Ann is known: two persons, a new cookie, a conflict."""
    site, cookie = story.site, key_of(first.page, story)
    ann = story.person("ann")
    bob = {
        "email": story.email("bob"),
        "company_name": "架空製作所",
        "family_name": "架空",
        "given_name": "次郎",
    }
    first.page.goto(story.form_url)
    fill_form(first.page, bob)
    send(first.page)
    first.page.wait_for_url("**sent=**")
    assert key_of(first.page, story) != cookie, "the cookie is another from this response on"
    found, still = story.person("bob"), story.person("ann")
    assert found["visitor"] != lead["visitor"]
    # Nothing of Ann's moved; looking at the form was still hers.
    assert set(ann["views"]) <= set(still["views"]) and still["browsers"] == ann["browsers"]
    (fresh,) = found["browsers"]
    assert fresh not in still["browsers"]
    read(first.page, f"{site.url}/ja/careers/", seconds=1)
    first.page.goto("about:blank")
    assert eventually(lambda: bool(story.person("bob")["views"])), "what follows is Bob's"
    assert story.person("ann")["views"] == still["views"]
    (link,) = story.ask(LINKS, identity=fresh)
    assert "conflict_with" in link[4]
    page = story.open("identifications/?what=shared")
    row = page.locator("table.listing tbody tr").filter(has_text="架空 次郎")
    expect(row).to_contain_text("Shared computer")
    story.colleague.shot("identification-3-shared")


def a_forwarded_link(story: Story, playing: Browser, lead: dict[str, Any], second: Watched) -> None:
    """Ann's mail, opened by Carol in her own browser: it stays Carol's, and the address bar tells nothing.
    Opened by Ann in the browser that only claimed her address, it proves it."""
    site, carol = story.site, visitor(playing)
    read(carol.page, f"{site.url}/ja/blog/", seconds=1)
    download(
        carol.page,
        story,
        {
            "email": story.email("carol"),
            "company_name": "見本工業",
            "family_name": "見本",
            "given_name": "三郎",
        },
    )
    before = story.person("carol")
    site.shell(SEND_MAIL.format(visitor=lead["visitor"]))
    site.manage("ma_tick")
    mail = story.sink.wait(story.email("ann"), has_tracked_link, seconds=PATIENCE_SECONDS)
    token = click(carol.page, mail)
    assert token not in carol.page.url and "/ma/" not in carol.page.url
    cookie = key_of(carol.page, story)

    def is_noted() -> bool:
        return any("forwarded_from" in row[4] for row in story.ask(LINKS, identity=before["browsers"][0]))

    assert eventually(is_noted), site.log("worker")
    after, ann = story.person("carol"), story.person("ann")
    assert after["browsers"] == before["browsers"], "the browser stays with its owner"
    assert not set(after["browsers"]) & set(ann["browsers"])
    carol.page.reload()
    assert key_of(carol.page, story) == cookie
    page = story.open("identifications/?what=conflict")
    row = page.locator("table.listing tbody tr").filter(has_text="見本 三郎")
    expect(row).to_contain_text("Forwarded")
    story.colleague.shot("identification-4-forwarded")
    assert carol.faults() == []
    click(second.page, mail)
    assert token not in second.page.url

    def is_proven() -> bool:
        links = story.ask(LINKS, identity=max(ann["browsers"]))
        return any(
            link[:2] == ["mail_link", "verified"] and {"mail", "delivery"} <= set(link[4]) for link in links
        )

    assert eventually(is_proven), site.log()
    # Until now it was shown nothing of what she typed elsewhere.
    second.page.goto(story.form_url)
    assert {"部長", "花子"} <= set(answers_shown(second.page).values())


def an_undo(story: Story, lead: dict[str, Any], joined: dict[str, Any]) -> None:
    """One click takes the second browser away: both are as if it had never joined; the mail stays sent, and
    is listed."""
    browser, before = joined["browser"], joined["before"]
    page = story.open("identifications/?what=joined")
    row = page.locator("table.listing tbody tr").filter(has_text="見本 花子").first
    row.get_by_role("link", name="Undo").click()
    expect(page.locator("#outward-section")).to_contain_text("料金とお見積もりのご案内")
    page.get_by_role("button", name="Take it away").click()
    expect(page.locator("main")).to_contain_text("Taken away from")
    expect(page.locator("#outward-section")).to_contain_text("料金とお見積もりのご案内")
    story.colleague.shot("identification-5-undone")
    ann = story.person("ann")
    assert ann["browsers"] == before["browsers"]
    for name in ("name", "company", "title", "visits", "downloads", "days"):
        assert ann[name] == before[name], name
    # What she did meanwhile in her own browser stays hers, and nothing of the other one does.
    own = story.ask(VIEWS_OF, identities=before["browsers"])
    assert ann["views"] == own and set(before["views"]) < set(own)
    assert ann["counted"] == [len(own), ann["visits"]]
    assert story.ask(LATEST_OF, identity=browser["identity"]) == browser
    page = story.open(f"visitors/{browser['visitor']}/")
    expect(page.locator("#who-section dl")).to_contain_text(ANONYMOUS)
    expect(page.locator(".ma-timeline__row--view").filter(has_text="よくあるご質問").first).to_be_visible()
    page = story.open(f"visitors/{lead['visitor']}/")
    expect(page.locator(".ma-timeline__row--view").filter(has_text="よくあるご質問")).to_have_count(0)
    expect(page.locator("#apart-section")).to_contain_text("料金とお見積もりのご案内")
    expect(page.locator(".ma-timeline__row--mail").first).to_be_visible()
    story.colleague.shot("identification-6-apart")


def has_tracked_link(mail: EmailMessage) -> bool:
    return "/ma/m/c/" in body(mail, "html")


def click(page: Page, mail: EmailMessage) -> str:
    """Follow the button of a mail as a person does; the token of its address."""
    found = re.search(r"http://localhost:\d+/ma/m/c/([\w-]+)", body(mail, "html"))
    assert found
    page.goto(found[0])
    page.wait_for_url("**/ja/pricing/**")
    return found[1]


def answers_shown(page: Page) -> dict[str, str]:
    """The fields of the form that stands on a page, with what is filled in."""
    shown: dict[str, str] = page.eval_on_selector_all(
        f"{FORM} input", "all => Object.fromEntries(all.map(one => [one.name, one.value]))"
    )
    return shown
