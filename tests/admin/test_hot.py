"""The screens of hot leads, definitions and exclusions."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone

from tests import factories
from tests.sales.stories import Person, classed_page, define
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Visitor
from wagtail_ma.sales.models import ExclusionRule, HotDefinition, HotEntry, Marking
from wagtail_ma.tracking.models import PageClass, PageLabel, Topic

pytestmark = pytest.mark.django_db
HOT = "/admin/marketing/hot/"
OUT = "/admin/marketing/excluded/"


def signed_in(client: Client, *codenames: str) -> Client:
    user = get_user_model().objects.create_user("colleague", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"),
        *Permission.objects.filter(content_type__app_label="wagtail_ma", codename__in=codenames),
    )
    client.force_login(user)
    return client


def worried(home: Any) -> tuple[Person, Any, Any]:
    """A named hidden hot lead, a case that they read, and a case of the same topic that they did not."""
    topic = Topic.objects.create(name="Security", kind="concern")
    define("reassurance", list="hidden", times=2)
    read, unread = classed_page(home, "Case A", "case"), classed_page(home, "Case B", "case")
    other = classed_page(home, "Other", "faq")
    for page in (read, unread):
        PageLabel.objects.get(translation_key=page.translation_key).topics.add(topic)
    now = timezone.now() - timedelta(hours=1)
    for page in (unread, other):
        Person(now).read(page)
    person = Person(now).read(read).read(read).named("ann@example.com", company_name="Acme")
    return person, read, unread


def test_lists__each__shows_its_people_with_their_reasons(admin_client: Client, home: Any) -> None:
    person, _read, _unread = worried(home)
    assert "Nobody is on this list now" in admin_client.get(HOT).content.decode()
    page = admin_client.get(HOT, {"list": "hidden"}).content.decode()
    assert "Read case studies and answers 2 times" in page
    assert "Acme" in page
    HotEntry.objects.update(expires_at=timezone.now() + timedelta(days=1))
    assert "Read case studies" in admin_client.get(HOT, {"list": "cooling"}).content.decode()


def hot_as_well(person: Person, visitor: Visitor, definition: HotDefinition) -> HotEntry:
    """Somebody else, hot since the same moment and for the same reason."""
    return HotEntry.objects.create(
        definition=definition,
        visitor=visitor,
        born_visitor=visitor,
        opened_at=person.now,
        evidence_at=person.now,
        expires_at=timezone.now() + timedelta(days=9),
        data=person.hot[0].data,
    )


def test_lists__leads__only_for_those_who_may_see_them(client: Client, home: Any) -> None:
    worried(home)
    signed_in(client, "view_visitor")
    assert "Acme" not in client.get(HOT, {"list": "hidden"}).content.decode()


def test_lists__many_entries__a_fixed_number_of_statements(
    admin_client: Client, home: Any, django_assert_max_num_queries: Any
) -> None:
    person, _read, _unread = worried(home)
    definition = HotDefinition.objects.get()
    for number in range(25):
        lead = factories.make_lead(f"a{number}@example.com", now=person.now)
        hot_as_well(person, lead.visitor, definition)
    admin_client.get(HOT, {"list": "hidden"})
    with django_assert_max_num_queries(25):
        admin_client.get(HOT, {"list": "hidden"})


def test_hidden__unread_page_and_mail__offered_and_sent_once(admin_client: Client, home: Any) -> None:
    person, _read, unread = worried(home)
    link = f'<p><a linktype="page" id="{unread.pk}">Case B</a></p>'
    mail = factories.make_mail(text=link, name="Case B for you", kind="step")
    page = admin_client.get(HOT, {"list": "hidden"}).content.decode()
    assert "Case B for you" in page
    entry = person.hot[0]
    url = f"{HOT}{entry.pk}/send/"
    admin_client.post(url, {"mail": mail.pk})
    # Nobody is mailed without their consent, not by hand either.
    assert not Delivery.objects.exists()
    factories.make_consent(person.visitor.lead, now=person.now)
    for _press in range(2):
        admin_client.post(url, {"mail": mail.pk})
    assert Delivery.objects.get().mail == mail
    admin_client.get(HOT)
    assert "Case B for you" not in admin_client.get(HOT, {"list": "hidden"}).content.decode()


def test_handled__button__ends_it_and_says_who(admin_client: Client, home: Any) -> None:
    person, _read, _unread = worried(home)
    admin_client.post(f"{HOT}{person.hot[0].pk}/handled/")
    entry = HotEntry.objects.get()
    assert (entry.ended, entry.closed_by.username) == ("handled", "admin")


def doubly_hot(home: Any) -> Person:
    """Hot by two definitions of one list and by one of another."""
    person, _read, _unread = worried(home)
    define("rule", list="hidden", rule=[factories.condition("identified")])
    define("score", list="hot", score=1, release_score=0)
    return person.settle_again()


def test_lists__hot_by_several_definitions__one_card_with_all_reasons(
    admin_client: Client, home: Any
) -> None:
    person = doubly_hot(home)
    assert len(person.hot) == 3
    for which, first in (("hidden", "reassurance"), ("hot", "score")):
        context = admin_client.get(HOT, {"list": which}).context
        (card,) = context["cards"]
        assert [row["reason"] for row in card["reasons"]][0] in person.reasons
        assert card["reasons"][0]["entry"].definition.list == which
        assert {row["reason"] for row in card["reasons"]} == set(person.reasons), first
        assert [tab["count"] for tab in context["tabs"][:2]] == [1, 1]


def test_handled__card_with_several_reasons__ends_them_all(admin_client: Client, home: Any) -> None:
    person = doubly_hot(home)
    (card,) = admin_client.get(HOT, {"list": "hidden"}).context["cards"]
    other = factories.make_lead("other@example.com", now=person.now)
    foreign = hot_as_well(person, other.visitor, person.hot[0].definition)
    sent = {"entry": [*(entry.pk for entry in card["open"]), foreign.pk, "nonsense"]}
    admin_client.post(f"{HOT}{card['open'][0].pk}/handled/", sent)
    assert person.hot == []
    # Nobody else's.
    assert HotEntry.objects.get(pk=foreign.pk).closed_at is None


def test_home__hot_by_several_definitions__named_once_with_all_reasons(
    admin_client: Client, home: Any
) -> None:
    person = doubly_hot(home)
    page = admin_client.get("/admin/").content.decode()
    assert page.count(f'href="/admin/marketing/visitors/{person.visitor.pk}/"') == 1
    for reason in person.reasons:
        assert reason in page
    assert "named above" in page


def test_handled__without_the_right__refused(client: Client, home: Any) -> None:
    person, _read, _unread = worried(home)
    signed_in(client, "view_visitor", "view_lead")
    client.post(f"{HOT}{person.hot[0].pk}/handled/")
    assert HotEntry.objects.get().closed_at is None


@pytest.mark.parametrize("next_url", ["https://evil.example/", "//evil.example/"])
def test_handled__address_elsewhere__not_followed(admin_client: Client, home: Any, next_url: str) -> None:
    person, _read, _unread = worried(home)
    answer = admin_client.post(f"{HOT}{person.hot[0].pk}/handled/", {"next": next_url})
    assert answer.url == HOT


DEFINITION = {
    "name": "Prices",
    "kind": "pricing_read",
    "list": "hot",
    "score": "50",
    "release_score": "40",
    "match": "all",
    "rule-count": "0",
    "days": "7",
    "times": "3",
    "min_seconds": "90",
    "silent_days": "30",
    "factor": "2",
    "minutes": "30",
    "expiry_days": "14",
    "rearm_days": "7",
    "is_active": "on",
}


def test_definition__added__whoever_did_it_before_is_hot(admin_client: Client, home: Any) -> None:
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(timezone.now() - timedelta(hours=1)).read(pricing, 95)
    admin_client.post(f"{HOT}definitions/new/", DEFINITION)
    assert "90 seconds" in admin_client.get(f"{HOT}definitions/").content.decode()
    assert len(person.tick().hot) == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"kind": "score", "release_score": "60"}, "Not higher than the score"),
        ({"kind": "rule"}, "There is no condition in it"),
        ({"days": "0"}, "At least 1"),
    ],
)
def test_definition__nonsense__is_told(admin_client: Client, changes: dict[str, str], words: str) -> None:
    page = admin_client.post(f"{HOT}definitions/new/", {**DEFINITION, **changes}).content.decode()
    assert words in page
    assert not HotDefinition.objects.exists()


def test_excluded__list__names_the_reason_and_brings_back(admin_client: Client, home: Any) -> None:
    ExclusionRule.objects.create(name="Jobs", kind="job_seeker")
    careers = classed_page(home, "Jobs", "careers")
    person = Person(timezone.now() - timedelta(hours=1)).read(careers).read(careers).read(careers)
    page = admin_client.get(OUT).content.decode()
    assert person.visitor.label in page
    assert "Job seekers" in page
    assert person.visitor.label not in admin_client.get(OUT, {"q": "nobody"}).content.decode()
    admin_client.post(f"{OUT}{person.visitor.pk}/", {"act": "no"})
    assert person.visitor.excluded_reason == ""
    # An exception lasts.
    assert person.read(careers).visitor.excluded_reason == ""
    admin_client.post(f"{OUT}{person.visitor.pk}/", {"act": "rules"})
    assert person.settle().visitor.excluded_reason == "job_seeker"


def test_excluded__without_the_right__nobody_is_brought_back(client: Client, home: Any) -> None:
    person = Person(timezone.now()).read(home)
    from wagtail_ma.sales import exclusions

    exclusions.say(Marking.Kind.EXCLUDED, [person.visitor.pk], is_so=True, by=None, now=person.now)
    signed_in(client, "view_visitor", "view_lead")
    client.post(f"{OUT}{person.visitor.pk}/", {"act": "no"})
    assert person.visitor.excluded_reason == exclusions.BY_HAND


def test_exclusion_rule__edited_and_deleted__people_follow(
    admin_client: Client, home: Any, now: datetime
) -> None:
    person = Person(timezone.now() - timedelta(hours=1)).read(home).named("bob@rival.example")
    person.later(hours=2)
    data = {
        "name": "Rivals",
        "kind": "competitor",
        "domains": "rival.example",
        "share_percent": "60",
        "min_views": "3",
        "match": "all",
        "rule-count": "0",
        "is_active": "on",
    }
    admin_client.post(f"{OUT}rules/new/", data)
    assert person.tick().visitor.excluded_reason == "competitor"
    rule = ExclusionRule.objects.get(name="Rivals")
    assert "rival.example" in admin_client.get(f"{OUT}rules/").content.decode()
    admin_client.post(f"{OUT}rules/edit/{rule.pk}/", {**data, "domains": "other.example"})
    assert person.tick().visitor.excluded_reason == ""
    admin_client.post(f"{OUT}rules/edit/{rule.pk}/", data)
    assert person.tick().visitor.excluded_reason == "competitor"
    admin_client.post(f"{OUT}rules/delete/{rule.pk}/")
    assert person.settle().visitor.excluded_reason == ""


def test_classes__of_suggestions__are_built_in() -> None:
    from wagtail_ma.sales.suggestions import CLASSES

    assert set(CLASSES) <= set(PageClass.BuiltIn.values)


def test_home__panel__names_who_became_hot(admin_client: Client, home: Any) -> None:
    worried(home)
    page = admin_client.get("/admin/").content.decode()
    assert "Read case studies and answers 2 times" in page


def test_home__somebody_who_may_not_see_visitors__no_panel(client: Client, home: Any) -> None:
    worried(home)
    signed_in(client)
    assert "Read case studies" not in client.get("/admin/").content.decode()


def test_visitor__page__tells_why_what_and_when(admin_client: Client, home: Any) -> None:
    person, _read, _unread = worried(home)
    page = admin_client.get(f"/admin/marketing/visitors/{person.visitor.pk}/").content.decode()
    for words in ("Read case studies and answers 2 times", "Security", "Case A", "Place in the ranking"):
        assert words in page


def test_visitor__open_page__sent_again_only_when_something_happened(admin_client: Client, home: Any) -> None:
    person, read, _unread = worried(home)
    url = f"/admin/marketing/visitors/{person.visitor.pk}/"
    stamp = admin_client.get(url).context["stamp"]
    assert admin_client.get(f"{url}now/", {"stamp": stamp}).status_code == 204
    from wagtail.models import ModelLogEntry

    looks = ModelLogEntry.objects.count()
    person.read(read)
    answer = admin_client.get(f"{url}now/", {"stamp": stamp})
    assert answer.status_code == 200
    assert "<html" not in answer.content.decode()
    assert answer.context["stamp"] != stamp
    assert ModelLogEntry.objects.count() == looks


def test_visitor__open_page_of_a_lead__needs_its_right(client: Client, home: Any) -> None:
    person, _read, _unread = worried(home)
    signed_in(client, "view_visitor")
    url = f"/admin/marketing/visitors/{person.visitor.pk}/now/"
    assert client.get(url).status_code == 302


def test_visitor__ledger__leads_to_the_fact_however_long_ago(admin_client: Client, home: Any) -> None:
    from wagtail_ma.scoring.models import ScoringRule

    ScoringRule.objects.create(name="View", kind="page_view", points=1)
    person = Person(timezone.now() - timedelta(hours=20))
    for _view in range(60):
        person.read(home)
    url = f"/admin/marketing/visitors/{person.visitor.pk}/"
    oldest = admin_client.get(url).context["entries"][-1]
    assert oldest["anchor"] not in {row.anchor for row in admin_client.get(url).context["timeline"].rows}
    page = admin_client.get(url, {"before": oldest["cursor"]}).content.decode()
    assert f'id="{oldest["anchor"]}"' in page


def test_visitor__long_history__within_the_budget_of_statements(
    admin_client: Client, home: Any, django_assert_max_num_queries: Any
) -> None:
    person, read, _unread = worried(home)
    person.act("form_start", read)
    for _day in range(30):
        person.read(read).read(home)
    url = f"/admin/marketing/visitors/{person.visitor.pk}/"
    admin_client.get(url)
    # Of these some nine are Wagtail's own: who is signed in, the log of looks, the page explorer.
    with django_assert_max_num_queries(25):
        admin_client.get(url)
