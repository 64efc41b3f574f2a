"""Scenarios in the admin."""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import reverse
from wagtail.users.models import UserProfile

from tests.scenarios.stories import a_draft, a_lead, a_mail, a_scenario, an_enrolment, end, send, step, wait
from tests.scoring.history import a_browser, a_visitor, an_activity
from wagtail_ma.admin.scenario_results import person_name
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.scenarios import runner, switch
from wagtail_ma.scenarios.diagram import draw, wrapped
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.scenarios.publish import tree_of, walk
from wagtail_ma.segments.models import Segment

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


def form(**changes):
    return {
        "name": "After a download",
        "entry": "activity",
        "activity_kind": "download",
        "segment": "",
        "again": "once",
        "again_days": "90",
        "priority": "0",
        "holdout_percent": "0",
        "band_margin": "5",
        "match": "all",
        "rule-count": "0",
        "date_days": "0",
        "date_side": "before",
        "steps-count": "1",
        "steps-0-deleted": "",
        "steps-0-order": "0",
        "steps-0-type": "wait",
        "steps-0-id": "11111111-1111-1111-1111-111111111111",
        "steps-0-value-amount": "2",
        "steps-0-value-unit": "days",
        **changes,
    }


def test_add__as_draft__lets_nobody_in(admin_client):
    response = admin_client.post(reverse("wagtail_ma_scenarios:add"), form())
    assert response.status_code == 302, response.context["form"].errors
    scenario = Scenario.objects.get()
    assert not scenario.live
    assert not scenario.versions.exists()


def test_add__and_publish__makes_a_version(admin_client):
    response = admin_client.post(
        reverse("wagtail_ma_scenarios:add"), form(**{"action-publish": "action-publish"})
    )
    assert response.status_code == 302, response.context["form"].errors
    scenario = Scenario.objects.get()
    assert scenario.live
    assert scenario.versions.get().definition[0]["params"] == {"amount": 2, "unit": "days"}


def test_add__publish_without_steps__says_why_not(admin_client):
    response = admin_client.post(
        reverse("wagtail_ma_scenarios:add"), form(**{"action-publish": "1", "steps-count": "0"})
    )
    assert response.status_code == 200
    assert "Add at least one step." in response.content.decode()
    assert not Scenario.objects.filter(live=True).exists()


def test_edit__publish_changed_steps__makes_the_next_version(admin_client, now):
    scenario = a_scenario(now, [wait()])
    url = reverse("wagtail_ma_scenarios:edit", args=[scenario.pk])
    assert "Results" in admin_client.get(url).content.decode()
    response = admin_client.post(url, form(**{"action-publish": "1"}))
    assert response.status_code == 302, response.context["form"].errors
    assert scenario.versions.count() == 2


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("task", {"text": "Call", "days": "1", "user": ""}),
        ("branch", {"segment": "", "yes-count": "0", "no-count": "0"}),
        ("send_mail", {"mail": "", "patience_days": "0"}),
        ("task", {"text": "Call", "days": "1", "user": "999999"}),
    ],
)
def test_editor__nothing_chosen__is_saved_or_asked_for(admin_client, now, kind, fields):
    values = {f"steps-0-value-{name}": value for name, value in fields.items()}
    body = form(**{"steps-0-type": kind}, **values)
    scenario = a_draft([wait()])
    for url in ("add", "edit", "preview_on_edit"):
        args = [] if url == "add" else [scenario.pk]
        response = admin_client.post(reverse(f"wagtail_ma_scenarios:{url}", args=args), body)
        assert response.status_code in (200, 302)


@pytest.mark.parametrize("language", ["en", "ja"])
def test_editor__fifteen_steps_three_branches__whole_page_stays_small(admin_client, admin_user, language):
    UserProfile.objects.create(user=admin_user, preferred_language=language)
    segments = [Segment.objects.create(name=f"Readers of the article no. {n}") for n in range(50)]
    mail = [a_mail(name=f"Follow-up no. {n} after the seminar") for n in range(50)][0]

    def send_and_wait(name):
        return [send(mail, key=f"send-{name}"), wait(key=f"wait-{name}")]

    branch = {"segment": segments[0].pk, "yes": send_and_wait("a"), "no": [*send_and_wait("b"), end(key="e")]}
    clicked = {"amount": 3, "unit": "days", "yes": send_and_wait("c"), "no": [end(key="e2")]}
    visit = {"amount": 9, "unit": "days", "yes": [step("branch", branch, key="b")], "no": [end(key="e3")]}
    steps = [
        *send_and_wait("first"),
        step("clicked", clicked, key="clicked"),
        step("wait_visit", visit, key="visit"),
    ]
    scenario = a_draft([*steps, end(key="last")])
    assert len(list(walk(tree_of(scenario)))) == 15
    page = admin_client.get(reverse("wagtail_ma_scenarios:edit", args=[scenario.pk]))
    assert f'lang="{language}"' in page.content.decode()
    assert len(page.content) < 400_000


