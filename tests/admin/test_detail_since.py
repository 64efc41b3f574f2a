"""Screens made from single visits say from when on there are any, where older ones were deleted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format

from tests.factories import browser, page_hit
from wagtail_ma import flow
from wagtail_ma.forms.models import LeadForm
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import Visitor
from wagtail_ma.people.models_of_companies import Company
from wagtail_ma.scoring import award, carry
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking import pages, retention, rollups
from wagtail_ma.tracking.models import SiteDay, Topic, TrackedPage, Visit

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
KEPT = "are kept since"
BEGINS = "This is where the history begins."


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "x"))
    return client


@pytest.fixture
def ann(home: Any) -> Visitor:
    """Viewed the home page 200 and 3 days ago; a bob did so 2 days ago."""
    pages.forget()
    ScoringRule.objects.create(name="View", kind="page_view", points=1)
    now = timezone.now()
    identity = browser(now - 200 * DAY)
    for days in (200, 3):
        flow.record_hit(page_hit(home, browser_key=identity.key), now=now - days * DAY)
    identify(identity, email="ann@example.com", now=now - 3 * DAY, method="form", company_name="Acme")
    flow.record_hit(page_hit(home, browser_key=browser(now - 2 * DAY).key), now=now - 2 * DAY)
    while rollups.roll_up(now=now, limit=1_000):
        pass
    identity.refresh_from_db()
    award.award([identity.visitor_id], now=now)
    return identity.visitor


def prune() -> str:
    """Delete what is older than four months.

    :returns: the day of the oldest visit that is left, as screens write it.
    """
    now = timezone.now()
    with override_settings(WAGTAIL_MA={"RETENTION_MONTHS": 4}):
        retention.purge(now=now, carry=lambda visits, acts: carry.carry_forward(visits, acts, now=now))
    award.award([visitor.pk for visitor in Visitor.objects.all()], now=now)
    oldest = Visit.objects.earliest("started_at").started_at
    return date_format(timezone.localtime(oldest), "DATE_FORMAT")


def text(client: Client, name: str, *args: Any, **query: Any) -> str:
    response = client.get(reverse(name, args=args), query)
    assert response.status_code == 200
    return response.content.decode()


def test_visitor__older_visits_deleted__end_of_history_says_since_when(admin: Client, ann: Visitor) -> None:
    before = text(admin, "wagtail_ma_visitors:visitor", ann.pk)
    assert BEGINS in before
    assert KEPT not in before
    day = prune()
    after = text(admin, "wagtail_ma_visitors:visitor", ann.pk)
    assert f"Single visits, page views and activities {KEPT} {day}." in after
    assert BEGINS not in after


def test_visitor__came_after_what_was_deleted__history_is_whole(admin: Client, ann: Visitor) -> None:
    prune()
    bob = Visitor.objects.latest("first_seen_at")
    shown = text(admin, "wagtail_ma_visitors:visitor", bob.pk)
    assert BEGINS in shown
    assert KEPT not in shown


def test_visitor__everything_deleted__is_not_called_unrecorded(admin: Client, ann: Visitor) -> None:
    prune()
    Visit.objects.filter(visitor=ann).delete()
    shown = text(admin, "wagtail_ma_visitors:visitor", ann.pk, kind="view")
    assert KEPT in shown
    shown = text(admin, "wagtail_ma_visitors:visitor", ann.pk, before="2001-01-01T00:00:00+00:00~view~1")
    assert KEPT in shown
    assert "Nothing has been recorded" not in shown


def test_score__points_of_deleted_visits__said_how_they_are_kept(admin: Client, ann: Visitor) -> None:
    one_entry = "one entry per rule and month"
    assert one_entry not in text(admin, "wagtail_ma_visitors:visitor", ann.pk)
    prune()
    assert one_entry in text(admin, "wagtail_ma_visitors:visitor", ann.pk)


@pytest.mark.parametrize(
    ("name", "of", "query"),
    [
        ("wagtail_ma_overview:index", None, {"days": "90"}),
        ("wagtail_ma_forms:results", LeadForm, {"days": "365"}),
        ("wagtail_ma_identifications:rate", None, {"days": "365"}),
        ("wagtail_ma_companies:company", Company, {}),
        ("wagtail_ma_pages:page", TrackedPage, {}),
        ("wagtail_ma_interests:causes", Topic, {}),
    ],
)
def test_reports__period_reaches_back__say_so(
    admin: Client, ann: Visitor, name: str, of: Any, query: dict[str, str]
) -> None:
    LeadForm.objects.create(name="Enquiry")
    Topic.objects.create(name="Price")
    args = [of.objects.get().pk] if of else []
    args = [ann.pk, *args] if of is Topic else args
    assert KEPT not in text(admin, name, *args, **query)
    day = prune()
    assert f"{KEPT} {day}." in text(admin, name, *args, **query)
    if "days" in query:
        # The oldest visit that is left is three days old: beyond what is counted here.
        Visit.objects.update(started_at=timezone.now() - 60 * DAY)
        shorter = {"days": "30"}
        assert KEPT not in text(admin, name, *args, **shorter)


def test_detail_since__only_anonymous_views_before__nothing_was_deleted(ann: Visitor) -> None:
    first = SiteDay.objects.earliest("day")
    SiteDay.objects.create(day=first.day - DAY, anonymous_views=3, counted_at=timezone.now())
    assert retention.detail_since() is None
    SiteDay.objects.filter(day=first.day - DAY).update(visits=1)
    assert retention.detail_since() == Visit.objects.earliest("started_at").started_at
