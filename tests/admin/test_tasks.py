"""Tasks and goals in the admin."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission, User
from django.db import IntegrityError
from django.urls import reverse
from django.utils import timezone

from tests.scenarios.stories import a_lead
from wagtail_ma.personalisation.models import Goal
from wagtail_ma.sales import tasks
from wagtail_ma.sales.models_of_tasks import Task

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


def a_task(now, key="one", **fields):
    lead = a_lead(now, email=f"{key}@example.com")
    values = {"text": f"Call {key}", "due_at": now, "assignee_id": None, **fields}
    tasks.create(lead.visitor_id, source_key=key, now=now, **values)
    return Task.objects.get(source_key=key)


def test_create__same_occasion_again__the_same_task(now):
    first = a_task(now)
    tasks.create(first.visitor_id, text="Other", due_at=now, assignee_id=None, source_key="one", now=now)
    assert list(Task.objects.values_list("pk", "text")) == [(first.pk, "Call one")]


def test_create__not_storable_for_another_reason__says_so(now):
    with pytest.raises(IntegrityError):
        a_task(now, due_at=None)


def test_list__open_and_done__filters_tell_them_apart(admin_client, admin_user):
    now = timezone.now()
    late = a_task(now - timedelta(days=2), "late")
    a_task(now, "later", due_at=now + timedelta(days=2), assignee_id=admin_user.pk)
    url = reverse("wagtail_ma_tasks:index")
    assert "Overdue" in admin_client.get(url).content.decode()
    tasks.finish(late.pk, by=admin_user, now=now)
    for query, shown, hidden in [
        ("?state=open", "Call later", "Call late<"),
        ("?state=done", "Call late", "Call later"),
        ("?mine=mine", "Call later", "Call late<"),
    ]:
        html = admin_client.get(url + query).content.decode().replace("\n", "")
        assert shown in html
        assert hidden not in html


def test_list__empty__says_where_tasks_come_from(admin_client):
    html = admin_client.get(reverse("wagtail_ma_tasks:index")).content.decode()
    assert "Task for a person" in html


def test_finish__post__done_once_by_whoever_pressed(admin_client, admin_user, now):
    task = a_task(now)
    url = reverse("wagtail_ma_tasks:finish", args=[task.pk])
    assert admin_client.get(url).status_code == 405
    assert admin_client.post(url).status_code == 302
    task.refresh_from_db()
    assert (task.done_by, bool(task.done_at)) == (admin_user, True)
    assert not tasks.finish(task.pk, by=None, now=now)


def test_finish__without_permission__refused(client, now):
    user = User.objects.create_user("viewer", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"),
        Permission.objects.get(codename="view_task", content_type__app_label="wagtail_ma"),
    )
    client.force_login(user)
    task = a_task(now)
    client.post(reverse("wagtail_ma_tasks:finish", args=[task.pk]))
    assert not Task.objects.filter(done_at__isnull=False).exists()
    assert "Call one" in client.get(reverse("wagtail_ma_tasks:index")).content.decode()


def test_goal__added__shown_in_words(admin_client):
    values = {"name": "Enquiry", "kind": "activity", "activity_kind": "form_submit", "object_key": ""}
    response = admin_client.post(reverse("wagtail_ma_goals:add"), {**values, "segment": ""})
    assert response.status_code == 302, response.context["form"].errors
    assert Goal.objects.get().activity_kind == "form_submit"
    assert "Enquiry" in admin_client.get(reverse("wagtail_ma_goals:index")).content.decode()


@pytest.mark.parametrize("kind", ["activity", "segment"])
def test_goal__nothing_chosen__refused(admin_client, kind):
    values = {"name": "Enquiry", "kind": kind, "activity_kind": "", "object_key": "", "segment": ""}
    response = admin_client.post(reverse("wagtail_ma_goals:add"), values)
    assert response.status_code == 200
    assert not Goal.objects.exists()
