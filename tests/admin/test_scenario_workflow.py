"""Scenarios are approved by a colleague before they are in force."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from tests.admin.approval import approval_by
from tests.admin.test_scenarios import form
from tests.scenarios.stories import a_draft, a_mail, send, wait
from wagtail_ma.messaging.models import Mail
from wagtail_ma.scenarios.models import Scenario

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("site")]


@pytest.fixture
def workflow(admin_user):
    return approval_by(admin_user, Scenario)


def test_submit__ready__waits_and_is_in_force_once_approved(admin_client, admin_user, workflow):
    author = User.objects.create_superuser("author", password="x")
    admin_client.force_login(author)
    scenario = a_draft([wait()])
    url = reverse("wagtail_ma_scenarios:edit", args=[scenario.pk])
    response = admin_client.post(url, form(**{"action-submit": "1"}))
    assert response.status_code == 302, response.context["form"].errors
    scenario.refresh_from_db()
    assert not scenario.live and scenario.current_workflow_state is not None
    admin_client.force_login(admin_user)
    approve(admin_client, scenario)
    scenario.refresh_from_db()
    assert scenario.live and scenario.versions.count() == 1


def approve(client, scenario):
    state = scenario.current_workflow_state.current_task_state
    url = reverse("wagtail_ma_scenarios:workflow_action", args=[scenario.pk, "approve", state.pk])
    return client.post(url, {"comment": ""}, follow=True)


def test_submit__unfinished__is_not_handed_on(admin_client, workflow):
    scenario = a_draft([])
    url = reverse("wagtail_ma_scenarios:edit", args=[scenario.pk])
    response = admin_client.post(url, form(**{"action-submit": "1", "steps-count": "0"}))
    assert "Add at least one step." in response.content.decode()
    scenario.refresh_from_db()
    assert scenario.current_workflow_state is None


def test_approve__mail_taken_offline_meanwhile__stays_and_says_why(admin_client, admin_user, workflow):
    scenario = a_draft([send(a_mail())])
    scenario.save_revision()
    workflow.start(scenario, admin_user)
    Mail.objects.update(live=False)
    response = approve(admin_client, scenario)
    assert response.status_code == 200
    assert "is not published" in response.content.decode()
    scenario = Scenario.objects.get()
    assert not scenario.live and scenario.workflow_in_progress
