"""Conditions, dates and hands that let people in; and those who were there before."""

from __future__ import annotations

from datetime import date, timedelta
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from tests.factories import condition, make_browser, make_segment, make_view
from tests.scenarios.stories import a_draft, a_lead, a_scenario, end, wait
from tests.scoring.history import a_visitor
from wagtail_ma import flow
from wagtail_ma.people import news
from wagtail_ma.people.models import Lead, LeadField, Visitor
from wagtail_ma.scenarios import entry, entry_rule, switch
from wagtail_ma.scenarios.models import Enrolment, Scenario
from wagtail_ma.scenarios.publish import problems
from wagtail_ma.segments import decisions
from wagtail_ma.segments.models import Membership, Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY = timedelta(days=1)
KNOWN = condition("identified", **{"is": "yes"})


def inside():
    return set(Enrolment.objects.filter(status="active").values_list("visitor_id", flat=True))


def by_rule(now, *conditions, **fields):
    return a_scenario(now, [wait()], entry="rule", activity_kind="", rule=list(conditions), **fields)


def tell(*visitors, at):
    news.mark([visitor.pk for visitor in visitors], now=at)
    flow.react(now=at)


def test_rule__becomes_true__enters_and_who_fulfilled_it_before_does_not(now):
    before = a_lead(now)
    scenario = by_rule(now, KNOWN)
    # Somebody comes by before the conditions were looked at for the first time.
    tell(before.visitor, at=now)
    assert inside() == set()
    flow.run_due(now=now)
    tell(before.visitor, at=now + DAY)
    after = a_lead(now + DAY, email="b@example.com")
    tell(after.visitor, at=now + DAY)
    assert inside() == {after.visitor_id}
    assert Enrolment.objects.get().trigger.startswith(f"segment:{scenario.own_segment_id}:")


def test_rule__includes_existing__they_enter_once_in_portions(now):
    leads = [a_lead(now, email=f"{number}@example.com") for number in range(5)]
    by_rule(now, KNOWN, includes_existing=True)
    assert entry_rule.take_in(now=now) == 0
    flow.run_due(now=now)
    Enrolment.objects.all().delete()
    Visitor.objects.filter(pk=leads[0].visitor_id).update(excluded_reason="competitor")
    Scenario.objects.update(existing_after=0)
    assert [entry_rule.take_in(now=now, limit=2) for _number in range(4)] == [1, 2, 1, 0]
    assert entry_rule.take_in(now=now, limit=2) == 0
    assert inside() == {lead.visitor_id for lead in leads[1:]}
    assert Scenario.objects.get().existing_after is None


def test_segment__existing_members__only_where_asked_for(now):
    segment = Segment.objects.create(name="Fixed", is_static=True)
    member = a_visitor(now)
    decisions.decide(segment, [member.pk], is_member=True, by=None, now=now)
    flow.react(now=now)
    fields = {"entry": "segment", "activity_kind": "", "segment": segment}
    a_scenario(now, [wait()], **fields)
    flow.run_due(now=now)
    assert inside() == set()
    scenario = a_scenario(now, [wait()], **fields, includes_existing=True)
    flow.run_due(now=now)
    assert Enrolment.objects.get().scenario == scenario
    # Publishing other steps takes nobody in again.
    Enrolment.objects.all().delete()
    scenario.save_revision().publish()
    flow.run_due(now=now)
    assert inside() == set()


def test_rule__changed_and_published__those_whom_only_the_change_finds_do_not_enter(now, home):
    visitor = make_browser(now=now).visitor
    scenario = by_rule(now, KNOWN)
    flow.run_due(now=now)
    scenario.match = "none"
    scenario.save_revision().publish()
    own = Segment.objects.get(is_internal=True)
    assert (own.match, own.refreshed_at) == ("none", None)
    flow.run_due(now=now)
    tell(visitor, at=now)
    assert Membership.objects.filter(segment=own, visitor=visitor).exists()
    assert inside() == set()


