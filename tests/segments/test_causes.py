"""Entries by a merge, its undoing, another scoring or an import carry that cause."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.urls import reverse

from tests import factories
from tests.factories import condition, make_segment, make_view
from tests.scenarios.stories import a_scenario, wait
from wagtail_ma import flow
from wagtail_ma.people import merge, news
from wagtail_ma.people.causes import Cause
from wagtail_ma.people.identify import identify
from wagtail_ma.people.models import IdentityLink, News
from wagtail_ma.scenarios.models import Enrolment
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.segments import causes, refresh
from wagtail_ma.segments.models import Membership, PastMembership, Segment
from wagtail_ma.tracking.models import PageView

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

ANN = "ann@example.com"
MINUTE = timedelta(minutes=1)


def viewed(page: Any, number: int) -> Any:
    return condition("page_viewed", page=page.pk, number=number, days=90)


def entries(segment: Segment) -> dict[int, tuple[str, Any]]:
    rows = Membership.objects.filter(segment=segment)
    return {row.visitor_id: (row.cause, row.entered_at) for row in rows}


def inside(scenario: Any) -> set[int]:
    return set(Enrolment.objects.filter(scenario=scenario).values_list("visitor_id", flat=True))


@pytest.fixture
def joined(home, now):
    """A reader, in "Readers" since ``now``, joined to a known person ten minutes later."""
    readers = make_segment("Readers", viewed(home, 1))
    lead = identify(None, email=ANN, now=now, method="import")
    browser = factories.browser(now)
    reader_id = browser.visitor_id
    make_view(browser, home, at=now)
    news.mark([reader_id], now=now)
    flow.react(now=now)
    assert entries(readers) == {reader_id: ("", now)}
    identify(browser, email=ANN, now=now + 10 * MINUTE, method="form")
    return readers, lead, reader_id, IdentityLink.objects.get(identity=browser)


def test_merge__segment_of_the_one__carried_along_since_when_it_was(joined, now):
    readers, lead, _reader_id, _link = joined
    flow.react(now=now + 11 * MINUTE)
    assert entries(readers) == {lead.visitor_id: (Cause.MERGE, now)}


def test_merge__segment_that_nobody_was_in__entered_by_the_act_of_the_moment(joined, home, now):
    _readers, lead, _reader_id, link = joined
    often = make_segment("Often", viewed(home, 2))
    make_view(link.identity, home, at=now + 10 * MINUTE)
    flow.react(now=now + 11 * MINUTE)
    assert entries(often)[lead.visitor_id][0] == ""


def test_merge__without_an_act__what_the_histories_make_together_is_by_the_merge(home, now):
    often = make_segment("Often", viewed(home, 2))
    one, other = factories.browser(now), factories.browser(now)
    for browser in (one, other):
        make_view(browser, home, at=now)
    with transaction.atomic():
        locked = merge.lock([other.pk])[other.pk]
        merge.repoint(locked, one.visitor_id, now=now, method="merge")
    flow.react(now=now)
    assert entries(often) == {one.visitor_id: (Cause.MERGE, now)}


def test_undo__both__in_their_segments_as_before(joined, now):
    readers, lead, reader_id, link = joined
    strangers = make_segment("No readers", condition("in_segment", **{"is": "out"}, segment=readers.pk))
    refresh.refresh_segment(strangers, now=now)
    flow.react(now=now + 11 * MINUTE)
    merge.undo(link, now=now + 20 * MINUTE)
    flow.react(now=now + 21 * MINUTE)
    assert entries(readers) == {reader_id: (Cause.UNDO, now)}
    assert lead.visitor_id in entries(strangers)
    # The lead has never been a reader.
    assert not PastMembership.objects.filter(segment=readers).exists()


def test_undo__hit_at_the_same_moment__what_is_given_back_is_by_the_undoing(joined, now):
    readers, _lead, reader_id, link = joined
    flow.react(now=now + 11 * MINUTE)
    merge.undo(link, now=now + 20 * MINUTE)
    news.mark([reader_id], now=now + 20 * MINUTE)
    flow.react(now=now + 21 * MINUTE)
    assert entries(readers)[reader_id] == (Cause.UNDO, now)


def test_left_segment__by_a_merge_or_its_undoing__nobody_has_left(joined, now):
    readers, _lead, _reader_id, link = joined
    left = make_segment("Left", condition("left_segment", segment=readers.pk, days=30))
    flow.react(now=now + 11 * MINUTE)
    merge.undo(link, now=now + 20 * MINUTE)
    flow.react(now=now + 21 * MINUTE)
    assert entries(left) == {}


@pytest.mark.parametrize(("says", "number"), [([], 0), (["merge"], 1), (["undo", "import"], 0)])
def test_scenario__entry_by_a_merge__only_where_it_says_so(joined, now, says, number):
    readers, lead, _reader_id, _link = joined
    scenario = a_scenario(now, [wait()], entry="segment", segment=readers, entry_causes=says)
    flow.react(now=now + 11 * MINUTE)
    assert inside(scenario) == ({lead.visitor_id} if number else set())


@pytest.mark.parametrize("says", [[], ["undo"]])
def test_scenario__entry_by_an_undoing__only_where_it_says_so(joined, now, says):
    readers, _lead, reader_id, link = joined
    scenario = a_scenario(now, [wait()], entry="segment", segment=readers, entry_causes=says)
    flow.react(now=now + 11 * MINUTE)
    merge.undo(link, now=now + 20 * MINUTE)
    flow.react(now=now + 21 * MINUTE)
    assert inside(scenario) == ({reader_id} if says else set())


@pytest.mark.parametrize("says", [[], ["import"]])
def test_scenario__entry_by_an_import__only_where_it_says_so(now, says):
    named = make_segment("Named", condition("identified", **{"is": "yes"}))
    Segment.objects.update(refreshed_at=now)
    scenario = a_scenario(now, [wait()], entry="segment", segment=named, entry_causes=says)
    imported = identify(None, email=ANN, now=now, method="import")
    by_form = identify(factories.browser(now), email="bob@example.com", now=now, method="form")
    flow.react(now=now)
    assert {pk: cause for pk, (cause, _at) in entries(named).items()} == {
        imported.visitor_id: Cause.IMPORT,
        by_form.visitor_id: "",
    }
    assert inside(scenario) == {by_form.visitor_id} | ({imported.visitor_id} if says else set())


@pytest.mark.parametrize("is_heard_first", [False, True], ids=["by comparison", "somebody hits first"])
def test_rescore__segment_that_asks_for_scores__entered_by_it(home, now, is_heard_first):
    warm = make_segment("Warm", condition("score", comparison="at_least", number=5))
    readers = make_segment("Readers", viewed(home, 1))
    browser = factories.browser(now)
    make_view(browser, home, at=now)
    news.mark([browser.visitor_id], now=now)
    ScoringRule.objects.update(is_active=False)
    flow.run_due(now=now)
    flow.react(now=now)
    assert entries(warm) == {}
    scenario = a_scenario(now, [wait()], entry="segment", segment=warm)
    ScoringRule.objects.create(name="Views", kind="page_view", points=50)
    rescore.request(now=now)
    rescore.rescore(now=now)
    assert Segment.objects.get(pk=warm.pk).pending_cause == Cause.RESCORE
    assert Segment.objects.get(pk=readers.pk).pending_cause == ""
    later = now + MINUTE
    if is_heard_first:
        news.mark([browser.visitor_id], now=later)
    else:
        refresh.refresh_due(now=later)
        assert News.objects.get(visitor_id=browser.visitor_id).cause == Cause.RESCORE
    flow.react(now=later)
    assert entries(warm) == {browser.visitor_id: (Cause.RESCORE, later)}
    assert not inside(scenario)
    refresh.refresh_due(now=later)
    assert Segment.objects.get(pk=warm.pk).pending_cause == ""


def test_set_aside__reaction_that_failed__keeps_the_cause(joined, now):
    _readers, lead, _reader_id, _link = joined
    news.set_aside(lead.visitor_id, ValueError(), now=now + 11 * MINUTE)
    assert News.objects.get(visitor_id=lead.visitor_id).cause == Cause.MERGE


def test_expect__next_round__decides_everybody_anew(home, now):
    segment = make_segment("Readers", viewed(home, 1))
    refresh.refresh_segment(segment, now=now)
    causes.expect([segment.pk], Cause.RESCORE)
    segment.refresh_from_db()
    assert (segment.pending_cause, segment.next_refresh_at) == ("rescore", None)
    refresh.refresh_due(now=now)
    segment.refresh_from_db()
    assert segment.pending_cause == ""


def test_screen__member_by_a_merge__says_so_and_no_stay_before_it(admin_client, joined, now):
    readers, lead, _reader_id, _link = joined
    flow.react(now=now + 11 * MINUTE)
    url = reverse("wagtail_ma_segments:person", args=[readers.pk, lead.visitor_id])
    html = admin_client.get(url).content.decode()
    assert "Two turned out to be one person" in html
    assert "Was in it from" not in html


def test_left_segment__under_another_scoring__the_past_says_by_what(home, now):
    readers = make_segment("Readers", viewed(home, 1))
    browser = factories.browser(now)
    make_view(browser, home, at=now)
    news.mark([browser.visitor_id], now=now)
    flow.react(now=now)
    PageView.objects.filter(visit__identity=browser).delete()
    told = {browser.visitor_id: frozenset({Cause.RESCORE})}
    refresh.refresh_visitors([browser.visitor_id], now=now + MINUTE, causes=told)
    assert list(PastMembership.objects.values_list("segment", "cause")) == [(readers.pk, Cause.RESCORE)]
