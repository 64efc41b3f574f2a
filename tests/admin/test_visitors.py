"""The list of visitors and the page of one: rights, and what people type into the address."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from tests import factories
from wagtail_ma import flow
from wagtail_ma.people.models import Lead
from wagtail_ma.scoring import award
from wagtail_ma.tracking.models import PageView, TrackedPage

pytestmark = pytest.mark.django_db
INDEX = "/admin/marketing/visitors/"


@pytest.fixture
def lead(now: datetime) -> Lead:
    found = factories.make_lead(now=now, company_name="Acme")
    award.award([found.visitor_id], now=now)
    return found


def signed_in(client: Client, *codenames: str) -> Client:
    user = get_user_model().objects.create_user("colleague", password="x")
    user.user_permissions.add(
        Permission.objects.get(codename="access_admin"),
        *Permission.objects.filter(content_type__app_label="wagtail_ma", codename__in=codenames),
    )
    client.force_login(user)
    return client


@pytest.mark.parametrize(
    ("codenames", "is_shown", "status"),
    [(["view_visitor"], False, 302), (["view_visitor", "view_lead"], True, 200)],
)
def test_rights__leads__need_their_own(
    client: Client, lead: Lead, codenames: list[str], is_shown: bool, status: int
) -> None:
    signed_in(client, *codenames)
    page = client.get(INDEX, {"q": "ann@"}).content.decode()
    assert ("Acme" in page) is is_shown
    assert client.get(f"{INDEX}{lead.visitor_id}/").status_code == status


@pytest.mark.parametrize(
    ("codenames", "is_shown"), [(["view_visitor"], False), (["view_visitor", "view_lead"], True)]
)
def test_rights__readers_of_a_page__named_only_to_those_who_may_see_leads(
    client: Client, lead: Lead, home: Any, codenames: list[str], is_shown: bool
) -> None:
    from django.utils import timezone

    now = timezone.now()
    browser = factories.browser(now)
    flow.record_hit(factories.page_hit(home, browser_key=browser.key), now=now)
    type(browser).objects.filter(pk=browser.pk).update(visitor_id=lead.visitor_id)
    browser.visits.update(visitor_id=lead.visitor_id)
    PageView.objects.update(visitor_id=lead.visitor_id)
    url = reverse("wagtail_ma_pages:page", args=[TrackedPage.objects.get().pk])
    assert ("Acme" in signed_in(client, *codenames).get(url).content.decode()) is is_shown


@pytest.mark.parametrize("word", ["#FFFFFFFFFFFFFFFFFFFFFFFF", "#-1", "#", "#xyz"])
def test_index__nonsense_number_searched__nobody(admin_client: Client, lead: Lead, word: str) -> None:
    response = admin_client.get(INDEX, {"q": word})
    assert response.status_code == 200
    assert "Acme" not in response.content.decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "0001-01-01T00:00:00+14:00~view~1",
        "9999-12-31T23:59:59-14:00~view~1",
        "2026-01-01T00:00:00+00:00~view~99999999999999999999999",
        "~~",
    ],
)
def test_visitor__nonsense_cursor__a_page(admin_client: Client, lead: Lead, cursor: str) -> None:
    assert admin_client.get(f"{INDEX}{lead.visitor_id}/", {"before": cursor}).status_code == 200
