"""The story of the low ranks: whoever is cold and looks at a page again and again gets a mail, once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma import flow
from wagtail_ma.messaging import sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people import news
from wagtail_ma.people.models import Identity
from wagtail_ma.scoring.models import ScoringRule

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(now):
    """A named person with a browser."""
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    browser = factories.make_browser(now=now)
    Identity.objects.filter(pk=browser.pk).update(visitor=lead.visitor)
    browser.refresh_from_db()
    return browser


def make_rule(page):
    """Viewed this page at least three times in fourteen days, with a score below 50."""
    return factories.make_segment(
        "Looks again and again",
        factories.condition(
            "page_viewed", page=page.pk, number=3, days=14, comparison="at_least", count="views"
        ),
        factories.condition("score", comparison="below", number=50),
    )


def views(reader, page, now, count):
    for number in range(count):
        at = now - timedelta(hours=number + 1)
        factories.make_view(reader, page, at=at)
    news.mark([reader.visitor_id], now=now)
    flow.react(now=now)


@pytest.mark.parametrize(("count", "planned"), [(2, 0), (3, 1), (4, 1)])
def test_rule__third_view_while_cold__one_mail(now, home, reader, count, planned, mailoutbox):
    factories.make_mail(kind="triggered", trigger_segment=make_rule(home), timing="any")
    views(reader, home, now, count)
    sending.drain(now=now)
    assert len(mailoutbox) == Delivery.objects.count() == planned
    views(reader, home, now + timedelta(hours=6), 2)
    sending.drain(now=now + timedelta(hours=6))
    assert len(mailoutbox) == 1, "at the third view, whenever it was; never again"


def test_rule__somebody_with_a_high_score__no_mail(now, home, reader):
    ScoringRule.objects.create(name="Any page", kind="page_view", points=40)
    factories.make_mail(kind="triggered", trigger_segment=make_rule(home), timing="any")
    views(reader, home, now, 3)
    assert not Delivery.objects.exists()