def test_rule__its_segment__is_seen_by_nobody_and_goes_with_the_scenario(now, admin_client):
    scenario = by_rule(now, KNOWN)
    name = Segment.objects.get().name
    assert name not in admin_client.get(reverse("wagtail_ma_segments:index")).content.decode()
    for chooser in ("wagtail_ma_segment_chooser", "wagtail_ma_stored_segment_chooser"):
        assert name not in admin_client.get(reverse(f"{chooser}:choose")).content.decode()
    assert name not in admin_client.get(reverse("wagtail_ma_scenarios:add")).content.decode()
    scenario.refresh_from_db()
    scenario.delete()
    assert not Segment.objects.exists()


def test_rule__none_or_about_the_request__cannot_be_published(now):
    live = condition("query_string", name="a", value="b", comparison="equals")
    for rule in ([], [live]):
        assert problems(a_draft([wait()], entry="rule", activity_kind="", rule=rule))


@pytest.fixture
def renewal():
    return LeadField.objects.create(key="renewal", label="Renewal", kind="date")


def dated(now, day, email="reader@example.com"):
    lead = a_lead(now, email=email)
    Lead.objects.filter(pk=lead.pk).update(attributes={"renewal": day.isoformat()})
    return lead


def by_date(now, field, *, days=7, side="before", **fields):
    ways = {"entry": "date", "activity_kind": "", "date_field": field, "date_days": days, "date_side": side}
    return a_scenario(now, [end()], **ways, **fields)


# The fixture's now is 10 o'clock on 3 March in Tokyo.
@pytest.mark.parametrize(
    ("days", "side", "day"),
    [(7, "before", 10), (0, "before", 3), (0, "after", 3), (2, "after", 1)],
)
def test_date__so_many_days_away__enters_on_the_day(now, renewal, days, side, day):
    lead = dated(now, date(2026, 3, day))
    dated(now, date(2026, 3, day + 1), "later@example.com")
    dated(now, date(2026, 3, 20), "other@example.com")
    by_date(now, renewal, days=days, side=side)
    assert entry.enter_by_date(now=now) == 1
    assert entry.enter_by_date(now=now + timedelta(minutes=1)) == 0
    assert Enrolment.objects.get().visitor_id == lead.visitor_id
    assert entry.enter_by_date(now=now + DAY) == 1


def test_date__before_business_has_begun_in_tokyo__waits(now, renewal):
    dated(now, date(2026, 3, 10))
    by_date(now, renewal)
    # Half past eight on the 3rd there; the 2nd in London.
    assert entry.enter_by_date(now=now - timedelta(minutes=90)) == 0
    assert entry.enter_by_date(now=now) == 1


def test_date__worker_stood_still__catches_up_a_week_and_no_more(now, renewal):
    by_date(now, renewal, days=0)
    entry.enter_by_date(now=now)
    for number in range(1, 12):
        dated(now, date(2026, 3, 3) + number * DAY, f"{number}@example.com")
    assert entry.enter_by_date(now=now + 11 * DAY) == 7


def test_date__filled_in_on_the_day_itself__enters_with_the_next_reaction(now, renewal):
    by_date(now, renewal)
    entry.enter_by_date(now=now)
    lead = dated(now, date(2026, 3, 10))
    tell(lead.visitor, at=now + timedelta(hours=3))
    assert Enrolment.objects.get().visitor_id == lead.visitor_id
    tell(lead.visitor, at=now + timedelta(hours=4))
    assert Enrolment.objects.count() == 1


def test_date__no_such_field_or_a_value_that_is_none__nobody(now, renewal):
    lead = a_lead(now)
    for value in ({"renewal": 20260310}, {"renewal": "soon"}, {"renewal": None}, {}):
        Lead.objects.filter(pk=lead.pk).update(attributes=value)
        by_date(now, renewal)
        assert entry.enter_by_date(now=now) == 0
    assert problems(a_draft([wait()], entry="date", activity_kind=""))


