"""The screens of segments."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import reverse

from tests.factories import condition, make_browser, make_segment, make_view
from wagtail_ma.segments import queries
from wagtail_ma.segments.models import Segment

pytestmark = pytest.mark.django_db

INDEX = "wagtail_ma_segments:index"
ADD = "wagtail_ma_segments:add"
MATCHES = "wagtail_ma_segments:matches"


@pytest.fixture
def editor() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("editor", "editor@example.com", "pw"))
    return client


def user_with(*codenames: str) -> Client:
    group = Group.objects.create(name="Some")
    group.permissions.set(
        Permission.objects.filter(
            content_type__app_label__in=["wagtail_ma", "wagtailadmin"],
            codename__in=["access_admin", *codenames],
        )
    )
    user = User.objects.create_user("some", "some@example.com", "pw")
    user.groups.add(group)
    client = Client()
    client.force_login(user)
    return client


def form(
    name: str = "Readers", *conditions: tuple[str, dict[str, Any]], match: str = "all"
) -> dict[str, Any]:
    data: dict[str, Any] = {"name": name, "description": "", "match": match, "rule-count": len(conditions)}
    for number, (kind, values) in enumerate(conditions):
        prefix = f"rule-{number}"
        data |= {
            f"{prefix}-deleted": "",
            f"{prefix}-order": number,
            f"{prefix}-type": kind,
            f"{prefix}-id": "",
        }
        data |= {f"{prefix}-value-{key}": value for key, value in values.items()}
    return data


def viewed(page: Any, number: int = 1) -> tuple[str, dict[str, Any]]:
    values = {"page": page.pk, "comparison": "at_least", "number": number, "count": "views", "days": "14"}
    return "page_viewed", {**values, "seconds": ""}


def test_list__no_segment__says_what_to_do(editor: Client) -> None:
    assert "There is no segment yet" in editor.get(reverse(INDEX)).content.decode()


def test_list__segments__sentence_number_and_broken_flag(editor: Client, home: Any) -> None:
    make_segment("Readers", condition("page_viewed", page=home.pk, number=3, days=14))
    make_segment("Lost", condition("no_such_condition"))
    html = editor.get(reverse(INDEX)).content.decode()
    assert "Viewed “Home” at least 3 times in the last 14 days" in html
    assert "The condition “no_such_condition” does not exist any more." in html
    assert html.count("Its members stay as they were.") == 1


def test_list__many_segments__statements_do_not_grow(
    editor: Client, home: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        make_segment(f"Segment {number}", condition("page_viewed", page=home.pk))
    editor.get(reverse(INDEX))
    with django_assert_max_num_queries(14):
        editor.get(reverse(INDEX))


def test_add__good_rule__members_at_once(editor: Client, home: Any, now: Any) -> None:
    from django.utils import timezone

    browser = make_browser(now=now)
    make_view(browser, home, at=timezone.now())
    response = editor.post(reverse(ADD), form("Readers", viewed(home)))
    assert response.status_code == 302, response.context["form"].errors
    segment = Segment.objects.get()
    assert segment.member_count == 1
    assert queries.is_member(segment.pk, browser.visitor_id)


def test_add__page_shows__with_live_count_and_no_inline_script(editor: Client) -> None:
    html = editor.get(reverse(ADD)).content.decode()
    assert 'data-controller="ma-segment"' in html
    assert "wagtail_ma/admin/segment.js" in html


def test_add__no_condition__refused(editor: Client) -> None:
    response = editor.post(reverse(ADD), form())
    assert response.status_code == 200
    assert "There is no condition in it." in response.content.decode()
    assert not Segment.objects.exists()


def test_add__half_a_condition__refused(editor: Client, home: Any) -> None:
    kind, values = viewed(home)
    response = editor.post(reverse(ADD), form("Readers", (kind, {**values, "number": ""})))
    assert response.status_code == 200
    assert not Segment.objects.exists()


def test_edit__segment_asks_for_itself__refused(editor: Client) -> None:
    segment = make_segment("Circle", condition("identified", **{"is": "yes"}))
    url = reverse("wagtail_ma_segments:edit", args=[segment.pk])
    response = editor.post(url, form("Circle", ("in_segment", {"is": "in", "segment": segment.pk})))
    assert response.status_code == 200
    assert "ask for each other in a circle" in response.content.decode()


def test_edit__condition_removed_from_the_code__shown_and_not_saved_silently(editor: Client) -> None:
    segment = make_segment("Lost", condition("no_such_condition"))
    url = reverse("wagtail_ma_segments:edit", args=[segment.pk])
    assert "removed" in editor.get(url).content.decode()
    response = editor.post(url, form("Lost", ("removed", {})))
    assert response.status_code == 200
    assert Segment.objects.get().rule.raw_data[0]["value"]["stored"]["type"] == "no_such_condition"


def test_copy__segment__form_holds_the_rule_under_a_new_name(editor: Client) -> None:
    segment = make_segment("Known", condition("identified", **{"is": "yes"}))
    html = editor.get(reverse("wagtail_ma_segments:copy", args=[segment.pk])).content.decode()
    assert "Known (copy)" in html
    assert "identified" in html
    assert Segment.objects.count() == 1


def test_matches__form_as_it_stands__count_and_newest(editor: Client, home: Any, now: Any) -> None:
    from django.utils import timezone

    for _number in range(2):
        make_view(make_browser(now=now), home, at=timezone.now())
    html = editor.post(reverse(MATCHES), form("", viewed(home))).content.decode()
    assert "<strong>2</strong> visitors" in html
    assert "Anonymous" in html
    assert not Segment.objects.exists()


@pytest.mark.parametrize(
    "data", [{}, {"match": "all"}, {"match": "all", "rule-count": "x"}, {"rule-count": "1"}]
)
def test_matches__damaged_form__problem_and_no_error(editor: Client, data: dict[str, str]) -> None:
    response = editor.post(reverse(MATCHES), data)
    assert response.status_code == 200
    assert "<strong>" not in response.content.decode()


def test_matches__company_name_with_markup__escaped(editor: Client, now: Any) -> None:
    from tests.factories import make_lead

    make_lead("ann@example.com", now=now, family_name="<b>Ann</b>")
    html = editor.post(reverse(MATCHES), form("", ("identified", {"is": "yes"}))).content.decode()
    assert "<b>Ann" not in html
    assert "&lt;b&gt;Ann" in html


def test_permissions__view_only__no_editing_and_no_names(now: Any) -> None:
    segment = make_segment("Readers", condition("identified", **{"is": "yes"}))
    client = user_with("view_segment")
    assert client.post(reverse(ADD), form()).status_code == 302
    assert client.post(reverse(MATCHES), form()).status_code == 302
    assert client.get(reverse("wagtail_ma_segments:edit", args=[segment.pk])).status_code == 302


def test_permissions__may_change_segments_but_see_no_visitor__count_without_names(now: Any) -> None:
    make_browser(now=now)
    rule = ("identified", {"is": "no"})
    html = user_with("change_segment").post(reverse(MATCHES), form("", rule)).content.decode()
    assert "<strong>1</strong> visitor" in html
    assert "Anonymous" not in html


def test_permissions__not_logged_in__to_the_log_in_page() -> None:
    assert "/login/" in Client().post(reverse(MATCHES), {}).url  # type: ignore[attr-defined]


def test_chooser__part_of_the_name__only_those(editor: Client) -> None:
    make_segment("Readers")
    make_segment("Buyers")
    assert 'name="q"' in editor.get(reverse("wagtail_ma_segment_chooser:choose")).json()["html"]
    results = editor.get(reverse("wagtail_ma_segment_chooser:choose_results"), {"q": "read"})
    assert "Readers" in results.content.decode()
    assert "Buyers" not in results.content.decode()


def test_editor__payload_of_the_rule_editor__small(editor: Client) -> None:
    assert len(editor.get(reverse(ADD)).content) < 500_000
