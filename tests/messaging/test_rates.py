"""Limits: no stretch of time ever sees more than it may, across processes and restarts."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests import factories
from wagtail_ma.messaging import queue, rates, sending
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.messaging.models_of_sending import RateWindow, SendingRules
from wagtail_ma.messaging.rates import Limit

START = factories.START if hasattr(factories, "START") else None


class AnyHistory(TestCase):
    @settings(max_examples=60, deadline=None)
    @given(
        st.integers(1, 20),
        st.sampled_from([1, 60, 3600]),
        st.lists(st.tuples(st.floats(0, 1.2), st.integers(1, 12), st.integers(0, 3)), max_size=40),
    )
    def test_take__any_history__no_window_has_more(self, most, seconds, asked):
        from django.utils import timezone

        RateWindow.objects.all().delete()
        limit, at = Limit("x", most, seconds), timezone.now()
        gone: list[tuple[float, int]] = []
        elapsed = 0.0
        for share, wanted, unused in asked:
            elapsed += share * seconds / 3
            moment = at + timedelta(seconds=elapsed)
            granted = rates.take([limit], wanted, now=moment)
            assert 0 <= granted <= wanted
            back = min(unused, granted)
            rates.give_back([limit], back, now=moment)
            gone.append((elapsed, granted - back))
        for start, _count in gone:
            assert sum(count for when, count in gone if start <= when < start + seconds) <= most


@pytest.mark.django_db
def test_take__full__free_again_after_the_window(now):
    limit = Limit("x", 10, 60)
    assert rates.take([limit], 7, now=now) == 7
    assert rates.take([limit], 7, now=now + timedelta(seconds=30)) == 3
    assert rates.take([limit], 1, now=now + timedelta(seconds=59)) == 0
    assert rates.take([limit], 9, now=now + timedelta(seconds=62)) == 7


@pytest.mark.django_db
def test_take__several_limits__the_narrowest_counts_and_the_others_get_theirs_back(now):
    wide, narrow = Limit("wide", 100, 3600), Limit("narrow", 2, 60)
    assert rates.take([wide, narrow], 50, now=now) == 2
    assert rates.take([wide], 100, now=now) == 98


@pytest.mark.parametrize(("days", "most"), [(0, 200), (1, 300), (2, 450), (5, 1518), (60, None)])
def test_limits__warm_up__grows_day_by_day(now, days, most):
    rules = SendingRules(warm_up_from=date(2026, 3, 3) - timedelta(days=days))
    found = {limit.key: limit.most for limit in rates.limits_of(rules, now=now)}
    assert found.get("warm-up") == most


def test_provider__domains_of_one__count_together():
    found = {rates.provider_of(f"a@{domain}") for domain in ("gmail.com", "googlemail.com", "GMAIL.com")}
    assert len(found) == 1
    assert rates.provider_of("a@ezweb.ne.jp") == rates.provider_of("b@au.com")
    assert rates.provider_of("a@example.co.jp") == "example.co.jp"


@pytest.mark.django_db
def test_drain__three_a_minute__no_more_in_any_minute(now, mailoutbox):
    SendingRules.objects.create(per_minute=3)
    plan(8, now)
    for seconds in range(0, 200, 10):
        before = len(mailoutbox)
        sending.drain(now=now + timedelta(seconds=seconds))
        Delivery.objects.filter(state="sent", sent_at=None).update(sent_at=now)
        assert len(mailoutbox) - before <= 3
    times = sorted(Delivery.objects.values_list("sending_at", flat=True))
    assert len(times) == 8
    for first in times:
        assert sum(first <= at < first + timedelta(seconds=60) for at in times) <= 3


@pytest.mark.django_db
def test_drain__provider_full__others_go_on(now, mailoutbox):
    SendingRules.objects.create(per_domain_minute=2)
    plan(5, now, domain="gmail.com")
    plan(2, now, domain="example.com")
    sending.drain(now=now)
    sent = [message.to[0].partition("@")[2] for message in mailoutbox]
    assert sorted(sent) == ["example.com"] * 2 + ["gmail.com"] * 2
    for minutes in range(1, 8):
        sending.drain(now=now + timedelta(minutes=minutes))
    assert len(mailoutbox) == 7


def plan(count, now, *, domain="example.com"):
    mail = factories.make_mail(timing="any")
    for number in range(count):
        lead = factories.make_lead(f"p{number}@{domain}", now=now)
        factories.make_consent(lead, now=now)
        queue.enqueue(mail, lead, occurrence="", now=now)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("limit", "seconds"), [("per_second", 1), ("per_minute", 60), ("per_hour", 3600), ("per_day", 86_400)]
)
def test_limits__each_of_the_rules__kept_and_free_again_after_its_time(now, limit, seconds):
    rules = SendingRules.objects.create(**{limit: 2})
    found = []
    for passed in (0, seconds / 2, seconds * 62 / 60):
        at = now + timedelta(seconds=passed)
        found.append(rates.take(rates.limits_of(rules, now=at), 3, now=at))
    assert found == [2, 0, 2]
