"""The ranked list: its pages, what "everybody in this list" means, and what is done to many at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import factories
from wagtail_ma.people.models import Visitor
from wagtail_ma.reports import ranked
from wagtail_ma.reports.keyset import page
from wagtail_ma.scoring.current import current_model
from wagtail_ma.scoring.marks import copy_marks
from wagtail_ma.scoring.models import ScoreEntry, ScoringRule, Standing

pytestmark = pytest.mark.django_db
INDEX = "/admin/marketing/visitors/"
BULK = "/admin/bulk/wagtail_ma/visitor/"


def stand(rank: float, *, seen: datetime | None = None, **fields: Any) -> Visitor:
    """A visitor with a place in the ranking."""
    moment = seen or timezone.now()
    visitor = Visitor.objects.create(first_seen_at=moment)
    Standing.objects.create(
        model=current_model(moment),
        visitor=visitor,
        rank=rank,
        engagement_sum=rank,
        last_seen_at=seen,
        active_at=seen,
        **fields,
    )
    return visitor


def signed_in(client: Client, *codenames: str) -> Client:
    user = get_user_model().objects.create_user("colleague", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"),
        *Permission.objects.filter(content_type__app_label="wagtail_ma", codename__in=codenames),
    )
    client.force_login(user)
    return client


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(ranks=st.lists(st.floats(-5, 5, width=16), max_size=12), size=st.integers(1, 5))
def test_pages__any_ranks__forward_and_back_show_everybody_once(
    ranks: list[float], size: int, django_db_blocker: Any
) -> None:
    from django.db import transaction

    with transaction.atomic():
        for rank in ranks:
            stand(rank)
        rows, order = Standing.objects.select_related("model"), ranked.ORDERS["-rank"]
        expected = [s.visitor_id for s in sorted(rows, key=lambda s: (s.rank, s.visitor_id), reverse=True)]
        pages = [page(rows, order, size=size)]
        while pages[-1].next_cursor:
            pages.append(page(rows, order, cursor=pages[-1].next_cursor, size=size))
        assert [row.visitor_id for each in pages for row in each.rows] == expected
        back = pages[-1]
        for before in reversed(pages[:-1]):
            back = page(rows, order, cursor=back.previous_cursor, size=size)
            assert [row.pk for row in back.rows] == [row.pk for row in before.rows]
        assert back.previous_cursor == ""
        transaction.set_rollback(True)


@pytest.mark.parametrize(
    "cursor", ["n~nan~1", "n~inf~1", "x~1.0~1", "n~1.0~99999999999999999999999", "n~~", "2"]
)
def test_index__nonsense_cursor__first_page(admin_client: Client, cursor: str) -> None:
    visitor = stand(1)
    answer = admin_client.get(INDEX, {"list": "all", "p": cursor}).content.decode()
    assert visitor.label in answer


def test_lists__active_everybody_customers__each_has_its_own(admin_client: Client) -> None:
    now = timezone.now()
    active = stand(3, seen=now, view_count=3)
    stand(2, seen=now - timedelta(days=40), view_count=3)
    customer = stand(1, seen=now, view_count=9)
    out = stand(9, seen=now, view_count=9)
    Visitor.objects.filter(pk=customer.pk).update(is_customer=True)
    Visitor.objects.filter(pk=out.pk).update(excluded_reason="bot")
    copy_marks([customer.pk, out.pk])

    def shown(**query: str) -> list[int]:
        context = admin_client.get(INDEX, query).context
        return [standing.visitor_id for standing in context["object_list"]]

    assert shown() == [active.pk]
    assert shown(list="customers") == [customer.pk]
    assert len(shown(list="all")) == 3
    assert out.pk not in shown(list="all")


def test_score_lines__earlier_days__as_they_were(now: datetime) -> None:
    model = current_model(now - timedelta(days=60))
    rule = ScoringRule.objects.create(name="x", kind="visit")
    visitor = Visitor.objects.create(first_seen_at=now)
    earned = [(10.0, 40), (20.0, 20), (5.0, 3)]
    from wagtail_ma.scoring import decay

    clock = {"epoch": model.epoch, "half_life_days": model.half_life_days}
    for number, (points, days) in enumerate(earned):
        ScoreEntry.objects.create(
            model=model,
            rule=rule,
            visitor=visitor,
            fact_kind="visit",
            fact_id=number,
            points=points,
            at=now - timedelta(days=days, hours=1),
        )
    forward = decay.forward_sum([(p, now - timedelta(days=d, hours=1)) for p, d in earned], **clock)
    standing = Standing.objects.create(model=model, visitor=visitor, engagement_sum=forward, rank=forward)
    line = ranked.score_lines([standing], now=now)[visitor.pk]
    for ago in (0, 2, 3, 4, 19, 21, 30):
        moment = now - timedelta(days=ago)
        expected = sum(
            p * 0.5 ** ((moment - now + timedelta(days=d, hours=1)).total_seconds() / 86_400 / 30)
            for p, d in earned
            if now - timedelta(days=d, hours=1) <= moment
        )
        assert line[-1 - ago] == pytest.approx(expected, abs=0.01)


def test_index__fifty_rows__as_many_statements_as_one_row(
    admin_client: Client, django_assert_max_num_queries: Any
) -> None:
    for number in range(60):
        stand(number, seen=timezone.now(), view_count=5)
    admin_client.get(INDEX)
    with django_assert_max_num_queries(16):
        admin_client.get(INDEX)


def test_bulk__everybody_of_a_filtered_list__those_and_no_others(admin_client: Client) -> None:
    now = timezone.now()
    recent = stand(1, seen=now, view_count=5)
    stand(2, seen=now - timedelta(days=20), view_count=5)
    url = f"{BULK}exclude/?id=all&seen=7&next={INDEX}"
    assert admin_client.get(url).context["count"] == 1
    admin_client.post(url, {"act": "yes", "note": "asked us to"})
    assert list(Visitor.objects.exclude(excluded_reason="").values_list("pk", flat=True)) == [recent.pk]


def test_bulk__selected__into_a_segment(admin_client: Client) -> None:
    one, _other = stand(1), stand(2)
    segment = factories.make_segment("Call", match="all")
    admin_client.post(f"{BULK}segment/?id={one.pk}&next={INDEX}", {"segment": segment.pk, "act": "add"})
    assert list(segment.decisions.values_list("visitor_id", "is_member")) == [(one.pk, True)]


def test_bulk__customer__and_back(admin_client: Client) -> None:
    one = stand(1)
    for act, expected in (("yes", True), ("no", False)):
        admin_client.post(f"{BULK}customer/?id={one.pk}&next={INDEX}", {"act": act})
        one.refresh_from_db()
        assert one.is_customer is expected


def test_bulk__export__the_selected_as_a_file(admin_client: Client) -> None:
    one, other = stand(1), stand(2)
    answer = admin_client.post(f"{BULK}export/?id={one.pk}&next={INDEX}", {"format": "csv"}, follow=True)
    text = b"".join(answer.streaming_content).decode()
    assert one.label in text
    assert other.label not in text


@pytest.mark.parametrize("action", ["segment", "exclude", "customer", "export"])
def test_bulk__without_the_right__not_even_the_question(client: Client, action: str) -> None:
    one = stand(1)
    signed_in(client, "view_visitor", "view_lead")
    url = f"{BULK}{action}/?id={one.pk}&next={INDEX}"
    for answer in (client.get(url), client.post(url, {"act": "yes"})):
        assert answer.status_code == 302
    one.refresh_from_db()
    assert (one.excluded_reason, one.is_customer) == ("", False)


def test_bulk__leads_for_somebody_who_may_not_see_them__are_left_alone(client: Client, now: datetime) -> None:
    lead = factories.make_lead(now=now)
    Standing.objects.create(model=current_model(now), visitor=lead.visitor, rank=1)
    signed_in(client, "view_visitor", "change_lead")
    url = f"{BULK}exclude/?id={lead.visitor_id}&next={INDEX}"
    client.post(url, {"act": "yes"})
    lead.visitor.refresh_from_db()
    assert lead.visitor.excluded_reason == ""


def test_filters__bands_topic_heat__those_and_no_others(admin_client: Client) -> None:
    from wagtail_ma.sales.models import HotDefinition, HotEntry
    from wagtail_ma.scoring.models import Interest
    from wagtail_ma.tracking.models import Topic

    now = timezone.now()
    current_model(now)
    good = stand(60, fit_grade="A")
    weak = stand(10, fit_grade="D")
    topic = Topic.objects.create(name="Speed")
    for visitor, evidence in ((weak, 9.0), (good, 3.0)):
        Interest.objects.create(
            model=current_model(now), visitor=visitor, topic=topic, evidence_sum=evidence, last_at=now
        )
    HotEntry.objects.create(
        definition=HotDefinition.objects.create(name="x", kind="score"),
        visitor=good,
        born_visitor=good,
        opened_at=now,
        evidence_at=now,
        expires_at=now,
    )

    def shown(**query: Any) -> list[int]:
        context = admin_client.get(INDEX, {"list": "all", **query}).context
        return [standing.visitor_id for standing in context["object_list"]]

    assert shown(fit="A") == shown(engagement="2") == shown(hot="hot") == [good.pk]
    assert shown(engagement="4") == [weak.pk]
    assert shown(topic=topic.pk) == [good.pk, weak.pk]
    assert shown(topic=topic.pk, ordering="-interest") == [weak.pk, good.pk]
    assert shown(ordering="-interest") == [good.pk, weak.pk]


def test_active__enough_actions_within_the_days__and_not_a_day_longer(home: Any, now: datetime) -> None:
    from tests.sales.stories import Person

    person = Person(now).read(home).later(days=10).read(home)
    assert not ranked.listed("active", now=person.now).exists()
    person.later(days=1).read(home)
    # The third last action was on the first day.
    assert ranked.listed("active", now=now + timedelta(days=30)).exists()
    assert not ranked.listed("active", now=now + timedelta(days=30, minutes=1)).exists()
