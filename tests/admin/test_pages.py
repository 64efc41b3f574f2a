"""The screens about pages: reports, labels, the side panel."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse
from django.utils import timezone
from wagtail.models import GroupPagePermission

from tests.factories import browser, page_hit
from tests.tracking.test_page_classes import child
from wagtail_ma import flow
from wagtail_ma.people.identify import identify
from wagtail_ma.scoring import rescore
from wagtail_ma.scoring.models import ScoringRule
from wagtail_ma.tracking import page_classes, pages, rollups
from wagtail_ma.tracking.models import PageClass, PageLabel, Topic, TrackedPage

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def fresh_memory() -> Any:
    pages.forget()


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "x"))
    return client


@pytest.fixture
def editor(client: Client, home: Any) -> Client:
    """May edit pages and see the admin, and nothing of ours."""
    group = Group.objects.create(name="Page editors")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    change = Permission.objects.get(codename="change_page", content_type__app_label="wagtailcore")
    GroupPagePermission.objects.create(group=group, page=home, permission=change)
    user = User.objects.create_user("editor", "editor@example.com", "x")
    user.groups.add(group)
    client.force_login(user)
    return client


@pytest.fixture
def viewed(home: Any) -> TrackedPage:
    """The home page, viewed an hour ago by Ann for 42 seconds."""
    at = timezone.now() - timedelta(hours=1)
    ann = browser(at)
    flow.record_hit(page_hit(home, browser_key=ann.key, engaged_ms=42_000, visible_ms=42_000), now=at)
    identify(
        ann, email="ann@example.com", now=at, method="form", family_name="=Ann", company_name="<b>Sample</b>"
    )
    while rollups.roll_up(now=timezone.now(), limit=100):
        pass
    return TrackedPage.objects.get()


def text(response: Any) -> str:
    assert response.status_code == 200, response
    content = response.getvalue() if response.streaming else response.content
    return content.decode()


# --- reports ----------------------------------------------------------------------------------------------


def test_page_list__viewed_page__is_shown_searched_filtered_and_exported(
    admin: Client, viewed: TrackedPage
) -> None:
    page_classes.ensure_built_in()
    url = reverse("wagtail_ma_pages:index")
    shown = text(admin.get(url))
    assert reverse("wagtail_ma_pages:page", args=[viewed.pk]) in shown and "42 s" in shown
    assert "ma-chart--sparkline" in shown
    pricing = PageClass.objects.get(key="pricing")
    topic = Topic.objects.create(name="Price")
    for query in ("q=nothing", f"page_class={pricing.pk}", f"topic={topic.pk}"):
        assert "No page matches" in text(admin.get(f"{url}?{query}"))
    viewed.page_class = pricing
    viewed.save()
    viewed.topics.add(topic)
    query = f"q=home&page_class={pricing.pk}&topic={topic.pk}&days=7"
    shown = text(admin.get(f"{url}?{query}"))
    assert "The last 7 days" in shown and "Pricing" in shown
    exported = text(admin.get(f"{url}?{query}&export=csv"))
    assert exported.splitlines()[1].split(",")[2:] == ["Pricing", "1", "1", "42.0", "42.0", "42.0"]
    assert admin.get(f"{url}?export=xlsx").status_code == 200


def test_overview__viewed_page__tells_median_and_90th_percentile(admin: Client, viewed: TrackedPage) -> None:
    at = timezone.now() - timedelta(minutes=50)
    for seconds in (42, 42, 90):
        ms = seconds * 1000
        hit = page_hit(viewed.page, browser_key=browser(at).key, engaged_ms=ms, visible_ms=ms)
        flow.record_hit(hit, now=at)
    shown = text(admin.get(reverse("wagtail_ma_overview:index")))
    for label, value in (("median", "42 s"), ("90th percentile", "1 min 30 s")):
        card = rf"Time per page \({label}\)</span>\s*<span[^>]*>{value}<"
        assert re.search(card, shown), label


def test_page_list__nothing_viewed__says_so(admin: Client, home: Any) -> None:
    assert "No page was viewed in the last 30 days" in text(admin.get(reverse("wagtail_ma_pages:index")))


def test_page_report__viewed_page__shows_numbers_people_and_escapes_names(
    admin: Client, viewed: TrackedPage
) -> None:
    url = reverse("wagtail_ma_pages:page", args=[viewed.pk])
    shown = text(admin.get(f"{url}?days=90"))
    assert "42 s" in shown and "=Ann" in shown
    assert "&lt;b&gt;Sample&lt;/b&gt;" in shown and "<b>Sample" not in shown
    rows = text(admin.get(f"{url}?days=7&export=csv")).splitlines()
    # A byte order mark may come first, for spreadsheet programs.
    assert (
        rows[0].lstrip("\ufeff")
        == 'Day,Views,Visits,Visitors,"Seconds read, median","Seconds read, 90th percentile"'
    )
    assert len(rows) == 8 and any(row.endswith(",1,1,1,42.0,42.0") for row in rows)
    assert admin.get(reverse("wagtail_ma_pages:page", args=[0])).status_code == 404


def test_page_report__deleted_page__keeps_its_history(admin: Client, home: Any, viewed: TrackedPage) -> None:
    TrackedPage.objects.update(page=None)
    shown = text(admin.get(reverse("wagtail_ma_pages:page", args=[viewed.pk])))
    assert "no published page" in shown and "Edit page" not in shown


def test_overview__each_period__shows_cards_charts_and_top_pages(admin: Client, viewed: TrackedPage) -> None:
    for days in (7, 30, 90):
        shown = text(admin.get(f"{reverse('wagtail_ma_overview:index')}?days={days}"))
        assert f"/marketing/pages/{viewed.pk}/?days={days}" in shown
        assert "New visitors" in shown and "ma-chart--line" in shown


def test_screens__without_permission__are_closed_and_not_in_the_menu(
    editor: Client, viewed: TrackedPage
) -> None:
    for url in (
        reverse("wagtail_ma_pages:index"),
        reverse("wagtail_ma_pages:page", args=[viewed.pk]),
        reverse("wagtail_ma_page_labels:index"),
        reverse("wagtail_ma_page_labels:add"),
        reverse("wagtail_ma_page_classes:index"),
        reverse("wagtail_ma_topics:add"),
    ):
        assert editor.get(url).status_code == 302, url
    assert "marketing/pages" not in text(editor.get(reverse("wagtailadmin_home")))


# --- labels -----------------------------------------------------------------------------------------------


def test_label__added_changed_and_deleted__counts_for_pages_viewed_before(
    admin: Client, home: Any, viewed: TrackedPage
) -> None:
    url = reverse("wagtail_ma_page_labels:add")
    assert "Pricing" in text(admin.get(url))
    classes = {each.key: each for each in PageClass.objects.all()}
    topic = Topic.objects.create(name="Price", kind="concern")
    data = {
        "page": home.pk,
        "with_descendants": "on",
        "page_class": classes["pricing"].pk,
        "topics": [topic.pk],
    }
    assert admin.post(url, data).status_code == 302
    label = PageLabel.objects.get()
    assert label.translation_key == home.translation_key
    viewed.refresh_from_db()
    assert viewed.page_class == classes["pricing"] and list(viewed.topics.all()) == [topic]
    shown = text(admin.get(reverse("wagtail_ma_page_labels:index")))
    assert "Home" in shown and "this page and all below it" in shown and "Price" in shown
    edit = reverse("wagtail_ma_page_labels:edit", args=[label.pk])
    assert "Home" in text(admin.get(edit))
    assert admin.post(edit, {**data, "topics": [], "page_class": classes["faq"].pk}).status_code == 302
    viewed.refresh_from_db()
    assert viewed.page_class == classes["faq"] and not viewed.topics.exists()
    admin.post(reverse("wagtail_ma_page_labels:delete", args=[label.pk]))
    viewed.refresh_from_db()
    assert viewed.page_class is None


def test_label__second_one_or_an_empty_one__is_refused(admin: Client, home: Any) -> None:
    page_classes.ensure_built_in()
    url = reverse("wagtail_ma_page_labels:add")
    data = {"page": home.pk, "with_descendants": "on", "page_class": PageClass.objects.first().pk}
    assert admin.post(url, data).status_code == 302
    assert "This page has such a label already." in text(admin.post(url, data))
    assert admin.post(url, {**data, "with_descendants": ""}).status_code == 302
    assert "Choose a class, or topics, or both." in text(admin.post(url, {"page": home.pk}))
    assert PageLabel.objects.count() == 2


def test_label_list__deleted_page_and_many_labels__cost_the_same_statements(admin: Client, home: Any) -> None:
    page_classes.ensure_built_in()
    made = PageClass.objects.first()
    url = reverse("wagtail_ma_page_labels:index")
    counts = []
    for number in range(2):
        page = child(home, f"page-{number}")
        PageLabel.objects.create(translation_key=page.translation_key, page_class=made)
        admin.get(url)
        with CaptureQueriesContext(connection) as queries:
            text(admin.get(url))
        counts.append(len(queries))
    assert counts[0] == counts[1]
    page.delete()
    assert "a page that was deleted" in text(admin.get(url))


def test_class__own_one__needs_a_name_and_a_built_in_one_keeps_its_key(admin: Client) -> None:
    add = reverse("wagtail_ma_page_classes:add")
    assert "This field is required" in text(admin.post(add, {"key": "event", "name": ""}))
    assert admin.post(add, {"key": "event", "name": "Event"}).status_code == 302
    shown = text(admin.get(reverse("wagtail_ma_page_classes:index")))
    assert "Event" in shown
    pricing = PageClass.objects.create(key="pricing")
    edit = reverse("wagtail_ma_page_classes:edit", args=[pricing.pk])
    assert admin.post(edit, {"key": "changed", "name": "Prices"}).status_code == 302
    pricing.refresh_from_db()
    assert (pricing.key, str(pricing)) == ("pricing", "Prices")


def test_topic__added__is_listed(admin: Client) -> None:
    assert "There are no topics yet" in text(admin.get(reverse("wagtail_ma_topics:index")))
    admin.post(reverse("wagtail_ma_topics:add"), {"name": "Security", "kind": "concern"})
    assert "Security" in text(admin.get(reverse("wagtail_ma_topics:index")))


def test_move__in_the_admin__labels_the_page_anew(admin: Client, home: Any, now: datetime) -> None:
    page_classes.ensure_built_in()
    products, page = child(home, "products"), child(home, "page")
    PageLabel.objects.create(
        translation_key=products.translation_key, page_class=PageClass.objects.get(key="product")
    )
    tracked = pages.tracked_page_for(page_hit(page), now=now)
    admin.post(reverse("wagtailadmin_pages:move_confirm", args=[page.pk, products.pk]))
    assert page_classes.resolve_due(now=now) == 1
    assert TrackedPage.objects.get(pk=tracked.pk).page_class.key == "product"


# --- side panel -------------------------------------------------------------------------------------------


def test_panel__viewed_page__shows_numbers_and_people(admin: Client, home: Any, viewed: TrackedPage) -> None:
    shown = text(admin.get(reverse("wagtailadmin_pages:edit", args=[home.pk])))
    assert "Toggle visitors" in shown and "42 s" in shown and "=Ann" in shown
    assert reverse("wagtail_ma_pages:page", args=[viewed.pk]) in shown


def test_panel__editor_without_our_permissions__sees_numbers_but_nobody(
    editor: Client, home: Any, viewed: TrackedPage
) -> None:
    shown = text(editor.get(reverse("wagtailadmin_pages:edit", args=[home.pk])))
    assert "Toggle visitors" in shown and "42 s" in shown
    assert "=Ann" not in shown and "marketing/pages" not in shown


def test_panel__page_never_viewed_or_switched_off__is_quiet(admin: Client, home: Any) -> None:
    url = reverse("wagtailadmin_pages:edit", args=[home.pk])
    assert "Nobody has viewed this page yet." in text(admin.get(url))
    with override_settings(WAGTAIL_MA={"PAGE_PANEL": False}):
        assert "Toggle visitors" not in text(admin.get(url))


def test_panel__autosave__is_not_rendered(admin: Client, home: Any, viewed: TrackedPage) -> None:
    url = reverse("wagtailadmin_pages:edit", args=[home.pk])
    data = {"title": "Home", "slug": "ma-home", "body-count": "0", "comments-TOTAL_FORMS": "0"}
    data |= {"comments-INITIAL_FORMS": "0"}
    response = admin.post(url, data, headers={"Accept": "application/json"})
    assert response.status_code == 200 and response.headers["Content-Type"] == "application/json"
    assert b"Toggle visitors" not in response.content


def test_page_list_of_wagtail__viewed_page__has_its_views_for_one_statement(
    admin: Client, home: Any, now: datetime
) -> None:
    parent = reverse("wagtailadmin_explore", args=[home.pk])
    page = child(home, "page")
    flow.record_hit(page_hit(page), now=timezone.now())
    while rollups.roll_up(now=timezone.now(), limit=100):
        pass
    shown = text(admin.get(parent))
    assert re.search(r"<td[^>]*>\s*1\s*</td>", shown)
    assert admin.get(f"{parent}?ordering=ord").status_code == 200
    with CaptureQueriesContext(connection) as with_column:
        admin.get(parent)
    with override_settings(WAGTAIL_MA={"PAGE_PANEL": False}), CaptureQueriesContext(connection) as without:
        assert "Views" not in text(admin.get(parent))
    assert len(with_column) == len(without) + 1


def test_panel__wagtail_changed_its_registry__editor_works_on(
    admin: Client, home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wagtail.admin.viewsets import pages as viewsets

    from wagtail_ma.admin import page_panel

    monkeypatch.delattr(viewsets, "page_viewset_registry")
    page_panel.install()


def label_values(page, **changes):
    return {
        "page": page.pk,
        "with_descendants": "on",
        "page_class": PageClass.objects.get(key="pricing").pk,
        **changes,
    }


def test_label__points__keep_a_scoring_rule_in_step(admin, home):
    page_classes.ensure_built_in()
    page = child(home, "prices")
    add = reverse("wagtail_ma_page_labels:add")
    assert admin.post(add, label_values(page, points="7")).status_code == 302
    rule = ScoringRule.objects.get(page_key=page.translation_key)
    assert (rule.points, rule.is_page_alone, rule.max_per_day) == (7, False, 1)
    assert rescore.is_running()
    edit = reverse("wagtail_ma_page_labels:edit", args=[PageLabel.objects.get().pk])
    assert admin.get(edit).context["form"]["points"].value() == 7
    assert "+7" in text(admin.get(reverse("wagtail_ma_page_labels:index")))
    alone = label_values(page, points="7")
    del alone["with_descendants"]
    admin.post(edit, alone)
    assert ScoringRule.objects.get(page_key=page.translation_key).is_page_alone
    admin.post(edit, {**alone, "points": ""})
    assert not ScoringRule.objects.filter(page_key=page.translation_key).exists()


def test_page_editor__rule_about_the_page__is_named_and_another_offered(admin, home):
    page = child(home, "prices")
    rule = ScoringRule.objects.create(name="Prices seen", kind="page_view", page_key=page.translation_key)
    shown = text(admin.get(reverse("wagtailadmin_pages:edit", args=[page.pk])))
    assert reverse("wagtail_ma_scoring:edit", args=[rule.pk]) in shown
    add = f"{reverse('wagtail_ma_scoring:add')}?page={page.pk}"
    assert add in shown
    form = admin.get(add).context["form"]
    assert form["page"].value() == page.pk
    assert "viewed" in form["name"].value()
    assert admin.get(reverse("wagtail_ma_scoring:add") + "?page=x").status_code == 200
