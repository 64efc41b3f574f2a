"""Editors' rules on where visits came from."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.factories import page_hit
from wagtail_ma import flow
from wagtail_ma.tracking import channel_rules
from wagtail_ma.tracking.channels import MEDIUMS, Channel, classify
from wagtail_ma.tracking.models import ChannelRule, Visit

pytestmark = pytest.mark.django_db
FOUND = Channel("referral", "partner.example", "spring")


@pytest.fixture(autouse=True)
def no_rules_remembered() -> Iterator[None]:
    channel_rules.forget()
    yield
    channel_rules.forget()


def rule(field: str, value: str, medium: str = "offline", **fields: Any) -> ChannelRule:
    made = ChannelRule.objects.create(field=field, value=value, medium=medium, **fields)
    channel_rules.forget()
    return made


def test_mediums__in_the_form__are_those_of_the_code() -> None:
    assert set(ChannelRule.Medium.values) == set(MEDIUMS)


@pytest.mark.parametrize(
    ("field", "comparison", "value", "fits"),
    [
        ("referrer_host", "equals", "partner.example", True),
        ("referrer_host", "equals", "WWW.Partner.example", True),
        ("referrer_host", "equals", "example", False),
        ("referrer_host", "contains", "partner", True),
        ("utm_source", "equals", "Fair-2026", True),
        ("utm_source", "equals", "fair", False),
        ("utm_source", "contains", "fair", True),
        ("utm_medium", "equals", "booth", True),
        ("utm_campaign", "contains", "spring", True),
        ("utm_campaign", "contains", "autumn", False),
        ("landing_path", "equals", "/lp/製品", True),
        ("landing_path", "equals", "/lp/", False),
        ("landing_path", "contains", "/LP/", True),
    ],
)
def test_apply__one_rule__fits_or_not(field: str, comparison: str, value: str, fits: bool) -> None:
    rule(field, value, comparison=comparison, source_name="Fair")
    url = (
        "https://example.com/lp/%E8%A3%BD%E5%93%81/?utm_source=fair-2026&utm_medium=booth&utm_campaign=Spring"
    )
    found = channel_rules.apply(FOUND, url, "https://www.partner.example/a")
    assert found == (Channel("offline", "fair", "spring") if fits else FOUND)


def test_apply__two_rules_fit__the_first_wins() -> None:
    rule("landing_path", "/lp/", "paid", sort_order=2)
    rule("landing_path", "/lp/", "social", sort_order=1)
    assert channel_rules.apply(FOUND, "https://example.com/lp/", "").medium == "social"


def test_apply__no_source_in_the_rule__keeps_the_one_found() -> None:
    rule("referrer_host", "partner.example", "paid")
    assert channel_rules.apply(FOUND, "", "https://partner.example/") == Channel(
        "paid", "partner.example", "spring"
    )


@pytest.mark.parametrize("text", ["", "\0", "http://[::", "//", "a" * 20_000, "?utm_source=%ff"])
def test_apply__any_text__never_raises(text: str) -> None:
    rule("utm_source", "x", comparison="contains")
    assert channel_rules.apply(FOUND, text, text) == FOUND


def test_visit__rule_fits__is_recorded_so_and_old_visits_stay(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home, referrer="https://partner.example/"), now=now)
    rule("referrer_host", "partner.example", "paid", source_name="Partner")
    flow.record_hit(page_hit(home, referrer="https://partner.example/"), now=now)
    found = Visit.objects.order_by("pk").values_list("medium", "source")
    assert list(found) == [("referral", "partner.example"), ("paid", "partner")]


def test_apply__known_rules__cost_no_statement() -> None:
    rule("utm_source", "x")
    channel_rules.apply(FOUND, "", "")
    with CaptureQueriesContext(connection) as statements:
        channel_rules.apply(FOUND, "", "")
    assert len(statements) == 0


@pytest.mark.django_db(transaction=True)
def test_hit__rules_known__no_statement_for_them(home: Any, now: datetime) -> None:
    flow.record_hit(page_hit(home), now=now)
    with CaptureQueriesContext(connection) as statements:
        flow.record_hit(page_hit(home), now=now)
    assert "channelrule" not in " ".join(query["sql"] for query in statements)


def test_apply__without_rules__the_builtin_answer() -> None:
    found = classify("https://example.com/", "https://www.google.com/", [])
    assert channel_rules.apply(found, "https://example.com/", "https://www.google.com/") is found
