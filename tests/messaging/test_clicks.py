"""Telling people from machines, and what a link may tell about its reader."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma.core.tokens import BadToken, mail_token
from wagtail_ma.messaging import clicks, fill, opens, queue, sending, tagging
from wagtail_ma.messaging.clicks import RequestFacts
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import LinkClick, MailCount
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Identity, IdentityLink, News
from wagtail_ma.tracking.models import Activity

pytestmark = pytest.mark.django_db

LINKS = 20


def facts(agent=factories.CHROME, **more):
    return RequestFacts(user_agent=agent, **more)


def body():
    return [
        {"type": "button", "value": {"label": f"Go {n}", "page": None, "url": f"http://testserver/{n}/"}}
        for n in range(LINKS)
    ]


def deliver(now, *, email="ann@example.com", mail=None, **fields):
    lead = factories.make_lead(email, now=now)
    factories.make_consent(lead, now=now)
    mail = mail or factories.make_mail(body=body(), timing="any", **fields)
    found = queue.enqueue(mail, lead, occurrence="", now=now)
    sending.drain(now=now)
    found.refresh_from_db()
    return found


def click(delivery, at, number=0, request=None, purpose=fill.CLICK):
    token = mail_token(purpose, delivery.public_id, number)
    return clicks.record_click(token, now=at, request_facts=request or facts())


def kinds():
    return sorted(Activity.objects.values_list("kind", flat=True))


def after(now, **delta):
    return now + timedelta(**delta)


def test_settle__scanner_follows_all_then_a_person__one_click(now):
    """A gateway asks for every link by HEAD and GET in three seconds, looking like a browser."""
    delivery = deliver(now)
    for number in range(LINKS):
        at = after(now, seconds=20 + number * 0.15)
        click(delivery, at, number, facts(method="HEAD"))
        click(delivery, at, number)
    clicks.settle(now=after(now, minutes=2))
    assert kinds() == ["mail_scan"] * LINKS
    click(delivery, after(now, minutes=10), 3)
    clicks.settle(now=after(now, minutes=12))
    assert kinds().count("mail_click") == 1
    person = Activity.objects.get(kind="mail_click")
    assert (person.at, person.data["link"]) == (after(now, minutes=10), 3)


def test_settle__not_yet_a_minute__waits_and_writes_once(now):
    delivery = deliver(now)
    click(delivery, after(now, minutes=1))
    assert clicks.settle(now=after(now, seconds=119)) == 0
    assert clicks.settle(now=after(now, seconds=120)) == 1
    assert clicks.settle(now=after(now, seconds=180)) == 0
    assert kinds() == ["mail_click"]


@pytest.mark.parametrize(
    ("seconds", "request_facts"),
    [(2, facts()), (90, facts("python-requests/2")), (90, facts("")), (90, facts(is_prefetch=True))],
)
def test_settle__looks_like_a_machine__no_click(now, seconds, request_facts):
    click(deliver(now), after(now, seconds=seconds), 0, request_facts)
    clicks.settle(now=after(now, hours=1))
    assert kinds() == ["mail_scan"]


@pytest.mark.parametrize(("distance", "kind"), [(30, "mail_scan"), (-30, "mail_scan"), (120, "mail_click")])
def test_settle__hidden_link_followed__all_around_it_is_a_machine(now, distance, kind):
    delivery = deliver(now)
    click(delivery, after(now, minutes=5))
    assert click(delivery, after(now, minutes=5, seconds=distance), fill.HONEYPOT).target_url == ""
    clicks.settle(now=after(now, hours=1))
    assert kinds() == [kind]


SCANNER, PERSON = facts(address="203.0.113.9"), facts(address="198.51.100.7")


@pytest.mark.parametrize(
    ("who", "minutes", "kinds_left"),
    [
        (SCANNER, 5, ["mail_scan"]),
        # Another network: a person's, while a gateway looks on.
        (PERSON, 5, ["mail_click"]),
        (SCANNER, 11, ["mail_click"]),
    ],
)
def test_settle__machine_gives_itself_away_later__earlier_click_is_taken_back(now, who, minutes, kinds_left):
    delivery = deliver(now)
    click(delivery, after(now, minutes=5), 3, who)
    clicks.settle(now=after(now, minutes=7))
    assert kinds() == ["mail_click"]
    News.objects.all().delete()
    click(delivery, after(now, minutes=5 + minutes), fill.HONEYPOT, SCANNER)
    clicks.settle(now=after(now, hours=1))
    assert kinds() == kinds_left
    is_taken_back = kinds_left == ["mail_scan"]
    assert News.objects.filter(visitor=delivery.visitor).exists() == is_taken_back


def test_settle__late_sweep__takes_the_first_look_back_unless_the_page_was_seen(now, home):
    delivery = deliver(now)
    for first in (5, 20):
        click(delivery, after(now, minutes=first), 3, SCANNER)
        if first == 20:
            browser = factories.make_browser(now=now)
            Identity.objects.filter(pk=browser.pk).update(visitor=delivery.visitor)
            browser.refresh_from_db()
            factories.make_view(browser, home, at=after(now, minutes=20, seconds=1))
        clicks.settle(now=after(now, minutes=first + 2))
        for number in range(LINKS):
            click(delivery, after(now, minutes=first + 4, seconds=number * 0.1), number, SCANNER)
        clicks.settle(now=after(now, minutes=first + 6))
        assert kinds().count("mail_click") == (1 if first == 20 else 0)
    assert Activity.objects.filter(kind="mail_scan").count() == LINKS


@pytest.mark.parametrize(("people", "kind"), [(5, "mail_click"), (6, "mail_scan")])
def test_settle__one_machine_in_many_mails__no_clicks(now, people, kind):
    mail = factories.make_mail(body=body(), timing="any")
    deliveries = [deliver(now, email=f"p{n}@example.com", mail=mail) for n in range(people)]
    for number, delivery in enumerate(deliveries):
        click(delivery, after(now, minutes=5, seconds=number), 0, facts(address="203.0.113.9"))
    clicks.settle(now=after(now, hours=1))
    assert set(kinds()) == {kind}
    assert "203.0.113.9" not in str(list(LinkClick.objects.values()))


def test_settle__page_seen_by_the_readers_own_browser__a_person(now, home):
    delivery = deliver(now)
    at = after(now, seconds=3)
    click(delivery, at)
    browser = factories.make_browser(now=now)
    Identity.objects.filter(pk=browser.pk).update(visitor=delivery.visitor)
    browser.refresh_from_db()
    factories.make_view(browser, home, at=after(at, seconds=1))
    clicks.settle(now=after(now, hours=1))
    assert kinds() == ["mail_click"]


def test_click__aggregate__nobody_is_told_from_the_others(now):
    delivery = deliver(now, tracking="aggregate")
    token = mail_token(fill.COUNTED_CLICK, delivery.version_id, 2)
    for agent in (factories.CHROME, factories.CHROME, "curl/8"):
        found = clicks.record_click(token, now=now, request_facts=facts(agent))
        assert found.target_url.startswith("http://testserver/2/") and found.click_id is None
    assert not LinkClick.objects.exists() and not Activity.objects.exists()
    assert set(MailCount.objects.values_list("link", "is_machine", "count")) == {(2, False, 2), (2, True, 1)}


def test_click__tracking_off__links_lead_straight(now, mailoutbox):
    deliver(now, tracking="off")
    html = mailoutbox[0].alternatives[0][0]
    assert "/ma/m/c/" not in html and "/ma/m/o/" not in html
    assert "http://testserver/3/" in html


@pytest.mark.parametrize(
    ("agent", "field"),
    [
        (factories.CHROME, "opened_at"),
        ("Mozilla/5.0", "machine_opened_at"),
        (
            "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "machine_opened_at",
        ),
        ("YahooMailProxy; https://help.yahoo.com", "machine_opened_at"),
    ],
)
def test_open__person_or_proxy__first_time_kept(now, agent, field):
    delivery = deliver(now)
    token = mail_token(fill.OPEN, delivery.public_id)
    for minutes in (1, 2):
        opens.record_open(token, method="GET", user_agent=agent, now=after(now, minutes=minutes))
    delivery.refresh_from_db()
    seen = {name: getattr(delivery, name) for name in ("opened_at", "machine_opened_at")}
    assert seen == {"opened_at": None, "machine_opened_at": None, field: after(now, minutes=1)}
    assert not Activity.objects.exists(), "opens never trigger anything"


def test_open__any_token__same_picture(client, now):
    delivery = deliver(now)
    good = client.get(
        f"/ma/m/o/{mail_token(fill.OPEN, delivery.public_id)}", HTTP_USER_AGENT=factories.CHROME
    )
    bad = client.get("/ma/m/o/nonsense")
    assert good.content == bad.content and len(good.content) == 42
    assert good["Content-Type"] == "image/gif" and "no-store" in bad["Cache-Control"]


# --- who the reader is --------------------------------------------------------------------------------------


@pytest.fixture
def tagged(now):
    return deliver(now, is_tagging=True)


def bind(delivery, browser, at):
    found = click(delivery, at)
    key = browser.key if browser else None
    kept = tagging.bind(tagging.token_for(found.click_id, now=at), key, now=at)
    return kept and kept.key


def test_bind__person__browser_with_its_past_is_theirs(now, tagged):
    browser = factories.browser(now)
    assert bind(tagged, browser, after(now, minutes=1)) == browser.key
    browser.refresh_from_db()
    assert browser.visitor_id == tagged.visitor_id
    assert IdentityLink.objects.filter(method="mail_link", strength="verified").exists()
    # Confirmed by the page: a person, even if as quick as a machine.
    clicks.settle(now=after(now, minutes=5))
    assert kinds() == ["mail_click"]


def test_bind__key_on_its_way_into_the_database__kept(now, tagged):
    found = click(tagged, now)
    token = tagging.token_for(found.click_id, now=now)
    kept = tagging.bind(token, "drawn-a-moment-ago", now=now, is_key_fresh=True)
    assert kept.key == "drawn-a-moment-ago"


def test_bind__same_token_again_or_too_late__nothing(now, tagged):
    found = click(tagged, now)
    token = tagging.token_for(found.click_id, now=now)
    assert tagging.bind(token, None, now=now)
    assert tagging.bind(token, None, now=now) is None
    with pytest.raises(BadToken):
        tagging.bind(token, None, now=after(now, minutes=11))


def test_bind__browser_of_somebody_else__stays_theirs_and_is_listed(client, admin_user, now, tagged):
    browser = factories.browser(now)
    other = identify(browser, email="bob@example.com", now=now, method="form")
    for minutes in (1, 2):
        bind(tagged, browser, after(now, minutes=minutes))
    browser.refresh_from_db()
    assert browser.visitor_id == other.visitor_id != tagged.visitor_id
    # Listed for people to look at, once.
    client.force_login(admin_user)
    page = client.get("/admin/marketing/identifications/?what=conflict")
    found = IdentityLink.objects.get(identity=browser, evidence__has_key="forwarded_from")
    assert [link.pk for link in page.context["object_list"]] == [found.pk]
    assert found.evidence["delivery"] == tagged.pk


def test_bind__fourth_browser__not_any_more(now, tagged):
    keys = [bind(tagged, factories.browser(now), after(now, minutes=n)) for n in range(1, 5)]
    assert [bool(key) for key in keys] == [True, True, True, False]


def test_bind__old_mail_or_hidden_link__not(now, tagged):
    assert bind(tagged, factories.browser(now), after(now, days=31)) is None
    click(tagged, after(now, minutes=1), fill.HONEYPOT)
    assert bind(tagged, factories.browser(now), after(now, minutes=1)) is None


def test_click__machine_or_plain_mail__tells_nothing(now, tagged):
    assert click(tagged, now, 0, facts("curl/8")).click_id is None
    Delivery.objects.all().delete()
    assert click(deliver(now, email="b@example.com"), now).click_id is None


def test_click_view__tagging__page_between_then_bound(client, tagged, now, settings):
    settings.ALLOWED_HOSTS = ["*"]
    path = f"/ma/m/c/{mail_token(fill.CLICK, tagged.public_id, 4)}"
    response = client.get(path, HTTP_USER_AGENT=factories.CHROME)
    assert response.status_code == 200
    text = response.content.decode()
    assert "http://testserver/4/" in text and "follow.js" in text
    assert not response.cookies, "a GET binds nobody"
    Delivery.objects.filter(pk=tagged.pk).update(sent_at=LinkClick.objects.get().at)
    token = response.context["token"]
    answer = client.post("/ma/m/t/", token, content_type="text/plain", HTTP_USER_AGENT=factories.CHROME)
    assert answer.status_code == 204 and "wagtail_ma" in answer.cookies
    assert Identity.objects.filter(kind="browser", visitor=tagged.visitor).exists()


@pytest.mark.parametrize("headers", [{"HTTP_SEC_GPC": "1"}, {"HTTP_DNT": "1"}, {"HTTP_USER_AGENT": "curl/8"}])
def test_click_view__refusal_or_machine__plain_redirect(client, tagged, headers):
    path = f"/ma/m/c/{mail_token(fill.CLICK, tagged.public_id, 4)}"
    response = client.get(path, **{"HTTP_USER_AGENT": factories.CHROME, **headers})
    assert response.status_code == 302


def test_follow_view__rubbish_or_foreign_page__204_and_nothing(client, tagged, now):
    found = click(tagged, now)
    token = tagging.token_for(found.click_id, now=now)
    for body, headers in (("rubbish", {}), ("x" * 9999, {}), (token, {"HTTP_SEC_FETCH_SITE": "cross-site"})):
        answer = client.post(
            "/ma/m/t/", body, content_type="text/plain", HTTP_USER_AGENT=factories.CHROME, **headers
        )
        assert answer.status_code == 204 and not answer.cookies
    assert client.get("/ma/m/t/").status_code == 405
