"""Mails that a rule sends, when it becomes true."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests import factories
from wagtail_ma import flow
from wagtail_ma.messaging import reasons, sending, triggers
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people import news
from wagtail_ma.segments.causes import Change
from wagtail_ma.segments.models import Membership, Segment

pytestmark = pytest.mark.django_db


@pytest.fixture
def lead(now):
    lead = factories.make_lead(now=now)
    factories.make_consent(lead, now=now)
    return lead


def make(segment, **fields):
    return factories.make_mail(kind="triggered", trigger_segment=segment, timing="any", **fields)


def enters(segment, lead):
    return [Change(segment.pk, lead.visitor_id, True)]


def test_plan__rule_becomes_true__one_mail(now, lead, mailoutbox):
    segment = Segment.objects.create(name="Pricing")
    make(segment, trigger_delay_minutes=30)
    assert triggers.plan(enters(segment, lead), now=now) == 1
    assert triggers.plan(enters(segment, lead), now=now + timedelta(days=9)) == 0
    assert triggers.plan([Change(segment.pk, lead.visitor_id, False)], now=now) == 0
    sending.drain(now=now)
    assert mailoutbox == []
    sending.drain(now=now + timedelta(minutes=30))
    assert len(mailoutbox) == 1


def test_plan__again_after_days__not_before(now, lead):
    segment = Segment.objects.create(name="Pricing")
    make(segment, trigger_again_days=7)
    found = [triggers.plan(enters(segment, lead), now=now + timedelta(days=days)) for days in (0, 6, 8, 9)]
    assert found == [1, 0, 1, 0]


@pytest.mark.parametrize("change", ["draft", "excluded", "other kind", "nobody"])
def test_plan__must_not__none(now, lead, change):
    segment = Segment.objects.create(name="Pricing")
    mail = make(segment, publish=change != "draft")
    if change == "excluded":
        lead.visitor.excluded_reason = "staff"
        lead.visitor.save()
    if change == "other kind":
        mail.kind = "newsletter"
        mail.save()
    visitor_id = factories.browser(now).visitor_id if change == "nobody" else lead.visitor_id
    assert triggers.plan([Change(segment.pk, visitor_id, True)], now=now) == 0


def test_react__rule_true_by_a_page_view__mail_leaves_unless_goal(now, lead, mailoutbox):
    """Viewed a page twice, while not a customer yet."""
    segment = factories.make_segment("Twice", factories.condition("visit_count", number=2, days=30))
    goal = Segment.objects.create(name="Customers", is_static=True)
    make(segment, unless_segment=goal)
    identity = lead.visitor.identities.get()
    from wagtail_ma.tracking.models import Visit

    for hours in (5, 2):
        at = now - timedelta(hours=hours)
        Visit.objects.create(
            identity=identity, visitor=lead.visitor, started_at=at, last_at=at, medium="direct"
        )
    news.mark([lead.visitor_id], now=now)
    flow.react(now=now)
    assert Delivery.objects.get().state == "ready"
    Membership.objects.create(segment=goal, visitor=lead.visitor, entered_at=now)
    sending.drain(now=now)
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.reason) == ("skipped", reasons.GOAL)
    assert mailoutbox == []
