"""Trying scenarios out: on the past, and with one person. Nothing is written."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import pytest
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from django.utils import timezone

from tests.factories import condition
from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, end, send, step, wait
from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor, an_activity
from wagtail_ma.admin import scenario_trial
from wagtail_ma.messaging.models import Delivery
from wagtail_ma.people.models import Lead, LeadField, Visitor
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios import dry_run as trying
from wagtail_ma.scenarios import runner
from wagtail_ma.scenarios.dry_run import LOOKS, dry_run
from wagtail_ma.scenarios.entry import put_in
from wagtail_ma.scenarios.models import Enrolment, StepRun
from wagtail_ma.scenarios.publish import tree_of
from wagtail_ma.scenarios.simulate import simulate
from wagtail_ma.segments.models import Membership, PastMembership, Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TWICE = condition("visit_count", comparison="at_least", number=2, days=5)


def rows():
    """How many rows every table of ours has."""
    return {model.__name__: model.objects.count() for model in apps.get_app_config("wagtail_ma").get_models()}


def test_dry_run__activities__each_person_once_the_latest_first(now):
    scenario = a_draft([wait()])
    first, second = a_browser(a_visitor(now), now), a_browser(a_visitor(now), now)
    an_activity(first, now - 3 * DAY)
    an_activity(first, now - 2 * DAY)
    an_activity(second, now - DAY)
    # Not these: too early, another kind, machines, excluded, merged away.
    an_activity(first, now - 40 * DAY)
    an_activity(a_browser(a_visitor(now), now), now - DAY, kind="form_start")
    an_activity(a_browser(a_visitor(now), now), now - DAY, data={"is_machine": True})
    bot = a_browser(a_visitor(now), now)
    an_activity(bot, now - DAY, visit=a_visit(bot, now - DAY, is_bot=True))
    an_activity(a_browser(a_visitor(now, excluded_reason="x"), now), now - DAY)
    an_activity(a_browser(a_visitor(now, merged_into=a_visitor(now)), now), now - DAY)
    found = dry_run(scenario, since=now - 30 * DAY, until=now)
    assert (found.people, found.occasions) == (2, 3)
    assert [(would.visitor.pk, would.at) for would in found.first] == [
        (second.visitor_id, now - DAY),
        (first.visitor_id, now - 3 * DAY),
    ]


def test_dry_run__segment_entered__members_of_now_and_of_the_past(now):
    segment = Segment.objects.create(name="Readers")
    one, two, old = (a_visitor(now) for _number in range(3))
    Membership.objects.create(segment=segment, visitor=one, entered_at=now - DAY)
    Membership.objects.create(segment=segment, visitor=old, entered_at=now - 90 * DAY)
    for visitor, entered in ((one, now - 9 * DAY), (two, now - 5 * DAY)):
        PastMembership.objects.create(
            segment=segment, visitor=visitor, born_visitor=visitor, entered_at=entered, left_at=entered + DAY
        )
    scenario = a_draft([wait()], entry="segment", segment=segment)
    found = dry_run(scenario, since=now - 30 * DAY, until=now)
    assert (found.people, found.occasions, found.inside_now) == (2, 3, 2)
    assert [would.visitor for would in found.first] == [two, one]
    left = dry_run(a_draft([wait()], entry="left", segment=segment), since=now - 30 * DAY, until=now)
    assert (left.people, [would.at for would in left.first]) == (2, [now - 4 * DAY, now - 8 * DAY])


def test_dry_run__conditions__who_came_to_fulfil_them_from_day_to_day(now):
    """As many as would enter when somebody reacts each day, the same people, on the same days."""
    page = a_page(now - 60 * DAY)
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    often, twice, once, before, gone = (a_browser(a_visitor(now - 50 * DAY), now) for _number in range(5))
    for browser, days in ((often, (20, 19, 3, 2)), (twice, (10, 9)), (once, (8,)), (before, (32, 31))):
        for day in days:
            a_view(a_visit(browser, now - day * DAY - HOUR), now - day * DAY - HOUR, page=page)
    for day in (7, 6):
        a_visit(gone, now - day * DAY - HOUR)
    Visitor.objects.filter(pk=gone.visitor_id).update(excluded_reason="x")
    found = dry_run(scenario, since=now - 30 * DAY, until=now)
    assert (found.people, found.occasions, found.inside_now) == (2, 3, 1)
    assert [(would.visitor.pk, would.at) for would in found.first] == [
        (twice.visitor_id, now - 9 * DAY),
        (often.visitor_id, now - 19 * DAY),
    ]


def test_dry_run__conditions__statements_do_not_grow_with_the_time(now, django_assert_max_num_queries):
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    with django_assert_max_num_queries(LOOKS + 3):
        dry_run(scenario, since=now - 900 * DAY, until=now)


class Clock:
    """Each look takes as long."""

    def __init__(self, monkeypatch, seconds):
        self.now, self.looks = 0.0, 0
        ask = trying.everyone

        def slow(*args, **kwargs):
            self.now += seconds
            self.looks += 1
            return ask(*args, **kwargs)

        monkeypatch.setattr(trying, "everyone", slow)
        monkeypatch.setattr(scenario_trial, "dry_run", partial(dry_run, clock=self))

    def __call__(self):
        return self.now


@pytest.mark.parametrize(
    ("seconds", "looks", "days", "people"),
    [(0, 31, None, 2), (1, 8, 7, 1), (2.5, 4, 3, 1), (20, 2, 1, 0)],
)
def test_dry_run__conditions_of_very_many__stops_after_a_time(now, monkeypatch, seconds, looks, days, people):
    """The latest days are looked at first."""
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    often, once = (a_browser(a_visitor(now - 50 * DAY), now) for _number in range(2))
    for browser, times in ((often, (20, 19, 3, 2)), (once, (25, 24))):
        for day in times:
            a_visit(browser, now - day * DAY - HOUR)
    clock = Clock(monkeypatch, seconds)
    found = dry_run(scenario, since=now - 30 * DAY, until=now, clock=clock)
    assert (clock.looks, found.people, found.inside_now) == (looks, people, 1)
    assert found.since == (None if days is None else now - days * DAY)
    assert [would.visitor.pk for would in found.first[:1]] == [often.visitor_id][:people]


def test_dry_run__conditions_broken_or_of_the_request__do_not_tell(now):
    live = condition("query_string", name="a", value="b", comparison="equals")
    for rule in ([], [condition("gone")], [live]):
        scenario = a_draft([wait()], entry="rule", activity_kind="", rule=rule)
        assert dry_run(scenario, since=now - DAY, until=now).people is None


@pytest.mark.parametrize("side", ["before", "after"])
def test_dry_run__dates__whose_day_it_was(now, side):
    """The fixture's now is 10 o'clock on 3 March in Tokyo; business begins at nine."""
    field = LeadField.objects.create(key="renewal", label="Renewal", kind="date")
    ways = {"entry": "date", "activity_kind": "", "date_field": field, "date_days": 3, "date_side": side}
    scenario = a_draft([wait()], **ways)
    away = timedelta(days=3 if side == "before" else -3)
    leads = []
    # Today, the first day of the time, too early (its opening was before), tomorrow, nothing readable.
    for number, day in enumerate([date(2026, 3, 3), date(2026, 2, 2), date(2026, 2, 1), date(2026, 3, 4)]):
        lead = a_lead(now, email=f"{number}@example.com")
        Lead.objects.filter(pk=lead.pk).update(attributes={"renewal": (day + away).isoformat()})
        leads.append(lead)
    excluded = a_lead(now, email="x@example.com")
    Lead.objects.filter(pk=excluded.pk).update(attributes={"renewal": (date(2026, 3, 3) + away).isoformat()})
    Visitor.objects.filter(pk=excluded.visitor_id).update(excluded_reason="x")
    found = dry_run(scenario, since=now - 29 * DAY - 2 * HOUR, until=now)
    assert (found.people, found.occasions) == (2, 2)
    assert [(would.visitor.pk, would.at) for would in found.first] == [
        (leads[0].visitor_id, now - HOUR),
        (leads[1].visitor_id, now - 29 * DAY - HOUR),
    ]


def test_dry_run__by_hand__does_not_tell(now):
    assert dry_run(a_draft([wait()], entry="hand"), since=now - DAY, until=now).people is None


def test_dry_run__as_the_real_thing__the_same_people_enter(now):
    """Replayed for real, the same people enter."""
    from wagtail_ma.scenarios.entry import enter

    scenario = a_scenario(now - 30 * DAY, [wait()])
    browsers = [a_browser(a_visitor(now), now) for _number in range(5)]
    for number, browser in enumerate(browsers[:3]):
        an_activity(browser, now - number * DAY - DAY)
    would = dry_run(scenario, since=now - 30 * DAY, until=now)
    enter([browser.visitor_id for browser in browsers], [], now=now)
    real = set(Enrolment.objects.values_list("visitor_id", flat=True))
    assert {each.visitor.pk for each in would.first} == real
    assert would.people == len(real) == 3


def told(found):
    return [(event.title, event.words) for event in found.events]


def test_simulate__newcomer__the_whole_way_in_a_moment_and_nothing_is_kept(now):
    clicked = step("clicked", {"amount": 3, "unit": "days", "yes": [], "no": [end()]}, key="clicked")
    scenario = a_draft([wait(2), send(a_mail()), clicked])
    before = rows()
    found = simulate(scenario, tree_of(scenario), None, start=now)
    assert told(found) == [
        ("Wait 2 days", "waited"),
        ("Send “Follow-up”", "skipped: no address known"),
        ("Clicked within 3 days? “Follow-up”", "No"),
        ("End", "ended"),
    ]
    assert found.at == now + 2 * DAY
    assert found.ending == "went through to the end"
    assert rows() == before


def test_simulate__as_the_real_run__the_same_outcomes_at_the_same_times(now):
    segment = Segment.objects.create(name="Hot")
    lead = a_lead(now)
    Membership.objects.create(segment=segment, visitor=lead.visitor, entered_at=now)
    clicked = step("clicked", {"amount": 3, "unit": "days", "yes": [], "no": [wait(key="w2")]}, key="clicked")
    branch = step("branch", {"segment": segment.pk, "yes": [send(a_mail()), clicked], "no": []}, key="ask")
    scenario = a_scenario(now, [wait(), branch, end()], entry="hand")
    found = simulate(scenario, tree_of(scenario), lead.visitor, start=now)
    assert not Delivery.objects.exists() and not StepRun.objects.exists()
    put_in(scenario, [lead.visitor_id], reason="real", now=now)
    for moment in (now, *(event.at for event in found.events)):
        runner.run_due(now=moment)
    real = [(run.step_id, run.outcome, run.at) for run in StepRun.objects.order_by("pk")]
    assert [(event.key.split(":")[0], event.outcome, event.at) for event in found.events] == real
    assert [event.reason for event in found.events][1].startswith("In the segment since")


def test_simulate__somebody_who_is_inside_already__walks_beside_it(now):
    scenario = a_scenario(now, [wait(), end()], entry="hand")
    visitor = a_visitor(now)
    put_in(scenario, [visitor.pk], reason="real", now=now)
    before = rows()
    assert len(simulate(scenario, tree_of(scenario), visitor, start=now).events) == 2
    assert rows() == before


def test_simulate__outcome_chosen__goes_that_way_and_says_so(now):
    visit = step("wait_visit", {"amount": 5, "unit": "days", "yes": [wait(key="w")], "no": []}, key="back")
    scenario = a_draft([visit])
    late = simulate(scenario, tree_of(scenario), None, start=now)
    assert (late.events[0].words, late.events[0].reason) == ("Not in time", "Nothing happened in time.")
    assert late.at == now + 5 * DAY
    found = simulate(scenario, tree_of(scenario), None, start=now, choices={"back:1": "yes"})
    assert [event.outcome for event in found.events] == ["yes", "waited"]
    assert found.events[0].is_chosen and found.events[0].reason == "You said so."
    assert simulate(scenario, tree_of(scenario), None, start=now, choices={"back:1": "nonsense"}) == late


def test_simulate__goal_reached_already__leaves_at_once(now):
    goal = Goal.objects.create(name="Enquiry", activity_kind="form_submit")
    visitor = a_visitor(now)
    an_activity(a_browser(visitor, now), now + DAY, kind="form_submit")
    scenario = a_draft([wait(2), end()], goal=goal)
    found = simulate(scenario, tree_of(scenario), visitor, start=now)
    assert (found.ending, [event.outcome for event in found.events]) == ("reached the goal", [])


def test_simulate__mail_not_published__the_step_fails_with_the_reason(now):
    scenario = a_draft([send(a_mail(live=False)), end()])
    found = simulate(scenario, tree_of(scenario), a_lead(now).visitor, start=now)
    assert "The step fails" in found.ending and "not published" in found.ending


def test_simulate__nothing_chosen__the_step_fails_as_publishing_would_say_it(now):
    branch = step("branch", {"segment": None, "yes": [], "no": []}, key="branch")
    scenario = a_draft([branch])
    found = simulate(scenario, tree_of(scenario), None, start=now)
    assert found.ending == "The step fails: Choose the segment to ask about."


def test_simulate__loop__ends_somewhere(now):
    tree = [
        {"id": "p", "kind": "place", "params": {"name": "a"}},
        {"id": "w", "kind": "wait", "params": {"amount": 1, "unit": "days"}},
        {"id": "g", "kind": "go_to", "params": {"place": "a", "target": "p"}},
    ]
    found = simulate(a_draft([wait()]), tree, None, start=now)
    assert "as far as can be seen" in found.ending


def test_simulate__holiday_on_the_way__is_named(now):
    until = step("wait_until", {"day": "business", "at": "09:00"}, key="until")
    start = datetime(2026, 7, 17, 18, tzinfo=ZoneInfo("Asia/Tokyo"))
    scenario = a_draft([until])
    found = simulate(scenario, tree_of(scenario), None, start=start)
    assert found.at == datetime(2026, 7, 21, 9, tzinfo=ZoneInfo("Asia/Tokyo"))
    assert "海の日" in found.events[0].reason


def trial(client, scenario, **query):
    return client.get(reverse("wagtail_ma_scenarios:trial", args=[scenario.pk]), query)


def test_trial_page__draft__tells_of_the_past_and_walks_with_somebody(admin_client, now):
    lead = a_lead(now, email="hanako@example.com")
    scenario = a_draft([wait(), end()])

    an_activity(lead.visitor.identities.get(), timezone.now() - DAY)
    before = rows()
    text = trial(admin_client, scenario).content.decode()
    assert "it would have let in 1 person" in text
    assert "With a newcomer" in text
    assert f"?person={lead.visitor_id}&amp;start=" in text
    found = trial(admin_client, scenario, q="hanako@example.com").content.decode()
    assert found.count("went through to the end") == 1
    assert rows() == before


def test_trial_page__conditions__asked_of_the_past_only_by_hand(admin_client, now):

    lead = a_lead(now, email="hanako@example.com")
    browser = lead.visitor.identities.get()
    for hours in (30, 29):
        a_visit(browser, timezone.now() - hours * HOUR)
    Visitor.objects.update(first_seen_at=timezone.now() - 3 * DAY)
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    assert "Choose how far to look back" in trial(admin_client, scenario).content.decode()
    text = " ".join(trial(admin_client, scenario, days="7").content.decode().split())
    assert "In the last 7 days it would have let in 1 person." in text
    assert "1 person fulfils the conditions now." in text and "hanako" in text


def test_trial_page__conditions_of_very_many__says_how_far_back_it_looked(admin_client, monkeypatch):
    Clock(monkeypatch, 1)
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    text = " ".join(trial(admin_client, scenario, days="30").content.decode().split())
    assert "In the last 7 days it would have let in 0 people." in text
    assert "looked at the last 7 of 30 days only" in text
    text = trial(admin_client, scenario, days="7").content.decode()
    assert "it would have let in" in text and "too long" not in text


def test_trial_page__conditions_and_a_person_chosen__not_asked_of_everybody_again(admin_client, monkeypatch):
    lead = a_lead(timezone.now(), email="hanako@example.com")
    scenario = a_draft([wait()], entry="rule", activity_kind="", rule=[TWICE])
    clock = Clock(monkeypatch, 0)
    for query in ({"person": lead.visitor_id}, {"q": "hanako@example.com"}, {"way-wait:1": "waited"}):
        text = trial(admin_client, scenario, days="7", **query).content.decode()
        assert clock.looks == 0 and "Choose how far to look back" in text
    trial(admin_client, scenario, days="7")
    assert clock.looks == 8


@pytest.mark.parametrize(
    "query",
    [
        {"days": "x", "person": "-1", "start": "yesterday"},
        {"days": "999999", "person": "9" * 30, "start": "9999-12-31T23:59"},
        {"person": "٣", "start": "0001-01-01T00:00"},
        {"q": "'; --<script>", "way-wait:1": "yes", "way-": "\0"},
        {"start": "2026-02-30T10:00", "q": "%" * 500},
    ],
)
def test_trial_page__hostile_query__answers(admin_client, query):
    response = trial(admin_client, a_draft([wait(), end()]), **query)
    assert response.status_code == 200
    assert "<script>'" not in response.content.decode()


def test_trial_page__without_the_right_to_see_leads__no_names(client, now):
    lead = a_lead(now, email="hanako@example.com")

    an_activity(lead.visitor.identities.get(), timezone.now() - DAY)
    user = User.objects.create_user("eve", password="x")
    names = ["access_admin", "view_scenario", "view_visitor"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client.force_login(user)
    scenario = a_draft([wait()])
    for query in ({}, {"q": "hanako@example.com"}, {"person": lead.visitor_id}):
        assert "hanako" not in trial(client, scenario, **query).content.decode().replace(
            "q=hanako", ""
        ).replace('value="hanako@example.com"', "")
    user.user_permissions.set(Permission.objects.filter(codename="access_admin"))
    client.force_login(User.objects.get(pk=user.pk))
    assert trial(client, scenario).status_code in (302, 403)