def test_list__state_and_numbers__are_shown(admin_client, now):
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, a_visitor(now), now)
    text = admin_client.get(reverse("wagtail_ma_scenarios:list")).content.decode()
    assert "Running" in text
    assert "downloaded a document" in text


def test_people__next_step_in_the_future__says_when(admin_client, now):
    scenario = a_scenario(now, [wait(3)])
    an_enrolment(scenario, a_visitor(now), now, due_at=datetime(2031, 5, 6, 1, 30, tzinfo=UTC))
    text = admin_client.get(reverse("wagtail_ma_scenarios:people", args=[scenario.pk])).content.decode()
    # In Tokyo.
    assert "05/06/2031 10:30 a.m." in text
    # And whose people they are.
    assert "After a download" in text.split("</h1>")[0].split("<h1")[1]


def test_list__empty__says_what_to_do(admin_client):
    assert (
        "There are no scenarios yet"
        in admin_client.get(reverse("wagtail_ma_scenarios:list")).content.decode()
    )


def test_result__people_at_steps__are_counted_and_listed(admin_client, now):
    lead = a_lead(now, email="hanako@example.com")
    clicked = step("clicked", {"amount": 1, "unit": "days", "yes": [end()], "no": []}, key="clicked")
    scenario = a_scenario(now, [send(a_mail()), clicked])
    an_enrolment(scenario, lead.visitor, now)
    an_enrolment(scenario, a_visitor(now), now)
    runner.run_due(now=now)
    url = reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])
    text = admin_client.get(url).content.decode()
    assert "1 here now · 1 passed" in text
    assert "skipped: no address known: 1" in text
    # Of two who came to the question one is there still: one way out, half of them.
    assert ">No</text>" in text and ">1 (50 %)</text>" in text
    for part in ("<script>", " style=", " onclick="):
        assert part not in text[text.index("ma-flow") :].split("</main>")[0]
    links = set(re.findall(r'href="([^"]*/people/[^"]*)"', text))
    assert len(links) > 10
    for link in links:
        assert admin_client.get(html.unescape(link)).status_code == 200


def test_result_now__open_page__is_told_only_when_somebody_has_moved(admin_client, now):
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, a_visitor(now), now)
    url = reverse("wagtail_ma_scenarios:now", args=[scenario.pk])
    text = admin_client.get(url).content.decode()
    stamp = re.search(r'data-ma-live-stamp="([^"]+)"', text)[1]
    assert "<html" not in text and "1 here now" in text
    assert admin_client.get(url, {"stamp": stamp}).status_code == 204
    runner.run_due(now=now + timedelta(days=1))
    runner.run_due(now=now + timedelta(days=1))
    later = admin_client.get(url, {"stamp": stamp})
    assert later.status_code == 200
    page = admin_client.get(reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk]))
    assert f'data-ma-live-url-value="{url}"' in page.content.decode()


def names(response):
    return [person_name(row.visitor) for row in response.context["object_list"]]


def test_people__behind_each_number__are_those(admin_client, now):
    lead = a_lead(now, email="hanako@example.com")
    clicked = step("clicked", {"amount": 1, "unit": "days", "yes": [end()], "no": []}, key="clicked")
    scenario = a_scenario(now, [send(a_mail()), clicked])
    an_enrolment(scenario, lead.visitor, now)
    other = an_enrolment(scenario, a_visitor(now), now)
    gone = an_enrolment(scenario, a_visitor(now), now, step_id="clicked")
    switch.take_out(scenario.pk, [gone.visitor_id], reason="stopped", now=now)
    an_enrolment(scenario, a_visitor(now), now, status="held_out")
    runner.run_due(now=now)
    url = reverse("wagtail_ma_scenarios:people", args=[scenario.pk])
    assert len(names(admin_client.get(url))) == 3
    assert names(admin_client.get(url, {"step_id": "clicked"})) == ["hanako@example.com"]
    assert len(names(admin_client.get(url, {"passed": "send"}))) == 2
    assert names(admin_client.get(url, {"passed": "send", "outcome": "queued"})) == ["hanako@example.com"]
    assert names(admin_client.get(url, {"status": "finished"})) == [str(other.visitor)]
    assert names(admin_client.get(url, {"gone": "clicked"})) == [str(gone.visitor)]
    stopped = admin_client.get(url, {"reason": "stopped"})
    assert names(stopped) == [str(gone.visitor)]
    assert "Only: the scenario was stopped by hand" in stopped.content.decode()
    assert len(names(admin_client.get(url, {"status": "held_out"}))) == 1
    assert names(admin_client.get(url, {"status": "goal"})) == []


