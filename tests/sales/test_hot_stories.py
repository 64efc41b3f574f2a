"""Each pattern as a story: what somebody does, hit by hit, and what sales read about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import translation

from tests import factories
from tests.sales.stories import Person, classed_page, define
from wagtail_ma.sales import exclusions, hot
from wagtail_ma.sales.defaults import default_definitions
from wagtail_ma.sales.models import HotDefinition, HotEntry, Marking
from wagtail_ma.scoring.models import ScoringRule

pytestmark = pytest.mark.django_db
Kind = HotDefinition.Kind


def test_pricing_read__longer_than_the_limit__hot_with_the_time(home: Any, now: datetime) -> None:
    define(Kind.PRICING_READ, min_seconds=120)
    pricing = classed_page(home, "Pricing", "pricing")
    hasty = Person(now).read(pricing, 119)
    keen = Person(now).read(pricing, 130)
    assert hasty.hot == []
    assert keen.reasons == ["Read the prices for 2 min 10 s."]
    with translation.override("ja"):
        assert keen.reasons == ["料金ページを2分10秒閲覧しました。"]


def test_pricing_read__in_several_goes__hot_by_the_sum(home: Any, now: datetime) -> None:
    define(Kind.PRICING_READ, min_seconds=60, days=7)
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(now).read(pricing, 50).later(days=1).read(pricing, 50)
    assert person.hot == []
    person.later(days=1).read(pricing, 30)
    assert person.reasons == ["Read the prices for 2 min 10 s altogether in 7 days."]


def test_pricing_read__limit_left_empty__what_a_tenth_of_the_readers_exceed(home: Any, now: datetime) -> None:
    pricing = classed_page(home, "Pricing", "pricing")
    for number in range(20):
        Person(now - timedelta(days=2)).read(pricing, 10 + 5 * number)
    define(Kind.PRICING_READ)
    person = Person(now).tick().later(hours=1).tick()
    # Of 10, 15, … 105 seconds nine in ten stay at or below 95.
    assert HotDefinition.objects.get().learned_seconds == 95
    assert person.read(pricing, 90).hot == []
    person.later(hours=1).read(pricing, 96)
    assert "longer than nine readers in ten" in person.reasons[0]


def test_reassurance__cases_and_answers_but_no_product__hidden_hot(home: Any, now: datetime) -> None:
    define(Kind.REASSURANCE, list="hidden", times=3, days=14)
    case, faq = classed_page(home, "Case", "case"), classed_page(home, "FAQ", "faq")
    product = classed_page(home, "Product", "product")
    shopper = Person(now).read(product).read(case).read(faq).read(faq)
    worried = Person(now).read(case, 60).read(faq, 60)
    assert (shopper.hot, worried.hot) == ([], [])
    worried.later(days=1).read(faq, 60)
    assert [entry.definition.list for entry in worried.hot] == ["hidden"]
    assert worried.reasons == [
        "Read case studies and answers 3 times (3 min 0 s) in 14 days, but no product page: seems to want "
        "certainty."
    ]
    worried.later(days=1).read(product)
    assert worried.hot == []
    assert HotEntry.objects.get(visitor=worried.visitor).ended == HotEntry.Ended.COOLED


def test_reassurance__long_enough_in_few_pages__hidden_hot(home: Any, now: datetime) -> None:
    define(Kind.REASSURANCE, times=5, min_seconds=300)
    case = classed_page(home, "Case", "case")
    assert len(Person(now).read(case, 200).read(case, 100).hot) == 1


def test_same_page__third_time_in_any_language__hot_with_the_title(home: Any, now: datetime) -> None:
    define(Kind.SAME_PAGE, times=3, days=14)
    article = classed_page(home, "Saving energy", "article")
    other = classed_page(home, "Other", "article")
    person = Person(now).read(article).later(days=1).read(article).read(other)
    assert person.hot == []
    person.later(days=1).read(article)
    assert person.reasons == ["Opened “Saving energy” 3 times in 14 days: may be stuck on it."]


def test_same_page__three_times_in_too_many_days__not_hot(home: Any, now: datetime) -> None:
    define(Kind.SAME_PAGE, times=3, days=14)
    article = classed_page(home, "Saving energy", "article")
    person = Person(now).read(article).later(days=8).read(article).later(days=8).read(article)
    assert person.hot == []


def test_form_left__half_an_hour_without_sending__hot_by_time_alone(home: Any, now: datetime) -> None:
    define(Kind.FORM_LEFT, minutes=30, days=7)
    contact = classed_page(home, "Contact", "contact")
    person = Person(now).tick().read(contact).act("form_start", contact)
    assert person.later(minutes=20).tick().hot == []
    assert person.later(minutes=15).tick().reasons == [
        "Started the form on “Contact” and left without sending it."
    ]


def test_form_left__sent_after_all__cools(home: Any, now: datetime) -> None:
    define(Kind.FORM_LEFT, minutes=30, days=7)
    contact = classed_page(home, "Contact", "contact")
    person = Person(now).read(contact).act("form_start", contact).later(hours=1).tick()
    assert len(person.hot) == 1
    person.act("form_start", contact).later(minutes=2).act("form_submit", contact)
    assert person.hot == []


def test_form_left__sent_at_once__never_hot(home: Any, now: datetime) -> None:
    define(Kind.FORM_LEFT, minutes=30)
    contact = classed_page(home, "Contact", "contact")
    person = Person(now).read(contact).act("form_start", contact).later(minutes=2)
    assert person.act("form_submit", contact).later(hours=2).tick().hot == []


def test_surge__many_visits_after_a_silence__hot_against_the_own_habit(home: Any, now: datetime) -> None:
    define(Kind.SURGE, list="surging", silent_days=30, times=2, days=7, factor=2)
    person = Person(now)
    for _week in range(3):
        person.read(home).later(days=7)
    person.later(days=38).read(home).read(home)
    assert person.hot == []
    person.later(days=1).read(home).read(home)
    assert person.reasons == [
        "After 45 days of silence 2 visits with 4 pages in 7 days, 2.7 times as many as usual."
    ]


def test_surge__as_busy_as_ever__not_hot(home: Any, now: datetime) -> None:
    define(Kind.SURGE, silent_days=30, times=2, days=7, factor=2)
    person = Person(now).read(home).read(home).later(days=1).read(home).later(days=1).read(home)
    person.later(days=40).read(home).later(days=1).read(home)
    assert person.hot == []


def test_surge__somebody_new__not_hot(home: Any, now: datetime) -> None:
    define(Kind.SURGE, times=2)
    assert Person(now).read(home).later(days=1).read(home).later(days=1).read(home).hot == []


def test_senior__manager_after_staff_of_the_same_company__hot_with_both(home: Any, now: datetime) -> None:
    define(Kind.SENIOR, days=14)
    staff = Person(now).read(home).named("ito@mihon.example", company_name="見本商事", title="担当")
    boss = Person(now + timedelta(days=3)).read(home)
    boss.named("sato@mihon.example", company_name="見本商事", title="部長")
    assert staff.hot == []
    # Their history counts from before they were known.
    assert boss.reasons == ["部長 at 見本商事 came after 1 colleague, who was here on 03/03/2026."]
    stranger = Person(boss.now).read(home).named("b@other.example", company_name="他社", title="社長")
    assert stranger.later(days=1).read(home).hot == []


def test_senior__manager_first__not_hot(home: Any, now: datetime) -> None:
    define(Kind.SENIOR, days=14)
    boss = Person(now).read(home).named("sato@mihon.example", company_name="見本商事", title="部長")
    Person(now).later(days=1).read(home).named("ito@mihon.example", company_name="見本商事", title="担当")
    assert boss.later(days=20).read(home).hot == []


def test_score__crosses_the_threshold__hot_until_below_the_lower_one(home: Any, now: datetime) -> None:
    define(Kind.SCORE, score=50, release_score=40, expiry_days=90)
    ScoringRule.objects.create(name="View", kind="page_view", points=10)
    person = Person(now)
    for _view in range(4):
        person.read(home)
    assert person.hot == []
    person.read(home).read(home)
    assert person.reasons == ["The score rose to 60 points, past the threshold of 50."]
    # 60 points halve in 30 days: below 50 after 8 days, below 40 after 18.
    assert len(person.later(days=12).tick().hot) == 1
    assert person.later(days=7).tick().hot == []
    assert HotEntry.objects.get().ended == HotEntry.Ended.COOLED


def test_rule__conditions_hold__hot_with_the_conditions_in_words(home: Any, now: datetime) -> None:
    pricing = classed_page(home, "Pricing", "pricing")
    condition = factories.condition(
        "page_viewed", page=pricing.pk, comparison="at_least", number=2, days=7, count="views"
    )
    define(Kind.RULE, rule=[condition], expiry_days=30)
    person = Person(now).read(pricing)
    assert person.hot == []
    person.read(pricing)
    assert person.reasons[0].startswith("Viewed “Pricing”")
    # It holds no longer, because time has passed.
    assert person.later(days=8).tick().hot == []


def test_definition__made_after_the_fact__finds_who_is_hot_already(home: Any, now: datetime) -> None:
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(now).read(pricing, 130)
    for kind in (Kind.PRICING_READ, Kind.SURGE, Kind.REASSURANCE, Kind.SAME_PAGE, Kind.FORM_LEFT, Kind.SCORE):
        define(kind, min_seconds=120)
    assert [entry.definition.kind for entry in person.later(days=1).tick().hot] == [Kind.PRICING_READ]


def test_expiry__no_new_fact__time_is_up_and_a_new_fact_prolongs(home: Any, now: datetime) -> None:
    define(Kind.PRICING_READ, min_seconds=60, expiry_days=14)
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(now).read(pricing, 61).later(days=10).read(pricing, 61)
    assert len(person.later(days=13).tick().hot) == 1
    assert person.later(days=2).tick().hot == []
    assert HotEntry.objects.get().ended == HotEntry.Ended.EXPIRED


def test_handled__same_behaviour_again__quiet_and_then_hot_anew(
    home: Any, now: datetime, admin_user: Any
) -> None:
    define(Kind.PRICING_READ, min_seconds=60, rearm_days=7, days=30)
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(now).read(pricing, 61)
    assert hot.handle([person.hot[0].pk], by=admin_user, now=person.now) == 1
    assert hot.handle([HotEntry.objects.get().pk], by=admin_user, now=person.now) == 0
    assert person.later(days=8).tick().hot == []
    person.now -= timedelta(days=4)
    assert person.read(pricing, 61).hot == []
    assert len(person.later(days=4).read(home).hot) == 1
    assert HotEntry.objects.count() == 2


def test_merge__both_hot_by_the_same__one_entry_and_back(home: Any, now: datetime) -> None:
    define(Kind.PRICING_READ, min_seconds=60)
    pricing = classed_page(home, "Pricing", "pricing")
    first = Person(now).read(pricing, 61).named("ann@example.com")
    second = Person(now).read(pricing, 70)
    anonymous = second.visitor
    second.named("ann@example.com")
    assert second.visitor == first.visitor
    assert len(first.hot) == 1
    assert not HotEntry.objects.filter(visitor=anonymous, closed_at__isnull=True).exists()


def test_definition__switched_off__nobody_is_hot_by_it(home: Any, now: datetime) -> None:
    definition = define(Kind.PRICING_READ, min_seconds=60)
    person = Person(now).read(classed_page(home, "Pricing", "pricing"), 61)
    HotDefinition.objects.filter(pk=definition.pk).update(is_active=False)
    assert person.tick().hot == []


def test_defaults__first_round_of_work__made_once(home: Any, now: datetime) -> None:
    Person(now).tick().tick()
    assert HotDefinition.objects.count() == 11


def a_customer(now: datetime, home: Any, *, visits: int, every_days: int = 10) -> Person:
    """Somebody who came so many times, the last time just now, and is a customer since then."""
    person = Person(now - timedelta(days=every_days * (visits - 1)))
    for number in range(visits):
        person.read(home)
        if number < visits - 1:
            person.later(days=every_days)
    exclusions.say(
        Marking.Kind.CUSTOMER, [person.visitor.pk], is_so=True, by=None, now=person.now, note="contract"
    )
    return person.settle()


def test_drop__customer_comes_no_longer__at_risk_by_time_alone(home: Any, now: datetime) -> None:
    define(Kind.DROP, list="at_risk", days=30, times=3, factor=3)
    person = a_customer(now, home, visits=10)
    assert person.tick().hot == []
    assert person.later(days=31).tick().reasons == ["Used to come 3 times in 30 days; lately not at all."]
    with translation.override("ja"):
        assert person.reasons == ["以前は30日間に3回訪問していましたが、最近は一度も訪問していません。"]
    # They are back.
    for _visit in range(2):
        person.later(hours=7).read(home)
    assert person.tick().hot == []


def test_drop__some_visits_left__says_how_many(home: Any, now: datetime) -> None:
    define(Kind.DROP, list="at_risk", days=30, times=3, factor=3)
    person = a_customer(now, home, visits=10).later(days=29).read(home)
    assert person.later(days=2).tick().reasons == ["Used to come 3 times in 30 days; lately only 1 time."]


def test_drop__no_customer_or_seldom_here_anyway__not_hot(home: Any, now: datetime) -> None:
    define(Kind.DROP, list="at_risk", days=30, times=3, factor=3)
    seldom = a_customer(now, home, visits=5, every_days=20)
    prospect = a_customer(now, home, visits=10)
    exclusions.say(Marking.Kind.CUSTOMER, [prospect.visitor.pk], is_so=False, by=None, now=now)
    assert seldom.later(days=31).tick().hot == []
    assert prospect.later(days=31).tick().hot == []


def test_cancellation__customer_reads_how_to_leave__at_risk_while_a_customer(
    home: Any, now: datetime
) -> None:
    define(Kind.CANCELLATION, list="at_risk")
    leaving = classed_page(home, "How to cancel", "cancellation")
    customer, prospect = a_customer(now, home, visits=1).read(leaving), Person(now).read(leaving)
    assert customer.reasons == ["Opened “How to cancel” in 14 days: may be about to leave."]
    assert prospect.hot == []
    exclusions.say(Marking.Kind.CUSTOMER, [customer.visitor.pk], is_so=False, by=None, now=customer.now)
    assert customer.settle().later(minutes=16).tick().hot == []


def test_defaults__good_fit_and_busy__hot_by_grade(home: Any, now: datetime) -> None:
    definition = next(each for each in default_definitions() if each["kind"] == Kind.RULE)
    HotDefinition.objects.create(**definition)
    ScoringRule.objects.create(name="View", kind="page_view", points=26)
    ScoringRule.objects.create(
        name="Named", kind="holds", points=50, rule=[factories.condition("identified")]
    )
    person = Person(now).read(home)
    assert person.read(home).hot == []
    # 52 points and a fit of 80: A2.
    assert person.named("ann@example.com").reasons == [
        "Has the grade A2 or better or has the grade B1 or better."
    ]


def test_rule__defined_after_the_fact__finds_who_fulfils_it_already(home: Any, now: datetime) -> None:
    pricing = classed_page(home, "Pricing", "pricing")
    person = Person(now).read(pricing)
    condition = factories.condition(
        "page_viewed", page=pricing.pk, comparison="at_least", number=1, days=7, count="views"
    )
    define(Kind.RULE, rule=[condition])
    assert len(person.tick().hot) == 1


def test_company_surge__two_colleagues_after_a_silence__both_are_hot_and_a_stranger_is_not(
    home: Any, now: datetime
) -> None:
    define(Kind.COMPANY_SURGE, list="surging", days=14, times=3, silent_days=30)
    ann = Person(now).read(home).named("ann@mihon.example", company_name="Mihon")
    stranger = Person(now).read(home).named("cy@other.example", company_name="Other")
    ann.later(days=40).read(home)
    assert ann.hot == []
    bob = Person(ann.now).read(home).named("bob@mihon.example", company_name="Mihon")
    # Two visits of two people: not yet.
    assert bob.hot == []
    bob.later(days=1).read(home)
    assert bob.reasons == [
        "After 40 days of silence 2 people of Mihon came 3 times in 14 days, 3 times as much as usual."
    ]
    ann.now = bob.now
    ann.later(hours=1).read(home)
    assert len(ann.hot) == 1
    stranger.now = ann.now
    assert stranger.read(home).read(home).hot == []


def test_company_surge__somebody_came_all_the_time__not_hot(home: Any, now: datetime) -> None:
    define(Kind.COMPANY_SURGE, list="surging", days=14, times=3, silent_days=30)
    ann = Person(now).read(home).named("ann@mihon.example", company_name="Mihon")
    bob = Person(now).read(home).named("bob@mihon.example", company_name="Mihon")
    for _week in range(6):
        ann.later(days=7).read(home)
    bob.now = ann.now
    for _visit in range(3):
        bob.later(hours=2).read(home)
    assert ann.hot == bob.hot == []