def bulk(client, scenario, people, act="add"):
    url = reverse("wagtail_bulk_action", args=["wagtail_ma", "visitor", "scenario"])
    query = urlencode([("id", str(each.pk)) for each in people])
    return client.post(f"{url}?{query}", {"scenario": scenario.pk, "act": act})


def test_by_hand__selected_people__in_and_out(now, admin_client, home):
    people = []
    for _number in range(2):
        browser = make_browser(now=now)
        make_view(browser, home, at=now)
        people.append(browser.visitor)
    tell(*people, at=now)
    scenario = a_scenario(now, [wait()], entry="hand", activity_kind="")
    assert bulk(admin_client, scenario, people).status_code == 302
    assert inside() == {each.pk for each in people}
    bulk(admin_client, scenario, people)
    assert Enrolment.objects.count() == 2
    bulk(admin_client, scenario, people[:1], "remove")
    assert inside() == {people[1].pk}
    assert Enrolment.objects.get(status="exited").left_because == "taken out by hand"


def test_by_hand__without_the_right_or_not_running__nobody(now, client, admin_client, home):
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    tell(browser.visitor, at=now)
    scenario = a_scenario(now, [wait()], entry="hand", activity_kind="")
    user = User.objects.create_user("eve", password="x")
    rights = ("access_admin", "view_visitor", "view_scenario")
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    bulk(client, scenario, [browser.visitor])
    switch.pause(scenario)
    bulk(admin_client, scenario, [browser.visitor])
    assert not Enrolment.objects.exists()


def test_editor__conditions_and_who_is_there_now__are_shown(now, admin_client, renewal):
    segment = make_segment("Fans")
    member = a_lead(now, email="hanako@example.com")
    Membership.objects.create(segment=segment, visitor=member.visitor, entered_at=now)
    Segment.objects.update(member_count=1)
    scenario = a_scenario(now, [wait()], entry="segment", activity_kind="", segment=segment)
    page = admin_client.get(reverse("wagtail_ma_scenarios:edit", args=[scenario.pk]))
    text = page.content.decode()
    assert "person is in “Fans” now" in " ".join(text.split())
    assert "hanako@example.com" in text


def test_editor__by_date__who_would_start_today_how_many_and_some_of_them(now, admin_client, client, renewal):
    today = timezone.localdate(timezone.now(), timezone.get_default_timezone())
    for number in range(7):
        dated(now, today + 7 * DAY, f"lead{number}@example.com")
    dated(now, today + 8 * DAY, "tomorrow@example.com")
    excluded = dated(now, today + 7 * DAY, "excluded@example.com")
    Visitor.objects.filter(pk=excluded.visitor_id).update(excluded_reason="x")
    url = reverse("wagtail_ma_scenarios:edit", args=[by_date(now, renewal).pk])
    text = " ".join(admin_client.get(url).content.decode().split())
    assert "Today it would start for <strong>7</strong> people." in text
    assert text.count("lead6@example.com") == 1 and text.count("@example.com</a>") == 5
    assert "tomorrow@" not in text and "excluded@" not in text
    # Without the right to see leads, only how many.
    user = User.objects.create_user("eve", password="x")
    rights = ("access_admin", "view_visitor", "view_scenario", "change_scenario")
    user.user_permissions.add(*Permission.objects.filter(codename__in=rights))
    client.force_login(user)
    text = " ".join(client.get(url).content.decode().split())
    assert "<strong>7</strong> people" in text and "@example.com" not in text


def test_editor__published_with_another_way__forgets_what_the_first_asked_for(now, admin_client, renewal):
    from tests.admin.test_scenarios import form

    scenario = by_date(now, renewal)
    url = reverse("wagtail_ma_scenarios:edit", args=[scenario.pk])
    data = {**form(), "date_field": renewal.pk, "date_days": "7", "date_side": "before", "match": "all"}
    response = admin_client.post(url, {**data, "rule-count": "0", "action-publish": "1"})
    assert response.status_code == 302, response.context["form"].errors
    scenario.refresh_from_db()
    assert (scenario.entry, scenario.date_field) == ("activity", None)
