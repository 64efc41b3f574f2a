"""Each membership says what keeps somebody in the segment."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from tests.admin.test_segments import editor, user_with  # noqa: F401  (a fixture)
from tests.factories import condition, make_browser, make_lead, make_segment, make_view
from wagtail_ma import flow
from wagtail_ma.people import merge
from wagtail_ma.people.models import News
from wagtail_ma.segments import decisions, queries, refresh
from wagtail_ma.segments.models import Membership, PastMembership, Segment, Source

pytestmark = pytest.mark.django_db


@pytest.fixture
def readers(home: Any) -> Segment:
    return make_segment("Readers", condition("page_viewed", page=home.pk, days=7))


def sources() -> dict[int, str]:
    return dict(Membership.objects.values_list("visitor_id", "source"))


@pytest.mark.parametrize("is_set", [False, True], ids=["react", "full refresh"])
def test_source__by_rule_by_hand_and_both__what_counts_more(
    readers: Segment, home: Any, now: Any, is_set: bool
) -> None:
    by_rule, by_hand, by_both = (make_browser(now=now).visitor_id for _number in range(3))
    for each in (by_rule, by_both):
        make_view(make_identity(each), home, at=now)
    decisions.decide(readers, [by_hand, by_both], is_member=True, by=None, now=now)
    if is_set:
        refresh.refresh_segment(readers, now=now)
    else:
        refresh.refresh_visitors([by_rule, by_hand, by_both], now=now)
    assert sources() == {by_rule: Source.RULE, by_hand: Source.HAND, by_both: Source.HAND}
    assert queries.by_source(readers.pk) == [(Source.HAND, 2), (Source.RULE, 1)]


def make_identity(visitor_id: int) -> Any:
    from wagtail_ma.people.models import Identity

    return Identity.objects.get(visitor=visitor_id)


def test_source__added_withdrawn_and_left__follows_and_is_kept(readers: Segment, home: Any, now: Any) -> None:
    browser = make_browser(now=now)
    pk = browser.visitor_id
    make_view(browser, home, at=now)
    refresh.refresh_visitors([pk], now=now)
    entered_at = Membership.objects.get().entered_at
    decisions.decide(readers, [pk], is_member=True, by=None, now=now, source=Source.SCENARIO)
    refresh.refresh_visitors([pk], now=now)
    assert sources() == {pk: Source.SCENARIO}
    # They have not entered again.
    assert Membership.objects.get().entered_at == entered_at
    decisions.withdraw(readers, [pk], now=now)
    refresh.refresh_visitors([pk], now=now)
    assert sources() == {pk: Source.RULE}
    decisions.decide(readers, [pk], is_member=True, by=None, now=now)
    refresh.refresh_visitors([pk], now=now)
    decisions.decide(readers, [pk], is_member=False, by=None, now=now)
    refresh.refresh_visitors([pk], now=now)
    assert sources() == {}
    assert PastMembership.objects.get().source == Source.HAND


def test_source__kept_from_another_segment__said_so(readers: Segment, home: Any, now: Any) -> None:
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_visitors([browser.visitor_id], now=now)
    kept = decisions.snapshot(readers, "Kept", by=None, now=now)
    assert queries.by_source(kept.pk) == [(Source.KEPT, 1)]
    refresh.refresh_visitors([browser.visitor_id], now=now + timedelta(days=30))
    refresh.refresh_segment(kept, now=now + timedelta(days=30))
    assert queries.by_source(kept.pk) == [(Source.KEPT, 1)]
    assert queries.by_source(readers.pk) == []


def test_source__merged_with_somebody_put_in_by_hand__by_hand(readers: Segment, home: Any, now: Any) -> None:
    one, other = make_browser(now=now), make_browser(now=now)
    make_view(other, home, at=now)
    decisions.decide(readers, [one.visitor_id], is_member=True, by=None, now=now)
    refresh.refresh_visitors([one.visitor_id, other.visitor_id], now=now)
    with transaction.atomic():
        locked = merge.lock([one.pk])[one.pk]
        merge.repoint(locked, other.visitor_id, method="test", strength="claimed", now=now)
    flow.react(now=now + timedelta(minutes=1))
    assert sources() == {other.visitor_id: Source.HAND}


def test_screens__of_a_member__say_since_when_and_by_what(
    editor: Client,  # noqa: F811
    readers: Segment,
    home: Any,
    now: Any,
) -> None:
    browser, lead = make_browser(now=now), make_lead("ann@example.com", now=now)
    make_view(browser, home, at=now)
    decisions.decide(readers, [lead.visitor_id], is_member=True, by=None, now=now, source=Source.SCENARIO)
    News.objects.create(visitor_id=browser.visitor_id, at=now)
    flow.react(now=now)
    index = f"{reverse('wagtail_ma_visitors:index')}?segment={readers.pk}"
    html = editor.get(index).content.decode()
    assert "its conditions" in html and "put in by a scenario" in html
    rows = list(csv.DictReader(io.StringIO(editor.get(f"{index}&export=csv").getvalue().decode("utf-8-sig"))))
    assert {row["E-mail address"]: row["Kept in it by"] for row in rows} == {
        "": "its conditions",
        "ann@example.com": "put in by a scenario",
    }
    assert all(row["In the segment since"] for row in rows)
    colleague = user_with("view_visitor", "view_lead", "view_segment")
    assert colleague.get(index).status_code == 200
    assert colleague.get(f"{index}&export=csv").status_code in (302, 403)
    every = editor.get(f"{reverse('wagtail_ma_visitors:index')}?list=all&export=csv").getvalue().decode()
    assert "Kept in it by" not in every
    people = editor.get(reverse("wagtail_ma_segments:people", args=[readers.pk])).content.decode()
    assert "Its conditions</dt><dd>1</dd>" in people and "Put in by a scenario</dt><dd>1</dd>" in people
    person = reverse("wagtail_ma_segments:person", args=[readers.pk, lead.visitor_id])
    assert "(put in by a scenario)." in editor.get(person).content.decode()
