"""The screens of interests and temperatures."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, Permission
from django.urls import reverse
from django.utils import timezone

from tests.scoring.history import a_browser, a_page, a_view, a_visit, a_visitor
from wagtail_ma.people.models import Lead
from wagtail_ma.scoring.award import award
from wagtail_ma.tracking.models import Topic

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader(site):
    now = timezone.now()
    topic = Topic.objects.create(name="Cabinet", kind="product")
    page = a_page(now, "url:/cabinet")
    page.topics.add(topic)
    visitor = a_visitor(now)
    Lead.objects.create(visitor=visitor, email="ann@example.com", family_name="Ann", created_at=now)
    a_view(a_visit(a_browser(visitor, now), now), now, page=page, seconds=660)
    award([visitor.pk], now=now)
    return visitor, topic


def test_index__interested_person__weight_leads_to_its_pages(admin_client, reader):
    visitor, topic = reader
    text = admin_client.get(reverse("wagtail_ma_interests:index")).content.decode()
    url = reverse("wagtail_ma_interests:causes", args=[visitor.pk, topic.pk])
    assert url in text
    assert "one product" in text
    causes = admin_client.get(url).content.decode()
    assert "url:/cabinet" in causes
    assert "11 min" in causes


@pytest.mark.parametrize("query", ["?topic={topic}&who=lead", "?kind=concern", "?kind=x&topic=x&p=x"])
def test_index__any_query__answers(admin_client, reader, query):
    url = reverse("wagtail_ma_interests:index") + query.format(topic=reader[1].pk)
    assert admin_client.get(url).status_code == 200


def test_temperatures__people__are_counted(admin_client, reader):
    text = admin_client.get(reverse("wagtail_ma_interests:temperatures")).content.decode()
    assert "Buying intent" in text
    assert "evidence of at least 15" in text


def test_screens__without_permission__are_refused(client, reader, django_user_model):
    user = django_user_model.objects.create_user("ed", "ed@example.com", "x")
    editors = Group.objects.create(name="Some editors")
    editors.permissions.add(Permission.objects.get(codename="access_admin"))
    user.groups.add(editors)
    client.force_login(user)
    for name, args in (("index", []), ("temperatures", []), ("causes", [reader[0].pk, reader[1].pk])):
        assert client.get(reverse(f"wagtail_ma_interests:{name}", args=args)).status_code == 302


def test_index__may_not_see_leads__has_no_names(client, reader, django_user_model):
    user = django_user_model.objects.create_user("ed", "ed@example.com", "x")
    editors = Group.objects.create(name="Some editors")
    editors.permissions.add(*Permission.objects.filter(codename__in=["access_admin", "view_visitor"]))
    user.groups.add(editors)
    client.force_login(user)
    for name, args in (("index", []), ("causes", [reader[0].pk, reader[1].pk])):
        text = client.get(reverse(f"wagtail_ma_interests:{name}", args=args)).content.decode()
        assert "Ann" not in text
        assert reader[0].label in text


def test_export__csv__the_matrix_with_names_only_for_whom_may_see_them(
    admin_client, client, reader, django_user_model
):
    Lead.objects.update(family_name="=1+1", company_name="+Mihon")
    url = reverse("wagtail_ma_interests:export")
    lines = b"".join(admin_client.get(url, {"export": "csv"}).streaming_content).decode().splitlines()
    assert lines[0] == "\ufeffVisitor,Company,Grade,Score,Cabinet"
    assert lines[1].startswith("'=1+1,'+Mihon,")
    assert lines[1].endswith(",29")
    user = django_user_model.objects.create_user("ed", "ed@example.com", "x")
    user.user_permissions.add(
        *Permission.objects.filter(codename__in=["access_admin", "view_visitor", "export_lead"])
    )
    client.force_login(user)
    text = b"".join(client.get(url, {"export": "csv"}).streaming_content).decode()
    assert reader[0].label in text
    assert "Mihon" not in text


def test_export__without_the_right__is_refused_and_not_offered(client, reader, django_user_model):
    user = django_user_model.objects.create_user("ed", "ed@example.com", "x")
    user.user_permissions.add(*Permission.objects.filter(codename__in=["access_admin", "view_visitor"]))
    client.force_login(user)
    url = reverse("wagtail_ma_interests:export")
    assert client.get(url, {"export": "xlsx"}).status_code == 302
    assert url not in client.get(reverse("wagtail_ma_interests:index")).content.decode()
    assert client.get(url).status_code == 302