def test_people__export__guarded_and_for_those_who_may(admin_client, client, now):
    lead = a_lead(now, email="hanako@example.com")
    type(lead).objects.filter(pk=lead.pk).update(family_name="=1+1")
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, lead.visitor, now)
    url = reverse("wagtail_ma_scenarios:people", args=[scenario.pk])
    lines = b"".join(admin_client.get(url, {"export": "csv"}).streaming_content).decode()
    assert lines.startswith("\ufeffName,Entered,Status,")
    assert "'=1+1" in lines and "Wait 1 day" in lines
    user = User.objects.create_user("eve", password="x")
    names = ["access_admin", "view_scenario", "view_visitor"]
    user.user_permissions.add(*Permission.objects.filter(codename__in=names))
    client.force_login(user)
    assert client.get(url).status_code == 200
    assert client.get(url, {"export": "csv"}).status_code in (302, 403)
    user.user_permissions.remove(Permission.objects.get(codename="view_scenario"))
    client.force_login(User.objects.get(pk=user.pk))
    assert client.get(url).status_code in (302, 403)


def test_result__held_out__compared_in_words(admin_client, now):
    goal = Goal.objects.create(name="Enquiry", activity_kind="form_submit")
    scenario = a_scenario(now, [wait()], goal=goal, holdout_percent=10)
    for number in range(40):
        visitor = a_visitor(now)
        an_enrolment(scenario, visitor, now, status="held_out" if number % 2 else "active")
        if not number % 2:
            an_activity(a_browser(visitor, now), now + timedelta(days=1), kind="form_submit")
    url = reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])
    text = admin_client.get(url).content.decode()
    assert "Of those who entered, 100.0 % reached the goal (20 of 20)." in text
    assert "That is hardly chance." in text


def test_result__draft__says_that_nobody_enters(admin_client):
    draft = a_draft([wait()])
    text = admin_client.get(reverse("wagtail_ma_scenarios:inspect", args=[draft.pk])).content.decode()
    assert "Not published yet" in text


def test_result__markup_in_names__is_escaped(admin_client, now):
    mail = a_mail(name="<img src=x>")
    scenario = a_scenario(now, [send(mail)])
    text = admin_client.get(reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])).content.decode()
    assert "<img src=x>" not in text
    assert "&lt;img src=x&gt;" in text


def test_switch__pause_resume_stop__by_post_only(admin_client, now):
    scenario = a_scenario(now, [wait()])
    enrolment = an_enrolment(scenario, a_visitor(now), now)
    url = reverse("wagtail_ma_scenarios:switch", args=[scenario.pk])
    assert admin_client.get(url).status_code == 405
    admin_client.post(url, {"action": "pause"})
    assert Scenario.objects.get().is_paused
    admin_client.post(url, {"action": "resume"})
    assert not Scenario.objects.get().is_paused
    admin_client.post(url, {"action": "stop"})
    enrolment.refresh_from_db()
    assert enrolment.status == "exited"


def test_switch__without_the_permission__is_refused(client, now):
    scenario = a_scenario(now, [wait()])
    user = User.objects.create_user("eve", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"), Permission.objects.get(codename="view_scenario")
    )
    client.force_login(user)
    assert client.get(reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])).status_code == 200
    client.post(reverse("wagtail_ma_scenarios:switch", args=[scenario.pk]), {"action": "pause"})
    assert not Scenario.objects.get().is_paused


def test_result__without_permission_for_visitors__shows_no_names(client, now):
    lead = a_lead(now, email="hanako@example.com")
    scenario = a_scenario(now, [wait()])
    an_enrolment(scenario, lead.visitor, now)
    user = User.objects.create_user("eve", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"), Permission.objects.get(codename="view_scenario")
    )
    client.force_login(user)
    text = client.get(reverse("wagtail_ma_scenarios:inspect", args=[scenario.pk])).content.decode()
    assert "hanako" not in text


def test_draw__branches__boxes_never_overlap():
    inner = step("branch", {"segment": None, "yes": [wait(key="a")], "no": [wait(key="b"), end()]}, key="i")
    outer = step("branch", {"segment": None, "yes": [inner, wait(key="c")], "no": []}, key="o")
    diagram = draw(tree_of(a_draft([wait(key="w"), outer, wait(key="z")])))
    places = [(int(box.x), int(box.y)) for box in diagram.boxes]
    assert len(places) == 8
    for place, (x, y) in enumerate(places):
        assert 0 <= x <= int(diagram.width) - 200
        assert 0 <= y <= int(diagram.height) - 64
        for other_x, other_y in places[place + 1 :]:
            assert abs(x - other_x) >= 200 or abs(y - other_y) >= 64
    assert len(diagram.ends) == 1


def test_wrapped__japanese__breaks_anywhere_and_is_cut():
    lines = wrapped("「資料ダウンロードのお礼と次にお読みいただきたい導入事例のご案内」を送る")
    assert len(lines) == 2
    assert lines[1].endswith("…")


def test_wrapped__brackets_and_stops__never_begin_or_end_a_line_wrongly():
    for length in range(6, 30):
        for line in wrapped(
            "「資料請求のお礼と、導入事例」を「ABC の方」に送信（最長10日）。", units=length, lines=9
        ):
            assert line[0] not in "」）、。" and line[-1] not in "「（", (length, line)


def test_preview__draft__is_the_diagram(rf):
    response = a_draft([wait()]).make_preview_request()
    assert "Wait 1 day" in response.content.decode()
