"""People put into segments by hand, why somebody is in one, live segments in the admin."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from tests.admin.test_segments import editor, form, user_with, viewed  # noqa: F401  (fixtures)
from tests.factories import condition, group, make_browser, make_lead, make_segment, make_view
from tests.personalisation.test_blocks import page, personalised, put, variant  # noqa: F401  (fixtures)
from wagtail_ma.people.models import News
from wagtail_ma.scenarios.models import Scenario
from wagtail_ma.segments import decisions, queries, refresh
from wagtail_ma.segments.models import Segment, SegmentDay, SegmentDecision

pytestmark = pytest.mark.django_db

LIVE = condition("query_parameter", name="utm_source", operator="equals", text="ad")


def url(name: str, *arguments: Any) -> str:
    return reverse(f"wagtail_ma_segments:{name}", args=arguments)


def live_form() -> dict[str, Any]:
    return form("Ad", ("query_parameter", {"name": "utm_source", "operator": "equals", "text": "ad"}))


def test_add__live_rule__saved_and_shown_as_such(editor: Client) -> None:  # noqa: F811
    response = editor.post(url("add"), live_form())
    assert response.status_code == 302
    segment = Segment.objects.get()
    assert segment.is_live and segment.version
    assert "per page view" in editor.get(url("index")).content.decode()
    html = editor.post(url("matches"), live_form()).content.decode()
    assert "Decided anew with each page view" in html
    assert "no members that could be listed" in editor.get(url("people", segment.pk)).content.decode()


def test_edit__scenario_uses_it__cannot_become_live(editor: Client, home: Any) -> None:  # noqa: F811
    from django.core.management import call_command

    segment = make_segment("Ad", condition("page_viewed", page=home.pk))
    Scenario.objects.create(name="Welcome tour", entry="segment", segment=segment)
    call_command("rebuild_references_index", verbosity=0)
    html = editor.post(url("edit", segment.pk), live_form()).content.decode()
    assert "Welcome tour" in html
    segment.refresh_from_db()
    assert not segment.is_live


def test_chooser__of_rules__without_live_segments(editor: Client, home: Any) -> None:  # noqa: F811
    make_segment("Live one", LIVE)
    make_segment("Stored one", condition("page_viewed", page=home.pk))
    stored = editor.get(reverse("wagtail_ma_stored_segment_chooser:choose")).json()["html"]
    assert "Stored one" in stored and "Live one" not in stored
    every = editor.get(reverse("wagtail_ma_segment_chooser:choose")).json()["html"]
    assert "Stored one" in every and "Live one" in every


def test_static__form__without_conditions(editor: Client, home: Any) -> None:  # noqa: F811
    response = editor.post(url("add"), {**form("Guests"), "is_static": "on"})
    assert response.status_code == 302
    segment = Segment.objects.get()
    assert segment.is_static
    assert "The people whom you added" in editor.get(url("index")).content.decode()
    both = {**form("Others", viewed(home)), "is_static": "on"}
    assert "has no conditions" in editor.post(url("add"), both).content.decode()


def test_people__addresses__added_and_unknown_ones_named(editor: Client, now: Any) -> None:  # noqa: F811
    lead = make_lead("ann@example.com", now=now)
    segment = Segment.objects.create(name="Guests", is_static=True)
    addresses = "Ann@Example.com, nobody@example.com\nnonsense"
    html = editor.post(url("people", segment.pk), {"addresses": addresses}, follow=True).content.decode()
    assert "1 person was added." in html and "nobody@example.com" in html
    refresh.refresh_visitors([lead.visitor_id], now=now)
    assert queries.is_member(segment.pk, lead.visitor_id)


def test_people__kept__as_a_segment_with_fixed_members(editor: Client, home: Any, now: Any) -> None:  # noqa: F811
    segment = make_segment("Readers", condition("page_viewed", page=home.pk))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    refresh.refresh_segment(segment, now=now)
    response = editor.post(url("people", segment.pk), {"act": "snapshot"}, follow=True)
    kept = Segment.objects.get(is_static=True)
    assert kept.name.startswith("Readers, ")
    assert [each.visitor_id for each in kept.memberships.all()] == [browser.visitor_id]
    assert response.redirect_chain[-1][0] == url("people", kept.pk)


def test_people__kept_twice_in_a_minute__said_so(editor: Client, now: Any, monkeypatch: Any) -> None:  # noqa: F811
    monkeypatch.setattr(timezone, "now", lambda: now)
    segment = make_segment("Readers", condition("visit_count", number=1))
    for _time in range(2):
        response = editor.post(url("people", segment.pk), {"act": "snapshot"}, follow=True)
    assert "already" in response.content.decode()
    assert Segment.objects.filter(is_static=True).count() == 1


def test_people__kept_without_the_right_to_add__refused(now: Any) -> None:
    client = user_with("change_segment", "view_visitor")
    segment = make_segment("Readers", condition("visit_count", number=1))
    assert client.post(url("people", segment.pk), {"act": "snapshot"}).status_code in (302, 403)
    assert Segment.objects.count() == 1


def test_people__sizes__as_a_chart(editor: Client) -> None:  # noqa: F811
    segment = make_segment("Readers")
    today = timezone.localdate()
    for number in range(3):
        SegmentDay.objects.create(segment=segment, day=today - timedelta(days=number), member_count=4711)
    html = editor.get(url("people", segment.pk)).content.decode()
    assert "<svg" in html and "4,711" in html


def test_person__rule__verdict_of_each_condition(editor: Client, home: Any, now: Any) -> None:  # noqa: F811
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    inner = group("any", condition("identified", **{"is": "yes"}), condition("visit_count", number=1))
    segment = make_segment("Readers", condition("page_viewed", page=home.pk, number=5), inner)
    html = editor.get(url("person", segment.pk, browser.visitor_id)).content.decode()
    assert "Viewed “Home” at least 5 times" in html
    assert html.count("ma-why__no") == 2
    assert html.count("ma-why__yes") == 2
    assert "is not in this segment" in html


@pytest.mark.parametrize("act, expected", [("add", True), ("remove", False)])
def test_person__by_hand__more_than_the_rule(
    editor: Client,  # noqa: F811
    home: Any,
    now: Any,
    act: str,
    expected: bool,
) -> None:
    browser = make_browser(now=now)
    if not expected:
        make_view(browser, home, at=now)
    segment = make_segment("Readers", condition("page_viewed", page=home.pk))
    editor.post(url("person", segment.pk, browser.visitor_id), {"act": act})
    assert News.objects.filter(visitor=browser.visitor_id).exists()
    for full in (False, True):
        if full:
            refresh.refresh_segment(segment, now=now)
        else:
            refresh.refresh_visitors([browser.visitor_id], now=now)
        assert queries.is_member(segment.pk, browser.visitor_id) is expected
    editor.post(url("person", segment.pk, browser.visitor_id), {"act": "withdraw"})
    refresh.refresh_segment(segment, now=now)
    assert queries.is_member(segment.pk, browser.visitor_id) is not expected


def test_person__may_only_look__no_change(now: Any) -> None:
    browser, segment = make_browser(now=now), make_segment("Readers")
    client = user_with("view_visitor", "view_segment")
    path = url("person", segment.pk, browser.visitor_id)
    assert client.get(path).status_code == 200
    assert client.post(path, {"act": "add"}).status_code in (302, 403)
    assert not SegmentDecision.objects.exists()


def test_person__no_permission__refused(now: Any) -> None:
    browser, segment = make_browser(now=now), make_segment("Readers")
    assert user_with("view_segment").get(url("person", segment.pk, browser.visitor_id)).status_code in (
        302,
        403,
    )
    assert Client().get(url("people", segment.pk)).status_code == 302


def test_delete__in_use__refused_and_users_named(editor: Client, page: Any) -> None:  # noqa: F811
    segment = make_segment("Readers")
    put(page, personalised(variant("OFFER", segment)))
    html = editor.get(url("delete", segment.pk)).content.decode()
    assert page.title in html and "Yes, delete" not in html
    editor.post(url("delete", segment.pk))
    assert Segment.objects.filter(pk=segment.pk).exists()
    put(page, personalised())
    editor.post(url("delete", segment.pk))
    assert not Segment.objects.filter(pk=segment.pk).exists()


def test_decide__merged_person__the_latest_counts(now: Any) -> None:
    from wagtail_ma.people import merge

    segment = Segment.objects.create(name="Guests", is_static=True)
    one, other = make_browser(now=now), make_browser(now=now)
    decisions.decide(segment, [one.visitor_id], is_member=True, by=None, now=now)
    decisions.decide(segment, [other.visitor_id], is_member=False, by=None, now=now + timedelta(hours=1))
    origin = one.visitor_id
    assert {d.is_member for d in decisions.in_force()} == {True, False}
    from django.db import transaction

    with transaction.atomic():
        locked = merge.lock([one.pk])[one.pk]
        later = now + timedelta(hours=2)
        link = merge.repoint(locked, other.visitor_id, method="test", strength="claimed", now=later)
    assert [d.is_member for d in decisions.in_force()] == [False]
    merge.undo(link, now=now + timedelta(hours=3))
    assert decisions.of([origin]) == {segment.pk: {origin: "hand"}}


def test_userbar__editor_of_the_page__item_and_page_as_segment(editor: Client, page: Any) -> None:  # noqa: F811
    from django.test import RequestFactory

    from wagtail_ma.admin import userbar

    segment = make_segment("Readers")
    put(page, personalised(variant("OFFER", segment)))
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="editor")
    items: list[Any] = []
    userbar.add_items(request, items, page)
    assert "View as segment…" in items[0].render_html({"request": request})
    request.user = User.objects.create_user("visitor")
    assert items[0].render_html({"request": request}) == ""
    assert "this page has something for them" in editor.get(url("page_segments", page.pk)).content.decode()
    assert "OFFER" in editor.get(url("page", segment.pk, page.pk)).content.decode()
    stranger = user_with("view_segment")
    assert "OFFER" not in stranger.get(url("page", segment.pk, page.pk)).content.decode()


def test_visitors__of_a_segment__each_leads_to_the_reason(editor: Client, home: Any, now: Any) -> None:  # noqa: F811
    from wagtail_ma import flow

    segment = make_segment("Readers", condition("page_viewed", page=home.pk))
    browser = make_browser(now=now)
    make_view(browser, home, at=now)
    News.objects.create(visitor_id=browser.visitor_id, at=now)
    flow.react(now=now)
    index = reverse("wagtail_ma_visitors:index")
    assert (
        url("person", segment.pk, browser.visitor_id)
        in editor.get(f"{index}?segment={segment.pk}").content.decode()
    )
    assert "/people/" not in editor.get(index).content.decode()


def test_check__broken_segment__reported() -> None:
    from wagtail_ma.segments.checks import check_segments

    segment = make_segment("Lost", condition("no_such_condition"))
    refresh.refresh_segment(segment, now=timezone.now())
    found = check_segments(None, databases=["default"])
    assert [message.id for message in found] == ["wagtail_ma.W030"]
    assert "Lost" in found[0].msg
