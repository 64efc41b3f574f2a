"""Who is left out, why, and how they come back."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from tests import factories
from tests.sales.stories import Person, classed_page, define
from wagtail_ma import flow
from wagtail_ma.people import news
from wagtail_ma.people.models import Visitor
from wagtail_ma.people.models_of_companies import Company
from wagtail_ma.sales import exclusions
from wagtail_ma.sales.models import ExclusionRule, HotEntry, Marking
from wagtail_ma.scoring import queries as scores
from wagtail_ma.scoring.models import Standing
from wagtail_ma.tracking.models import Network, Visit

pytestmark = pytest.mark.django_db
Kind = ExclusionRule.Kind


def exclude(kind: str, **fields: Any) -> ExclusionRule:
    return ExclusionRule.objects.create(name=kind, kind=kind, **fields)


def is_ranked(person: Person) -> bool:
    return scores.ranked().filter(visitor=person.visitor).exists()


def test_job_seeker__most_pages_are_careers_pages__out_and_back(home: Any, now: datetime) -> None:
    exclude(Kind.JOB_SEEKER, share_percent=60, min_views=3)
    careers, product = classed_page(home, "Jobs", "careers"), classed_page(home, "Product", "product")
    person = Person(now).read(careers).read(careers)
    assert person.visitor.excluded_reason == ""
    person.read(careers)
    assert person.visitor.excluded_reason == "job_seeker"
    assert not is_ranked(person)
    person.read(product).read(product)
    assert person.visitor.excluded_reason == "job_seeker"
    # Three of six pages: half.
    person.read(product)
    assert person.visitor.excluded_reason == ""
    assert is_ranked(person)


@pytest.mark.parametrize(
    ("email", "is_out"),
    [
        ("bob@rival.example", True),
        ("bob@sales.rival.example", True),
        ("bob@notrival.example", False),
        ("bob@rival.example.org", False),
    ],
)
def test_competitor__address_at_their_domain__out(home: Any, now: datetime, email: str, is_out: bool) -> None:
    exclude(Kind.COMPETITOR, domains="@Rival.example\n\n")
    person = Person(now).read(home).named(email)
    assert (person.visitor.excluded_reason == "competitor") is is_out


def test_student__says_so_in_the_job_title__out(home: Any, now: datetime) -> None:
    exclude(Kind.STUDENT)
    assert (
        Person(now).read(home).named("a@example.com", title="大学院生").visitor.excluded_reason == "student"
    )
    assert Person(now).read(home).named("b@example.com", title="部長").visitor.excluded_reason == ""


def test_bot__nothing_but_bots__out(home: Any, now: datetime) -> None:
    exclude(Kind.BOT)
    bot = factories.page_hit(home, is_bot=True)
    key = flow.record_hit(bot, now=now).browser_key
    person = Person(now, key).settle()
    assert person.visitor.excluded_reason == "bot"
    assert Person(now).read(home).visitor.excluded_reason == ""


def test_rule__conditions_hold__out_with_the_name_of_the_rule(home: Any, now: datetime) -> None:
    press = classed_page(home, "Press", "other")
    rule = exclude(
        Kind.RULE,
        rule=[
            factories.condition("page_viewed", page=press.pk, comparison="at_least", number=1, count="views")
        ],
    )
    person = Person(now).read(press)
    reason = person.visitor.excluded_reason
    assert exclusions.reason_label(reason, exclusions.rule_names()) == rule.name


def test_rule__asks_who_is_excluded__broken_and_nobody_is(home: Any, now: datetime) -> None:
    exclude(Kind.RULE, match="none", rule=[factories.condition("excluded")])
    assert Person(now).read(home).visitor.excluded_reason == ""
    assert ExclusionRule.objects.get().broken_reason


def test_rule__asks_a_segment_that_asks_who_is_excluded__broken(home: Any, now: datetime) -> None:
    segment = factories.make_segment("Out", factories.condition("excluded"))
    exclude(Kind.RULE, rule=[factories.condition("in_segment", segment=segment.pk)])
    Person(now).read(home)
    assert ExclusionRule.objects.get().broken_reason


def test_by_hand__out_at_once_and_back(home: Any, now: datetime, admin_user: Any) -> None:
    define("pricing_read", min_seconds=60)
    person = Person(now).read(classed_page(home, "Pricing", "pricing"), 61)
    assert len(person.hot) == 1
    exclusions.say(Marking.Kind.EXCLUDED, [person.visitor.pk], is_so=True, by=admin_user, now=person.now)
    assert person.visitor.excluded_reason == exclusions.BY_HAND
    assert person.settle().hot == []
    assert HotEntry.objects.get().ended == HotEntry.Ended.EXCLUDED
    exclusions.withdraw(Marking.Kind.EXCLUDED, [person.visitor.pk], now=person.now)
    assert person.visitor.excluded_reason == ""
    assert len(person.settle().hot) == 1


def test_exception__of_one_person__the_rule_does_not_count(home: Any, now: datetime) -> None:
    exclude(Kind.COMPETITOR, domains="rival.example")
    person = Person(now).read(home).named("bob@rival.example")
    exclusions.say(Marking.Kind.EXCLUDED, [person.visitor.pk], is_so=False, by=None, now=now)
    assert person.read(home).visitor.excluded_reason == ""


def test_reason_of_others__is_never_touched(home: Any, now: datetime) -> None:
    person = Person(now).read(home)
    Visitor.objects.filter(pk=person.visitor.pk).update(excluded_reason="not_tracked")
    exclusions.say(Marking.Kind.EXCLUDED, [person.visitor.pk], is_so=False, by=None, now=now)
    assert person.read(home).visitor.excluded_reason == "not_tracked"


def test_merge__excluded_by_hand_before__the_person_is_and_an_undo_takes_it_back(
    home: Any, now: datetime
) -> None:
    from wagtail_ma.people import merge
    from wagtail_ma.people.models import IdentityLink

    person = Person(now).read(home)
    anonymous = person.visitor
    known = factories.make_lead("ann@example.com", now=now).visitor
    exclusions.say(Marking.Kind.EXCLUDED, [anonymous.pk], is_so=True, by=None, now=now)
    person.named("ann@example.com")
    known.refresh_from_db()
    assert person.visitor == known
    assert known.excluded_reason == exclusions.BY_HAND
    merge.undo(IdentityLink.objects.get(from_visitor=anonymous, to_visitor=known), now=now)
    person.settle()
    known.refresh_from_db()
    anonymous.refresh_from_db()
    assert (known.excluded_reason, anonymous.excluded_reason) == ("", exclusions.BY_HAND)


def test_review__rule_changed_and_deleted__everybody_is_looked_at_again(home: Any, now: datetime) -> None:
    person = Person(now).read(home).named("bob@rival.example")
    rule = exclude(Kind.COMPETITOR, domains="rival.example")
    exclusions.rule_changed(rule)
    person.tick()
    assert person.visitor.excluded_reason == "competitor"
    rule.refresh_from_db()
    assert rule.checked_to_id is None
    exclusions.before_deletion(rule, now=person.now)
    rule.delete()
    assert person.settle().visitor.excluded_reason == ""


def test_customer__by_hand__leaves_the_ranking_of_new_business_only(home: Any, now: datetime) -> None:
    define("pricing_read", min_seconds=60)
    person = Person(now).read(classed_page(home, "Pricing", "pricing"), 61)
    exclusions.say(Marking.Kind.CUSTOMER, [person.visitor.pk], is_so=True, by=None, now=now)
    person.settle()
    assert person.visitor.is_customer
    assert len(person.hot) == 1


def test_company__marked_and_no_longer__its_people_follow_within_a_minute(home: Any, now: datetime) -> None:
    exclude(Kind.COMPETITOR)
    person = Person(now).read(home).named("ann@mihon.example", company_name="見本商事").tick()
    assert (person.visitor.excluded_reason, person.visitor.is_customer) == ("", False)
    for mark, excluded, customer in (
        ({"is_competitor": True}, "competitor", False),
        ({"is_competitor": False, "is_customer": True}, "", True),
        ({"is_customer": False}, "", False),
    ):
        Company.objects.update(**mark)
        person.later(minutes=1).tick()
        assert (person.visitor.excluded_reason, person.visitor.is_customer) == (excluded, customer)


def test_customer__exception_by_hand__the_company_does_not_count(home: Any, now: datetime) -> None:
    person = Person(now).read(home).named("ann@mihon.example", company_name="見本商事")
    Company.objects.update(is_customer=True)
    exclusions.say(Marking.Kind.CUSTOMER, [person.visitor.pk], is_so=False, by=None, now=now)
    assert not person.tick().visitor.is_customer


def come_from(person: Person, kind: str, *, visits: int | None = None) -> Person:
    """As if the address had lain in a network of this kind: all visits, or the first so many."""
    network, _made = Network.objects.get_or_create(
        name=kind, defaults={"kind": kind, "ranges": "192.0.2.0/24"}
    )
    found = Visit.objects.filter(visitor=person.visitor).order_by("started_at").values_list("pk", flat=True)
    Visit.objects.filter(pk__in=list(found)[:visits]).update(network=network)
    news.mark([person.visitor.pk], now=person.now)
    return person.settle()


@pytest.mark.parametrize(
    ("rule", "network", "reason"),
    [
        (Kind.COMPETITOR, "competitor", "competitor"),
        (Kind.STAFF, "own", "staff"),
        (Kind.COMPETITOR, "own", ""),
        (Kind.STAFF, "company", ""),
        (Kind.STAFF, "provider", ""),
    ],
)
def test_network__competitor_or_our_own__out(
    home: Any, now: datetime, rule: str, network: str, reason: str
) -> None:
    exclude(rule)
    person = come_from(Person(now).read(home), network)
    assert person.visitor.excluded_reason == reason
    assert is_ranked(person) is (reason == "")


def test_network__guest_known_by_name__only_if_half_of_the_visits_come_from_there(
    home: Any, now: datetime
) -> None:
    exclude(Kind.STAFF)
    guest = Person(now).read(home)
    for _day in range(2):
        guest.later(days=1).read(home)
    come_from(guest, "own", visits=1)
    assert guest.visitor.excluded_reason == "staff"
    guest.named("guest@customer.example")
    assert guest.visitor.excluded_reason == ""
    come_from(guest, "own", visits=2)
    assert guest.visitor.excluded_reason == "staff"


def test_network__person_excepted_by_hand__the_network_does_not_count(home: Any, now: datetime) -> None:
    exclude(Kind.COMPETITOR)
    person = come_from(Person(now).read(home), "competitor")
    assert not is_ranked(person)
    exclusions.say(Marking.Kind.EXCLUDED, [person.visitor.pk], is_so=False, by=None, now=now, note="partner")
    assert is_ranked(person.settle())


def test_networks_changed__kind_corrected__everybody_is_looked_at_again(home: Any, now: datetime) -> None:
    exclude(Kind.COMPETITOR)
    person = come_from(Person(now).read(home), "company")
    for kind, reason in (("competitor", "competitor"), ("company", "")):
        Network.objects.update(kind=kind)
        exclusions.networks_changed()
        assert person.tick().visitor.excluded_reason == reason


def test_follow_companies__nothing_changed__one_statement(
    home: Any, now: datetime, django_assert_num_queries: Any
) -> None:
    person = Person(now).read(home).named("ann@mihon.example", company_name="見本商事")
    Company.objects.update(is_customer=True)
    assert exclusions.follow_companies(now=now) == 1
    with django_assert_num_queries(1):
        assert exclusions.follow_companies(now=now) == 0
    assert person.settle().visitor.is_customer


def test_company_deleted__its_people_are_customers_no_longer(
    admin_client: Any, home: Any, now: datetime
) -> None:
    person = Person(now).read(home).named("ann@mihon.example", company_name="見本商事")
    Company.objects.update(is_customer=True)
    assert person.tick().visitor.is_customer
    url = reverse("wagtail_ma_companies:delete", args=[Company.objects.get().pk])
    assert admin_client.post(url).status_code == 302
    # (The admin goes by the real clock.)
    person.now = max(timezone.now(), person.now)
    assert not person.settle().visitor.is_customer


def test_standing__excluded_and_customer__says_so_at_once_and_after_scores_are_computed(
    home: Any, now: datetime
) -> None:
    person = Person(now).read(home)
    pk = person.visitor.pk

    def marks() -> tuple[bool, bool]:
        return Standing.objects.values_list("is_excluded", "is_customer").get(visitor=pk)

    assert marks() == (False, False)
    exclusions.say(Marking.Kind.EXCLUDED, [pk], is_so=True, by=None, now=now)
    assert marks() == (True, False)
    exclusions.say(Marking.Kind.CUSTOMER, [pk], is_so=True, by=None, now=now)
    exclusions.withdraw(Marking.Kind.EXCLUDED, [pk], now=now)
    assert marks() == (False, True)
    # Whoever changes the visitor and makes news of it is followed by react.
    Visitor.objects.filter(pk=pk).update(excluded_reason="not_tracked")
    news.mark([pk], now=now)
    person.settle()
    assert marks() == (True, True)
