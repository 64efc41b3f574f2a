"""Conditions on the fields that editors added to leads: kinds, several values, dates seen from today."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.factories import condition, make_lead, make_segment
from wagtail_ma.people import lead_values
from wagtail_ma.people.models import LeadField
from wagtail_ma.rules.sentences import sentence
from wagtail_ma.rules.tree import Broken, Group, parse
from wagtail_ma.segments import refresh
from wagtail_ma.segments.cadence import cadence

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("kind", "operator", "text", "is_good"),
    [
        ("number", "at_least", "1,000.5", True),
        ("number", "at_least", "many", False),
        ("number", "contains", "1", False),
        ("number", "equals", "NaN", False),
        ("date", "at_most", "2027/3/31", True),
        ("date", "at_most", "31 March", False),
        ("text", "contains", "a", True),
        ("text", "at_least", "a", False),
        ("choice", "equals", None, False),
        ("choice", "filled", None, True),
        ("several", "contains", "a", True),
        ("several", "at_most", "a", False),
    ],
)
def test_own_field__value_of_another_kind__broken(kind: str, operator: str, text: Any, is_good: bool) -> None:
    field = LeadField.objects.create(key="budget", label="Budget", kind=kind)
    tree = parse("all", [condition("lead_field", field=field.pk, operator=operator, text=text)])
    assert isinstance(tree, Group) is is_good
    field.delete()
    raw = [condition("lead_field", field=field.pk or 1, operator="filled", text=None)]
    assert isinstance(parse("all", raw), Broken)


def test_own_field__typed_in_a_form__stored_as_what_it_is(now: Any) -> None:
    for key, kind in (
        ("budget", "number"),
        ("renewal", "date"),
        ("remark", "text"),
        ("fields", "several"),
    ):
        LeadField.objects.create(key=key, label=key, kind=kind)
    lead = make_lead(now=now)
    given = {"budget": "1,500", "renewal": "2027/3/1", "remark": "7", "fields": "Rail, Food、 Steel"}
    values = {f"attributes.{key}": value for key, value in given.items()}
    lead_values.fill(lead, values, now=now, by="form")
    assert lead.attributes == {
        "budget": 1500,
        "renewal": "2027-03-01",
        "remark": "7",
        "fields": ["Rail", "Food", "Steel"],
    }
    lead_values.fill(lead, {"attributes.budget": "about 2,000"}, now=now, by="form")
    assert lead.attributes["budget"] == "about 2,000"


@pytest.mark.parametrize(
    ("operator", "text", "expected"),
    [
        ("equals", "food", True),
        ("equals", "foo", False),
        ("contains", "foo", True),
        ("equals", "Rail, Food", False),
        ("contains", "steel", False),
    ],
)
def test_several_choices__one_of_them_is_enough(now: Any, operator: str, text: str, expected: bool) -> None:
    field = LeadField.objects.create(key="fields", label="Fields", kind="several", choices="Rail\nFood")
    lead = make_lead(now=now)
    lead_values.fill(lead, {"attributes.fields": ["Rail", "Food"]}, now=now, by="form")
    segment = make_segment("Food", condition("lead_field", field=field.pk, operator=operator, text=text))
    refresh.refresh_segment(segment, now=now)
    assert segment.memberships.exists() is expected
    refresh.refresh_visitors([lead.visitor_id], now=now)
    assert segment.memberships.exists() is expected


# Midnight in Tokyo is 15:00 of the day before in UTC.
@pytest.mark.parametrize(
    ("when", "days", "value", "at", "expected"),
    [
        # A contract that ends within thirty days.
        ("ahead", 30, "2027-03-31", "2027-02-28T15:00", True),
        ("ahead", 30, "2027-03-31", "2027-02-28T14:59", False),
        ("ahead", 30, "2027-03-31", "2027-03-31T14:59", True),
        ("ahead", 30, "2027-03-31", "2027-03-31T15:00", False),
        ("behind", 7, "2027-03-31", "2027-04-07T14:59", True),
        ("behind", 7, "2027-03-31", "2027-04-07T15:00", False),
        ("over", 7, "2027-03-31", "2027-04-07T15:00", True),
        ("beyond", 30, "2027-03-31", "2027-02-28T14:59", True),
        # A birthday in a fortnight, over New Year's Eve too.
        ("yearly", 14, "1970-01-03", "2026-12-20T03:00", True),
        ("yearly", 14, "1970-01-03", "2026-12-19T03:00", False),
        ("yearly", 14, "1970-12-31", "2026-12-20T03:00", True),
        ("yearly", 14, "1970-12-19", "2026-12-20T03:00", False),
        ("yearly", 0, "1972-02-29", "2027-02-28T03:00", True),
        ("yearly", 0, "1972-02-29", "2027-03-01T03:00", False),
        ("yearly", 0, "1972-02-29", "2028-02-28T03:00", False),
        ("yearly", 0, "1972-02-29", "2028-02-29T03:00", True),
        ("ahead", 30, "soon", "2027-02-28T15:00", False),
    ],
)
def test_date_seen_from_today__days_of_the_project__as_it_says(
    now: Any, when: str, days: int, value: str, at: str, expected: bool
) -> None:
    field = LeadField.objects.create(key="day", label="Day", kind="date")
    lead = make_lead(now=now)
    lead_values.fill(lead, {"attributes.day": value}, now=now, by="form")
    segment = make_segment("Soon", condition("lead_date", field=field.pk, when=when, days=days))
    moment = datetime.fromisoformat(f"{at}:00+00:00")
    refresh.refresh_segment(segment, now=moment)
    assert segment.memberships.exists() is expected
    segment.memberships.all().delete()
    refresh.refresh_visitors([lead.visitor_id], now=moment)
    assert segment.memberships.exists() is expected


@pytest.mark.parametrize(
    ("kind", "when", "days", "is_good"),
    [
        ("date", "yearly", 364, True),
        ("date", "yearly", 365, False),
        ("date", "ahead", 3650, True),
        ("text", "ahead", 30, False),
    ],
)
def test_date_seen_from_today__no_date_or_more_than_a_year__broken(
    kind: str, when: str, days: int, is_good: bool
) -> None:
    field = LeadField.objects.create(key="day", label="Day", kind=kind)
    tree = parse("all", [condition("lead_date", field=field.pk, when=when, days=days)])
    assert isinstance(tree, Group) is is_good
    assert sentence(tree)


def test_date_seen_from_today__however_many_days__looked_at_soon_after_midnight() -> None:
    field = LeadField.objects.create(key="day", label="Day", kind="date")
    tree = parse("all", [condition("lead_date", field=field.pk, when="ahead", days=3000)])
    assert isinstance(tree, Group)
    assert cadence(tree) == timedelta(minutes=15)
