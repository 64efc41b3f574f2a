"""The log of all automatic acts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from tests.scenarios.stories import a_lead, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_visitor
from wagtail_ma.messaging.models import Delivery, Mail
from wagtail_ma.reports import automation
from wagtail_ma.sales.models import HotDefinition, HotEntry
from wagtail_ma.scenarios import runner, switch
from wagtail_ma.scenarios.models import StepRun
from wagtail_ma.scenarios.models_of_webhooks import WebhookCall

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]

URL = "wagtail_ma_scenarios:log"
MINUTE = timedelta(minutes=1)


@pytest.fixture
def story(now):
    """Somebody of each kind of act."""
    lead = a_lead(now, email="hanako@example.com")
    scenario = a_scenario(now, [send(a_mail()), wait(), end()], name="Follow-up")
    enrolment = an_enrolment(scenario, lead.visitor, now, trigger="activity:1")
    runner.run_due(now=now)
    Delivery.objects.update(state="skipped", reason="no_consent", created_at=now + MINUTE)
    switch.stop(scenario, now=now + 2 * MINUTE, reason="stopped")
    WebhookCall.objects.create(
        enrolment=enrolment,
        key="k",
        url="https://example.com/",
        data={"name": "hot"},
        state="failed",
        reason="HTTP 404",
        due_at=now,
        created_at=now + 3 * MINUTE,
    )
    HotEntry.objects.create(
        definition=HotDefinition.objects.create(name="=cmd|' /C calc'!A0", kind="score", list="hot"),
        visitor=lead.visitor,
        born_visitor=lead.visitor,
        opened_at=now + 4 * MINUTE,
        evidence_at=now,
        expires_at=now,
        closed_at=now + 5 * MINUTE,
        ended="cooled",
    )
    return lead, scenario


def test_lines__each_kind_of_act__who_what_and_why_newest_first(story):
    lead, scenario = story
    found = automation.lines()
    assert [(line.what, line.why) for line in found] == [
        ("Hot no longer: =cmd|' /C calc'!A0", "cooled down"),
        ("Became hot", "=cmd|' /C calc'!A0"),
        ("Webhook “hot”: failed", "HTTP 404"),
        ("Left", "the scenario was stopped by hand"),
        ("Mail “Follow-up”: skipped", "The person has not agreed to marketing mail."),
        ("Send a mail", "sent on its way"),
        ("Entered", "an activity"),
    ]
    assert {line.visitor for line in found} == {lead.visitor}
    assert [line.scenario for line in found if line.scenario] == [scenario] * 4


def test_lines__in_pages__each_once_and_none_left_out(now, story):
    # Many of one moment.
    scenario = a_scenario(now, [end()], name="Many")
    for _number in range(12):
        an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    whole = [line.cursor for line in automation.lines(size=500)]
    assert len(whole) == len(set(whole)) == 7 + 24
    paged, after = [], None
    while page := automation.lines(after=after, size=5):
        paged += [line.cursor for line in page]
        after = automation.read_cursor(page[-1].cursor)
    assert paged == whole


@pytest.mark.parametrize(
    "text", ["", "x", "~~", "2026-01-01~1~1", "2026-01-01T00:00:00+00:00~1~x", "a~b~c~d"]
)
def test_read_cursor__nonsense__is_the_beginning(text):
    assert automation.read_cursor(text) is None


def test_lines__a_page__costs_one_statement_for_each_table(story, django_assert_num_queries):
    with django_assert_num_queries(len(automation.SOURCES)):
        for line in automation.lines():
            assert str(getattr(line.visitor, "lead", line.visitor))
    with django_assert_num_queries(1):
        automation.lines(what="step")


def test_lines__mail_sent_by_a_rule__is_told_with_it(now):
    lead = a_lead(now)
    mail = a_mail(kind=Mail.Kind.TRIGGERED, name="Welcome back")
    Delivery.objects.create(
        mail=mail, lead=lead, visitor=lead.visitor, email=lead.email, created_at=now, send_after=now
    )
    assert [(line.what, line.why) for line in automation.lines()] == [
        ("Mail “Welcome back”: waiting", "the rule of the mail")
    ]


def test_page__filters__show_only_those(admin_client, now, story):
    lead, scenario = story
    other = an_enrolment(a_scenario(now, [end()], name="Other"), a_visitor(now), now)

    def shown(**query):
        return [line.what for line in admin_client.get(reverse(URL), query).context["lines"]]

    assert len(shown()) == 8
    assert shown(what="webhook") == ["Webhook “hot”: failed"]
    assert shown(scenario=other.scenario_id) == ["Entered"]
    assert len(shown(visitor=lead.visitor_id)) == 7
    assert len(shown(what="nonsense", scenario="x", visitor="9" * 30, after="~")) == 8
    text = admin_client.get(reverse(URL)).content.decode()
    assert "hanako@example.com" in text
    assert "Follow-up" in text


def test_page__many__older_ones_follow(admin_client, now):
    scenario = a_scenario(now, [end()])
    for _number in range(60):
        an_enrolment(scenario, a_visitor(now), now)
    page = admin_client.get(reverse(URL), {"what": "entered"})
    assert len(page.context["lines"]) == 50
    older = admin_client.get(f"{reverse(URL)}?{page.context['more']}")
    assert len(older.context["lines"]) == 10
    assert older.context["more"] == ""


def test_page__nothing_yet__says_what_to_do(admin_client):
    assert "Publish a scenario" in admin_client.get(reverse(URL)).content.decode()


def test_file__formulas__are_guarded_and_the_download_is_logged(admin_client, story):
    from wagtail.models import ModelLogEntry

    response = admin_client.get(reverse(URL), {"export": "csv"})
    rows = response.content.decode("utf-8-sig").splitlines()
    assert len(rows) == 8
    assert "'=cmd|' /C calc'!A0" in rows[2]
    assert ModelLogEntry.objects.filter(action="wagtail_ma.export").exists()


def test_rights__each_its_own(client, story):
    user = User.objects.create_user("eve", password="x")
    client.force_login(user)

    def allow(*names):
        user.user_permissions.set(Permission.objects.filter(codename__in=("access_admin", *names)))

    allow("view_scenario")
    assert client.get(reverse(URL)).status_code == 302
    allow("view_visitor")
    assert client.get(reverse(URL)).status_code == 302
    allow("view_scenario", "view_visitor")
    page = client.get(reverse(URL))
    assert page.status_code == 200
    # Names are another right.
    assert "hanako" not in page.content.decode()
    assert client.get(reverse(URL), {"export": "csv"}).status_code == 302


def test_page__markup_in_what_is_told__is_escaped(admin_client, story):
    StepRun.objects.update(outcome="<img src=x>")
    text = admin_client.get(reverse(URL)).content.decode()
    assert "<img src=x>" not in text


def test_run_due__step_of_a_person__is_in_the_log_once(now):
    visitor = a_visitor(now)
    an_enrolment(
        a_scenario(now, [step("add_points", {"points": 3, "reason": "x"}, key="p"), end()]), visitor, now
    )
    runner.run_due(now=now)
    runner.run_due(now=now)
    assert [line.what for line in automation.lines(what="step")] == ["End", "Add points"]
